"""The part of `ostinato export` that brings in a model trained elsewhere."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ostinato_models.cli.options import given_options

if TYPE_CHECKING:
    from ostinato_models.adoption.adopt import Adopted
    from ostinato_models.adoption.vocabulary import AdoptedVocabulary
    from ostinato_models.export.writer import Target

_FILE = click.Path(dir_okay=False, path_type=Path)


def _pairs(values: Sequence[str]) -> dict[str, str]:
    """Split IN=OUT, each tensor named once."""
    pairs: dict[str, str] = {}
    for value in values:
        taken, separator, given = value.partition("=")
        if not (taken and separator and given):
            raise click.UsageError(f"--state {value} is not IN=OUT.")
        if taken in pairs or given in pairs.values():
            raise click.UsageError(f"--state {value} names a tensor that another --state has.")
        pairs[taken] = given
    return pairs


def _shape(value: str) -> tuple[int | str, ...]:
    """Split sizes at their commas; one of them is ``batch``."""
    sizes = tuple(
        size if size == "batch" else int(size) for size in value.split(",") if size == "batch" or size.isdecimal()
    )
    if len(sizes) != value.count(",") + 1 or sizes.count("batch") != 1:
        raise click.UsageError(f"--state-shape {value} is no list of sizes with one batch among them, as 2,batch,512.")
    return sizes


_OPTIONS = (
    click.option("--from-onnx", type=_FILE, help="An ONNX file of a model trained elsewhere, instead of RUN_DIR."),
    click.option(
        "--from-torchscript", type=_FILE, help="Or a TorchScript file, forward(tokens, (h, c)) -> logits, (h, c)."
    ),
    click.option("--tokenizer", type=_FILE, help="Its tokenizer, in Hugging Face's format."),
    click.option("--vocabulary", type=_FILE, help="Or its characters: one a line, or a .json list or object of ids."),
    click.option("--input-token", metavar="NAME", help="The input that takes token ids, where it is not clear."),
    click.option("--state", "states", metavar="IN=OUT", multiple=True, help="A state and its output."),
    click.option("--logits", metavar="NAME", help="The output that scores the tokens, where it is not clear."),
    click.option("--time-first", is_flag=True, help="Its tokens are (T, B), as without batch_first=True."),
    click.option(
        "--state-shape",
        "state_shapes",
        metavar="SIZES",
        multiple=True,
        help="The shape of a TorchScript file's state, as 2,batch,512, where its weights do not tell.",
    ),
    click.option("--unknown-token", metavar="TOKEN", help="The token for what is not in the vocabulary."),
    click.option("--start-token", metavar="TOKEN", help="A token that the model reads before every prompt."),
    click.option("--end-token", metavar="TOKEN", help="The token that ends a text."),
    click.option("--padding-token", metavar="TOKEN", help="A token that stands for nothing."),
    click.option("--description", help="What the model does, for its card."),
    click.option("--license", "licence", help="The licence of its weights, for its card."),
)
ONNX_PARAMETERS = ("input_token", "states", "logits")
TORCHSCRIPT_PARAMETERS = ("state_shapes",)
ADOPTION_PARAMETERS = frozenset(
    [
        *("tokenizer", "vocabulary", "time_first", *ONNX_PARAMETERS, *TORCHSCRIPT_PARAMETERS),
        *("unknown_token", "start_token", "end_token", "padding_token", "description", "licence"),
    ]
)
"""What is only for a model trained elsewhere."""


def foreign_parameters(from_onnx: Path | None, from_torchscript: Path | None) -> dict[str, str]:
    """What does not belong to the kind of source that was given, and what it belongs to."""
    if from_onnx is not None:
        return {"artifacts": "RUN_DIR and --bundle", **dict.fromkeys(TORCHSCRIPT_PARAMETERS, "--from-torchscript")}
    if from_torchscript is not None:
        return {"artifacts": "RUN_DIR and --bundle", **dict.fromkeys(ONNX_PARAMETERS, "--from-onnx")}
    return dict.fromkeys(ADOPTION_PARAMETERS, "--from-onnx and --from-torchscript")


def adoption_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class AdoptionOptions:
    """What was asked, by the options' names."""

    from_onnx: Path | None
    from_torchscript: Path | None
    tokenizer: Path | None
    vocabulary: Path | None
    input_token: str | None
    states: Sequence[str]
    logits: str | None
    time_first: bool
    state_shapes: Sequence[str]
    unknown_token: str | None
    start_token: str | None
    end_token: str | None
    padding_token: str | None
    description: str | None
    licence: str | None


def adopt_and_write(options: AdoptionOptions, target: Target, as_json: bool) -> None:
    """Check the model, write its bundle and say what was found.

    Raises:
        click.UsageError: neither or both of the vocabularies are given, or a --state is no pair.
        ModelsError: something does not fit.
    """
    if (options.tokenizer is None) == (options.vocabulary is None):
        raise click.UsageError("A model trained elsewhere needs either --tokenizer FILE or --vocabulary FILE.")
    from ostinato_models.adoption.bundle import Statement, write_adopted

    adopted = _adopted(options)
    statement = Statement(options.description or "Continues a text.", options.licence or "not stated", _command_line())
    folder = write_adopted(adopted, target, statement)
    click.echo(json.dumps(_facts(adopted, target, folder)) if as_json else _words(adopted, folder))


def _adopted(options: AdoptionOptions) -> Adopted:
    from ostinato_models.adoption.adopt import adopt_onnx, adopt_torchscript
    from ostinato_models.adoption.roles import NamedRoles
    from ostinato_models.adoption.torchscript_file import read_torchscript

    if options.from_onnx is not None:
        named = NamedRoles(options.input_token, _pairs(options.states), options.logits, options.time_first)
        return adopt_onnx(options.from_onnx, _vocabulary(options), named)
    assert options.from_torchscript is not None  # noqa: S101 (for the type checker)
    shapes = [_shape(value) for value in options.state_shapes]
    return adopt_torchscript(
        read_torchscript(options.from_torchscript, shapes), _vocabulary(options), time_first=options.time_first
    )


def _vocabulary(options: AdoptionOptions) -> AdoptedVocabulary:
    from ostinato_models.adoption.vocabulary import ReservedTokens, read_characters, read_tokenizer

    reserved = ReservedTokens(options.unknown_token, options.start_token, options.end_token, options.padding_token)
    if options.tokenizer is not None:
        return read_tokenizer(options.tokenizer, reserved)
    assert options.vocabulary is not None  # noqa: S101 (for the type checker)
    return read_characters(options.vocabulary, reserved)


def _command_line() -> str:
    context = click.get_current_context()
    return shlex.join(["ostinato", "export", *given_options(context)])


def _facts(adopted: Adopted, target: Target, folder: Path) -> dict[str, Any]:
    roles = adopted.roles
    return {
        "path": str(folder),
        "name": target.name,
        "version": target.version,
        "token": roles.token.name if roles else "token",
        "logits": roles.logits.name if roles else None,
        "states": {role.taken.name: role.given.name for role in roles.states} if roles else {},
        "prefill": "prefill" in adopted.graphs,
        "parity": [row.model_dump() for row in adopted.parity],
    }


def _words(adopted: Adopted, folder: Path) -> str:
    roles = adopted.roles
    if roles is None:
        lines = ["follows the step contract"]
    else:
        states = ", ".join(f"{role.taken.name} → {role.given.name} {list(role.sizes)}" for role in roles.states)
        lines = [f"token {roles.token}", f"logits {roles.logits}", f"states {states}"]
    lines.append(
        "rows: every bit is the same alone and in a batch"
        if adopted.row_difference == 0
        else f"rows: the same alone and in a batch to rounding, {adopted.row_difference:.2g}"
    )
    return "\n".join([*lines, f"prompts: read {adopted.prompts}", f"{folder}: written"])
