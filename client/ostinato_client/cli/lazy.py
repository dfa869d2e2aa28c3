"""A click group that imports a command only when it runs.

The commands live in packages that do not know each other and need different extras; the group knows them by name only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from ostinato_client.cli.help_text import Context, wrap_between_options


@dataclass(frozen=True, slots=True)
class CommandReference:
    """Where a command is and what it needs.

    Attributes:
        location: ``module:attribute``.
        help: One line for the list of commands.
        extra: The extra that it needs; empty where the bare install will do.
    """

    location: str
    help: str
    extra: str = ""


class LazyGroup(click.Group):
    """Lists its commands from a table, and imports the one that is asked for."""

    context_class = Context

    def __init__(self, *, commands: Mapping[str, CommandReference], **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.references = commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the table's order."""
        return list(self.references)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported; for shell completion one without options where a dependency is not installed.

        Raises:
            click.ClickException: A dependency of the command is not installed.
        """
        reference = self.references.get(cmd_name)
        if reference is None:
            return None
        module, _, attribute = reference.location.partition(":")
        try:
            command = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            if ctx.resilient_parsing:
                return click.Command(cmd_name)
            raise missing_dependency(cmd_name, reference, error) from error
        assert isinstance(command, click.Command), reference.location  # noqa: S101 - a slip in the table, not input
        wrap_between_options(command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands and options that begin so; imports no command."""
        names = [name for name in self.references if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=self.references[name].help) for name in names]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; a dependency that it misses only then is told the same way."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            name = ctx.invoked_subcommand
            if name is None or name not in self.references:
                raise
            raise missing_dependency(name, self.references[name], error) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, reference.help) for name, reference in self.references.items()])


def missing_dependency(name: str, reference: CommandReference, error: ModuleNotFoundError) -> click.ClickException:
    """The error for a command whose dependency is not installed, naming the extra to install."""
    extra = reference.extra
    remedy = f"; install it with: pip install 'ostinato[{extra}]'" if extra else ""
    return click.ClickException(f"{name}: {error.name or error} is not installed{remedy}")
