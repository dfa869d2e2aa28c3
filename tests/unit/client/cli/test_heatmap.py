"""The attention matrix in a terminal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from ostinato_client.cli.heatmap import PALETTE, SHADES, Layout, background, choose_layout, heat_map, shade, shorten
from ostinato_client.cli.labels import readable
from ostinato_client.cli.output import single

labels = st.text(st.characters(codec="utf-8", exclude_categories=["C", "M", "Zl", "Zp"]), min_size=1, max_size=20)


def test_the_roomiest_layout_that_fits_is_chosen() -> None:
    assert choose_layout(4, 6, 80) == Layout(7, standing=False)
    assert choose_layout(4, 30, 80) == Layout(11, standing=False)
    assert choose_layout(15, 6, 80) == Layout(4, standing=True)
    assert choose_layout(30, 6, 80) == Layout(2, standing=True)


def test_standing_labels_are_read_downwards_and_end_at_the_map() -> None:
    lines = heat_map(np.array([[0.9, 0.1]], np.float32), ["abc", "d"], ["x"], width=12, colour=False)
    assert [line.plain for line in lines] == ["    a", "    b", "    c   d", "x  █90 ·10"]


def test_colour_tells_the_weight_and_the_digits_too() -> None:
    (_, row) = heat_map(np.array([[1.0, 0.0]], np.float32), ["a", "b"], ["x"], width=80, colour=True)
    dark, bright = PALETTE[0], PALETTE[-1]
    backgrounds = [span.style.bgcolor.triplet for span in row.spans]  # type: ignore[union-attr]
    assert backgrounds == [bright, dark]
    assert "100" in row.plain


def test_shades_and_colours_rise_with_the_weight() -> None:
    weights = np.linspace(0, 1, 101)
    shades = [SHADES.index(shade(weight)) for weight in weights]
    assert (shades[0], shades[-1], shades) == (0, len(SHADES) - 1, sorted(shades))
    brightness = [sum(background(weight)) for weight in weights]
    assert brightness == sorted(brightness)


@given(st.lists(labels, min_size=1, max_size=30), st.lists(labels, min_size=1, max_size=5), st.booleans())
def test_a_line_per_row_and_never_wider_than_the_cells(source: list[str], target: list[str], colour: bool) -> None:
    weights = np.full((len(target), len(source)), 1 / len(source), np.float32)
    lines = heat_map(weights, source, target, width=100, colour=colour)
    assert len(lines) >= len(target) + 1
    assert max(line.cell_len for line in lines[-len(target) :]) <= 100


@given(labels, st.integers(1, 20))
def test_a_shortened_label_fits(label: str, width: int) -> None:
    assert cell_len(shorten(label, width)) <= max(width, 1)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_decimal_reads_back_as_the_same_number(value: float) -> None:
    assert np.float32(single(value)) == np.float32(value)


@pytest.mark.parametrize(
    ("token", "label"),
    [
        (" love", "love"),
        (" ", "▁"),
        ("<unk>", "<unk>"),
        ("\ufffd", "\ufffd"),
        ("été", "été"),
        ("三", "三"),
        ("\n", "·"),
    ],
)
def test_tokens_are_shown_as_the_text_they_stand_for(token: str, label: str) -> None:
    assert readable(token) == label
