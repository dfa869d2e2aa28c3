"""Which tensor of a plain model is which: the token, the states and what they become, the logits.

A plain model is what people export: tokens (B, T) and states, in torch's layout (L, B, H), to logits (B, T, V) and
states. Roles are found by name and shape; what a person says comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ostinato_models.adoption.dynamic_sizes import dynamic_export
from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.onnx_file import Port
from ostinato_models.adoption.pairing import pair_by_name, pair_by_shape
from ostinato_models.adoption.vocabulary import width_hint

_INTEGERS = ("int64", "int32")
_FIXED = ("is fixed at", "axis of variable size")
"""What the problems say that a size left open at the export would solve."""


@dataclass(frozen=True, slots=True)
class NamedRoles:
    """What a person said of the tensors; all may be left out.

    Attributes:
        token: the input of token ids.
        states: inputs, and the outputs that they become.
        logits: the output that scores tokens.
        time_first: whether tokens are (T, B) and logits (T, B, V), as torch's layers have it by default.
    """

    token: str | None = None
    states: Mapping[str, str] = field(default_factory=dict)
    logits: str | None = None
    time_first: bool = False


@dataclass(frozen=True, slots=True)
class StateRole:
    """A state of a plain model.

    Attributes:
        taken: the input.
        given: the output that it becomes.
        batch_axis: where the batch is in both, 1 in torch's layout.
    """

    taken: Port
    given: Port
    batch_axis: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape of one row."""
        return tuple(int(size) for axis, size in enumerate(self.taken.shape) if axis != self.batch_axis)


@dataclass(frozen=True, slots=True)
class Roles:
    """The tensors of a plain model.

    Attributes:
        token: the input of token ids, of one axis or two.
        states: what is carried from step to step.
        logits: the output that scores tokens, of two axes or three.
        time_axis: 0 or 1, where the time is in tokens of two axes and logits of three; the batch is on the other.
    """

    token: Port
    states: tuple[StateRole, ...]
    logits: Port
    time_axis: int


def find_roles(
    path: Path,
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    vocabulary: int,
    named: NamedRoles,
    *,
    dynamo: bool = False,
) -> Roles:
    """Tell the tensors apart.

    Args:
        path: the model's file, for the error.
        inputs: what it takes.
        outputs: what it gives.
        vocabulary: tokens in the vocabulary.
        named: what a person said.
        dynamo: whether torch's newer exporter wrote the file, for the remedy.

    Raises:
        AdoptionError: a name is not there, a role is open, or a tensor's type or shape does not fit its role.
    """
    taken, given = {port.name: port for port in inputs}, {port.name: port for port in outputs}
    for name in (named.token, *named.states):
        if name is not None and name not in taken:
            raise AdoptionError(path, [f"there is no input {name}; its inputs are {_list(inputs)}"])
    for name in (named.logits, *named.states.values()):
        if name is not None and name not in given:
            raise AdoptionError(path, [f"there is no output {name}; its outputs are {_list(outputs)}"])
    token = taken[named.token] if named.token is not None else _token(path, inputs)
    states = [port for port in inputs if port is not token]
    if not states:
        raise AdoptionError(
            path,
            [
                f"takes {_list(inputs)} and no state, so it cannot be stepped: export a forward(tokens, h, c) that "
                "takes the state and gives the new one; an exporter leaves out a state that the network does not use"
            ],
        )
    candidates = [port for port in outputs if port.name != named.logits]
    pairs = pair_by_name(states, candidates, named.states)
    logits = given[named.logits] if named.logits is not None else _logits(path, outputs, pairs, vocabulary)
    pairs = pair_by_shape(states, [port for port in outputs if port is not logits], pairs)
    pairs |= _pairs_in_order(path, states, outputs, pairs, logits)
    problems: list[str] = []
    roles = [_state(taken[name], given[pairs[name]], problems) for name in (port.name for port in states)]
    time_axis = 0 if named.time_first or _time_first(token, states) else 1
    problems += [*_token_problems(token, time_axis), *_logits_problems(logits, vocabulary, time_axis)]
    if problems:
        fixed = any(mark in problem for problem in problems for mark in _FIXED)
        before, after = states, [given[pairs[port.name]] for port in states]
        remedy = dynamic_export(path, (token, *before), (logits, *after), time_axis, dynamo=dynamo) if fixed else ""
        raise AdoptionError(path, problems, remedy)
    return Roles(token, tuple(role for role in roles if role is not None), logits, time_axis)


def _token(path: Path, inputs: Sequence[Port]) -> Port:
    integers = [port for port in inputs if port.data_type in _INTEGERS]
    if len(integers) != 1:
        found = "none" if not integers else _list(integers)
        raise AdoptionError(
            path,
            [
                f"expected one input of token ids (int64 or int32), found {found} among {_list(inputs)}; "
                "--input-token NAME tells which"
            ],
        )
    return integers[0]


def _logits(path: Path, outputs: Sequence[Port], pairs: Mapping[str, str], vocabulary: int) -> Port:
    free = [port for port in outputs if port.name not in pairs.values()]
    for fitting in (
        [port for port in free if "logit" in port.name.lower()],
        [port for port in free if port.shape[-1:] == (vocabulary,)],
        free,
    ):
        if len(fitting) == 1:
            return fitting[0]
    raise AdoptionError(path, [f"which of {_list(free) or 'no outputs'} are the logits? --logits NAME tells"])


def _pairs_in_order(
    path: Path, states: Sequence[Port], outputs: Sequence[Port], pairs: Mapping[str, str], logits: Port
) -> dict[str, str]:
    """What names and shapes left open, in the order in which torch's modules take and give states."""
    waiting = [port for port in states if port.name not in pairs]
    free = [port for port in outputs if port.name not in pairs.values() and port is not logits]
    if len(waiting) != len(free):
        raise AdoptionError(
            path,
            [
                f"expected an output for every state: {_list(waiting) or 'no inputs'} on one side, "
                f"{_list(free) or 'no outputs'} on the other; --state IN=OUT pairs them"
            ],
        )
    return {before.name: after.name for before, after in zip(waiting, free, strict=True)}


def _state(taken: Port, given: Port, problems: list[str]) -> StateRole | None:
    problems += [
        f"state {port}: expected float32; call model.float() before the export"
        for port in (taken, given)
        if port.data_type != "float32"
    ]
    if len(taken.dynamic) != 1:
        problems.append(
            f"state {taken}: expected one axis of variable size, the batch, as in [2, batch, 512], "
            f"found {len(taken.dynamic)}"
        )
        return None
    axis = taken.dynamic[0]
    unlike = len(taken.shape) != len(given.shape) or any(
        isinstance(after, int) and after != before
        for place, (before, after) in enumerate(zip(taken.shape, given.shape, strict=True))
        if place != axis
    )
    if unlike:
        problems.append(f"state {taken} becomes {given}: expected the same shape")
    elif isinstance(given.shape[axis], int):
        problems.append(f"state {given}: its batch is fixed at {given.shape[axis]}; declare axis {axis} dynamic")
    return StateRole(taken, given, axis)


def _time_first(token: Port, states: Sequence[Port]) -> bool:
    """Whether of the tokens' axes the second alone has the name of the states' batch."""
    if len(token.shape) != 2:
        return False
    batches = {state.shape[axis] for state in states for axis in state.dynamic}
    first, second = token.shape
    return second in batches and first not in batches


def _token_problems(token: Port, time_axis: int) -> list[str]:
    if token.data_type not in _INTEGERS:
        return [f"input {token}: expected token ids, int64 or int32"]
    if len(token.shape) not in (1, 2):
        return [f"input {token}: expected [batch, time] or [batch]"]
    batch_axis = 1 - time_axis if len(token.shape) == 2 else 0
    if batch_axis not in token.dynamic:
        return [f"input {token}: its batch is fixed at {token.shape[batch_axis]}; declare axis {batch_axis} dynamic"]
    if len(token.shape) == 2 and token.shape[time_axis] != 1 and time_axis not in token.dynamic:
        return [f"input {token}: its time is fixed at {token.shape[time_axis]}; it must be 1 or variable"]
    return []


def _logits_problems(logits: Port, vocabulary: int, time_axis: int) -> list[str]:
    if logits.data_type != "float32":
        return [f"logits {logits}: expected float32"]
    if len(logits.shape) not in (2, 3):
        return [f"logits {logits}: expected [batch, time, {vocabulary}] or [batch, {vocabulary}]"]
    problems = []
    width = logits.shape[-1]
    if isinstance(width, int) and width != vocabulary:
        problems.append(
            f"logits {logits}: a score for each of {width} tokens, but the vocabulary has {vocabulary}; "
            + width_hint(width, vocabulary)
        )
    axis = 1 - time_axis if len(logits.shape) == 3 else 0
    if isinstance(logits.shape[axis], int):
        problems.append(f"logits {logits}: the batch is fixed at {logits.shape[axis]}; declare axis {axis} dynamic")
    return problems


def _list(ports: Sequence[Port]) -> str:
    return ", ".join(map(str, ports))
