"""A report is one Markdown file that names every other file of its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from ostinato_models.lab.report import Cell, Plot, Provenance, Report, Table, format_cell, render, write_report

PROVENANCE = Provenance("ostinato lab squares --out DIR", {"seed": 3, "sizes": (1, 2)}, 61.6, 9.7, {"torch": "2.13.0"})


def squares() -> Report:
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 4, 9])
    return Report(
        title="Squares",
        question="How do they grow?",
        findings=("They grow.", "Fast."),
        method="By hand.",
        plots=(Plot("curve", figure, "Upwards."),),
        tables=(Table("squares", ("n", "share"), ((1, 0.123456), (2, 1e-30)), shown=True, caption="In numbers:"),),
    )


def test_writes_the_plots_the_tables_and_last_the_text(tmp_path: Path) -> None:
    files = write_report(squares(), PROVENANCE, tmp_path / "new" / "folder")

    assert [path.name for path in files] == ["curve.png", "squares.csv", "report.md"]
    assert files[1].read_text() == "n,share\n1,0.1235\n2,1e-30\n"
    assert files[2].read_text(encoding="utf-8") == render(squares(), PROVENANCE)
    with Image.open(files[0]) as image:
        assert (image.format, image.size, image.mode) == ("PNG", (220, 110), "P")


def test_says_what_was_found_and_how_it_was_run() -> None:
    assert render(squares(), PROVENANCE).split("\n\n") == [
        "# Squares",
        "*How do they grow?*",
        "## What it shows",
        "1. They grow.\n2. Fast.",
        "![curve](curve.png)",
        "Upwards.",
        "In numbers:",
        "| n | share |\n|---:|---:|\n| 1 | 0.1235 |\n| 2 | 1e-30 |",
        "## How it was measured",
        "By hand.",
        "## How it was run",
        "```\nostinato lab squares --out DIR\n```",
        "10 s of processor time, 62 s in all, with torch 2.13.0.",
        "| setting | value |\n|---|---|\n| seed | 3 |\n| sizes | 1, 2 |",
        "The numbers: [squares.csv](squares.csv).\n",
    ]


def test_equal_reports_are_equal_files(tmp_path: Path) -> None:
    first, second = (write_report(squares(), PROVENANCE, tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize(("cell", "text"), [(128, "128"), (12345678, "12345678"), (0.5, "0.5"), ("h", "h")])
def test_counts_are_exact_and_measurements_short(cell: Cell, text: str) -> None:
    assert format_cell(cell) == text
