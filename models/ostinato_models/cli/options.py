"""Options that the commands of the model side share."""

from __future__ import annotations

from pathlib import Path

import click

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="OSTINATO_DATA",
    show_envvar=True,
    help="Folder with the data sets; files that are not there are fetched into it.  [default: the user's cache]",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")

NOT_RECORDED = ("data_dir", "as_json", "resume")
"""Options that say where and how, not what: a rerun elsewhere gives the same model without them."""


def given_options(context: click.Context) -> list[str]:
    """The options the person typed, in the command's own order."""
    options: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        typed = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if isinstance(parameter, click.Option) and typed and name not in NOT_RECORDED:
            if parameter.is_flag:
                options.append(parameter.opts[0])
                continue
            values = context.params[name] if parameter.multiple else [context.params[name]]
            options += [part for value in values for part in (parameter.opts[0], str(value))]
    return options
