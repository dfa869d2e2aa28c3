"""Options that the bench's commands share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from ostinato_client.cli.options import FiniteRange
from ostinato_client.cli.standard_input import DASH, claim, read_lines

C = TypeVar("C", bound=Callable[..., None])


def whole_numbers(_: click.Context, __: click.Parameter, value: str) -> tuple[int, ...]:
    """Whole numbers above 0 with commas between them.

    Raises:
        click.BadParameter: One is no whole number above 0.
    """
    try:
        numbers = tuple(int(part) for part in value.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers above 0, as 1,16,64 is.")
    return numbers


def numbers(_: click.Context, __: click.Parameter, value: str | None) -> tuple[float, ...]:
    """Numbers above 0 with commas between them; none when there is no value.

    Raises:
        click.BadParameter: One is no finite number above 0.
    """
    if value is None:
        return ()
    try:
        found = tuple(float(part) for part in value.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 < each < math.inf for each in found):
        raise click.BadParameter(f"{value!r} is not a list of numbers above 0, as 20,40.5 is.")
    return found


def lines(_: click.Context, parameter: click.Parameter, value: Path | None) -> tuple[str, ...]:
    """The lines of a file, or of standard input for ``-``, that are not blank; none when there is no file.

    Raises:
        click.BadParameter: There are none, or the file is not UTF-8.
        click.ClickException: Standard input is not UTF-8.
    """
    if value is None:
        return ()
    if str(value) == DASH:
        claim()
        read = tuple(read_lines())
        if not read:
            raise click.BadParameter("standard input has no line with text.")
        return read
    try:
        found = tuple(line for line in value.read_text(encoding="utf-8").splitlines() if line.strip())
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{value} is not UTF-8: {error.reason} at byte {error.start}.") from error
    if not found:
        raise click.BadParameter(f"{value} has no line with text.")
    return found


def seconds_option(flag: str, default: float | None, text: str) -> Callable[[C], C]:
    """A flag for a time above 0."""
    return click.option(
        flag,
        type=FiniteRange(min=0, min_open=True),
        default=default,
        show_default=default is not None,
        metavar="SECONDS",
        help=text,
    )


def concurrency_option(default: str, text: str) -> Callable[[C], C]:
    """``--concurrency``: a list of whole numbers."""
    return click.option(
        "--concurrency", callback=whole_numbers, metavar="N[,N...]", default=default, show_default=True, help=text
    )


input_option = click.option(
    "--input",
    "texts",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    callback=lines,
    metavar="FILE",
    help="Take the texts of requests from this file, a line each, in turn; - reads standard input.",
)

seed_option = click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of the arrivals in open loop."
)

processes_option = click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes that generate the load; each takes a core at most.",
)

warm_up_option = click.option(
    "--warm-up", type=click.IntRange(0), default=4, show_default=True, help="Requests before a run, not counted."
)

_json_option = click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True, path_type=Path),
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="Write the results there too; without FILE, or with -, print them instead of the table.",
)

_plot_option = click.option(
    "--plot",
    "plot_path",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Draw the results as a picture (.svg, .png, .pdf); needs the extra plot.",
)


def report_options(*, plot: bool) -> Callable[[C], C]:
    """Where the results go."""
    options: list[Callable[[C], C]] = [_json_option, _plot_option] if plot else [_json_option]
    return lambda command: functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), command)
