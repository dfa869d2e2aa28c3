"""A report: Markdown, a CSV file per table and a PNG file per figure, in one folder.

>>> table = Table("squares", ("n", "n²"), ((1, 1), (2, 4)))
>>> report = Report("Squares", "How do they grow?", ("Fast.",), "By hand.", (), (table,))
>>> write_report(report, Provenance("ostinato lab squares", {}, 0.1, 0.1, {}), Path("out"))
[PosixPath('out/squares.csv'), PosixPath('out/report.md')]
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

from matplotlib.figure import Figure
from PIL import Image

Cell: TypeAlias = str | int | float

DOTS_PER_INCH = 110
COLOURS = 256
"""In a picture's palette."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns.

    Attributes:
        name: the CSV file's, without its ending.
        columns: names, with units where they have any.
        rows: a cell per column.
        shown: print it in the report too, and not only as CSV.
        caption: a sentence above the printed table.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    shown: bool = False
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture.

    Attributes:
        name: the PNG file's, without its ending.
        figure: what is drawn.
        caption: how to read it.
    """

    name: str
    figure: Figure
    caption: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an experiment has to say.

    Attributes:
        title: the headline.
        question: what was asked.
        findings: sentences, made from the result's numbers.
        method: how it was measured, Markdown.
        plots: pictures, in reading order.
        tables: numbers, in reading order.
    """

    title: str
    question: str
    findings: tuple[str, ...]
    method: str
    plots: tuple[Plot, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a report came to be.

    Attributes:
        command: what to type to get it again.
        settings: every setting by name.
        seconds: how long it took.
        processor_seconds: what of it was computing; the rest went to others on a busy machine.
        versions: what it ran on, by name.
    """

    command: str
    settings: Mapping[str, object]
    seconds: float
    processor_seconds: float
    versions: Mapping[str, str]


def write_report(report: Report, provenance: Provenance, folder: Path) -> list[Path]:
    """Write the files of `report` into `folder`, which is made if need be.

    Returns:
        The paths written: plots, tables, and ``report.md`` as the last.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for plot in report.plots:
        files.append(folder / f"{plot.name}.png")
        save_figure(plot.figure, files[-1])
    for table in report.tables:
        files.append(folder / f"{table.name}.csv")
        with files[-1].open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(table.columns)
            writer.writerows([format_cell(cell) for cell in row] for row in table.rows)
    files.append(folder / "report.md")
    files[-1].write_text(render(report, provenance), encoding="utf-8")
    return files


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file with a palette, a third of the size of one without."""
    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def render(report: Report, provenance: Provenance) -> str:
    """The report as Markdown."""
    blocks = [f"# {report.title}", f"*{report.question}*", "## What it shows"]
    blocks.append("\n".join(f"{number}. {finding}" for number, finding in enumerate(report.findings, 1)))
    for plot in report.plots:
        blocks += [f"![{plot.name}]({plot.name}.png)", plot.caption]
    for table in report.tables:
        if table.shown:
            blocks += [*([table.caption] if table.caption else []), _markdown_table(table)]
    blocks += ["## How it was measured", report.method, "## How it was run"]
    blocks.append(f"```\n{provenance.command}\n```")
    ran_on = ", ".join(f"{name} {value}" for name, value in provenance.versions.items())
    blocks.append(
        f"{provenance.processor_seconds:.0f} s of processor time, {provenance.seconds:.0f} s in all"
        f"{', with ' if ran_on else ''}{ran_on}."
    )
    settings = tuple((name, _plain(value)) for name, value in provenance.settings.items())
    if settings:
        blocks.append(_markdown_table(Table("settings", ("setting", "value"), settings)))
    if report.tables:
        names = ", ".join(f"[{table.name}.csv]({table.name}.csv)" for table in report.tables)
        blocks.append(f"The numbers: {names}.")
    return "\n\n".join(blocks) + "\n"


def format_cell(cell: Cell) -> str:
    """A cell as text: four significant digits for what was measured, all of them for the rest."""
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _markdown_table(table: Table) -> str:
    numeric = [all(not isinstance(row[index], str) for row in table.rows) for index in range(len(table.columns))]
    lines = [
        "| " + " | ".join(table.columns) + " |",
        "|" + "|".join("---:" if right else "---" for right in numeric) + "|",
    ]
    lines += ["| " + " | ".join(format_cell(cell) for cell in row) + " |" for row in table.rows]
    return "\n".join(lines)


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
