"""The ``ostinato`` command: a table of commands, and what becomes of their errors."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from types import MappingProxyType

import click

from ostinato_client.cli.failures import explain, wants_traceback
from ostinato_client.cli.lazy import CommandReference, LazyGroup
from ostinato_client.cli.standard_streams import finish, flush_failure, prepare
from ostinato_client.cli.terminal import colour

COMMANDS: Mapping[str, CommandReference] = MappingProxyType(
    {
        "serve": CommandReference("ostinato_server.cli:serve", "Serve the models of a repository.", "server"),
        "generate": CommandReference("ostinato_client.cli.generate:generate", "Continue a text, as a stream."),
        "sentiment": CommandReference("ostinato_client.cli.sentiment:sentiment", "Score the sentiment of texts."),
        "translate": CommandReference("ostinato_client.cli.translate:translate", "Translate a sentence."),
        "models": CommandReference("ostinato_client.cli.models:models", "Show what the server serves."),
        "bench": CommandReference("ostinato_bench.cli:bench", "Put load on a server and measure it."),
        "train": CommandReference("ostinato_models.cli.train:train", "Train a model.", "train"),
        "distill": CommandReference("ostinato_models.cli.distill:distill", "Let a teacher label texts.", "distill"),
        "evaluate": CommandReference("ostinato_models.cli.evaluate:evaluate", "Measure a bundle on data.", "train"),
        "export": CommandReference("ostinato_models.cli.export:export", "Write a trained model as a bundle.", "train"),
        "lab": CommandReference("ostinato_models.cli.lab:lab", "Run the experiments of the project.", "train"),
        "data": CommandReference("ostinato_models.cli.data:data", "List and fetch data sets.", "train"),
    }
)

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


def print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Prints the version and ends."""
    if wanted:
        click.echo(f"ostinato {version('ostinato')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    commands=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_version,
    help="Show the version and exit.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """A model server for recurrent networks: streams text, sentiment and translations over gRPC."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code: 0 done, 2 wrong usage, 1 failed, 130 interrupted."""
    try:
        result = cli.main(args=arguments, prog_name="ostinato", standalone_mode=False, color=colour())
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SystemExit as end:  # shell completion, and SIGTERM
        return end.code if isinstance(end.code, int) else 0
    except BrokenPipeError:  # the reader has left
        return 1
    except Exception as error:
        return report(error)
    return result if type(result) is int else 0


def report(error: Exception) -> int:
    """Writes one line on standard error for an exception that ended a command; returns the exit code."""
    unnamed = isinstance(error, OSError) and error.filename is None
    if unnamed and (failure := flush_failure()) is not None:
        error = click.ClickException(f"standard output cannot be written: {failure.strerror}")
    line, code = explain(error)
    with suppress(OSError):  # standard error may be on the same full disk
        if wants_traceback():
            traceback.print_exception(error)
        click.echo(line, err=True)
    return code


def main() -> None:
    """Runs the command of the command line."""
    prepare()
    sys.exit(finish(run()))
