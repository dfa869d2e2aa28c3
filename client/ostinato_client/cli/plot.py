"""An attention matrix as a picture, with matplotlib (the ``plot`` extra)."""

from __future__ import annotations

import warnings
from pathlib import Path

import click
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ostinato_client.cli.labels import readable
from ostinato_client.results import TranslatedSentence, Translation

INCHES_PER_TOKEN = 0.45
DOTS_PER_INCH = 150
VALUE_LIMIT = 400
"""Above this many cells the numbers would not be readable."""


def draw_attention(translation: Translation, path: Path) -> None:
    """Draws the attention of each sentence, one below another.

    Source tokens are along x, target tokens along y, weights from 0 to 1.

    Raises:
        click.ClickException: The file's ending is no format that matplotlib writes, or the picture would be too large.
        OSError: The file cannot be written.
    """
    sentences = [sentence for sentence in translation.sentences if sentence.attention is not None]
    if not sentences:
        raise ValueError("the translation has no attention")
    heights = [1.8 + INCHES_PER_TOKEN * len(sentence.target_tokens) for sentence in sentences]
    width = 2.5 + INCHES_PER_TOKEN * max(len(sentence.source_tokens) for sentence in sentences)
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    plots = figure.subplots(len(sentences), squeeze=False, gridspec_kw={"height_ratios": heights})
    for axes, sentence in zip(plots[:, 0], sentences, strict=True):
        image = _draw_sentence(axes, sentence)
    figure.colorbar(image, ax=plots, label="attention weight")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a box stands for it in the picture
        try:
            figure.savefig(path, dpi=DOTS_PER_INCH)
        except ValueError as error:
            raise click.ClickException(f"{path}: {error}") from error


def _draw_sentence(axes: Axes, sentence: TranslatedSentence) -> AxesImage:
    attention = sentence.attention
    assert attention is not None  # noqa: S101 (only such sentences are drawn)
    rows, columns = attention.shape
    image = axes.imshow(attention, cmap="magma", vmin=0.0, vmax=1.0, aspect="auto")
    axes.set_xticks(
        range(columns),
        labels=[readable(token) for token in sentence.source_tokens],
        rotation=45,
        ha="right",
        parse_math=False,
    )
    axes.set_yticks(range(rows), labels=[readable(token) for token in sentence.target_tokens], parse_math=False)
    axes.set_xlabel("source token")
    axes.set_ylabel("target token")
    axes.set_title(sentence.text, wrap=True, parse_math=False)
    if rows * columns <= VALUE_LIMIT:
        for row in range(rows):
            for column in range(columns):
                weight = float(attention[row, column])
                axes.text(
                    column,
                    row,
                    f"{weight:.2f}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="black" if weight > 0.6 else "white",
                )
    return image
