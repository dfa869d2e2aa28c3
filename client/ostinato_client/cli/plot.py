"""An attention matrix as a picture, with matplotlib (the ``plot`` extra)."""

from __future__ import annotations

import warnings
from pathlib import Path

import click
from matplotlib.figure import Figure

from ostinato_client.cli.labels import readable
from ostinato_client.results import Translation

INCHES_PER_TOKEN = 0.45
VALUE_LIMIT = 400
"""Above this many cells the numbers would not be readable."""


def draw_attention(translation: Translation, path: Path) -> None:
    """Draws the attention of a translation: source tokens along x, target tokens along y, weights from 0 to 1.

    Raises:
        click.ClickException: The file's ending is no format that matplotlib writes.
        OSError: The file cannot be written.
    """
    attention = translation.attention
    if attention is None:
        raise ValueError("the translation has no attention")
    rows, columns = attention.shape
    size = (2.5 + INCHES_PER_TOKEN * columns, 1.8 + INCHES_PER_TOKEN * rows)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(attention, cmap="magma", vmin=0.0, vmax=1.0, aspect="auto")
    axes.set_xticks(
        range(columns),
        labels=[readable(token) for token in translation.source_tokens],
        rotation=45,
        ha="right",
        parse_math=False,
    )
    axes.set_yticks(range(rows), labels=[readable(token) for token in translation.target_tokens], parse_math=False)
    axes.set_xlabel("source token")
    axes.set_ylabel("target token")
    figure.suptitle(translation.text, wrap=True, parse_math=False)
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
    figure.colorbar(image, ax=axes, label="attention weight")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a box stands for it in the picture
        try:
            figure.savefig(path, dpi=150)
        except ValueError as error:
            raise click.ClickException(f"{path}: {error}") from error
