"""The step contract: what a graph must take and give to be stepped by the server."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ostinato_bundle import Tensor
from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.onnx_file import OnnxFile, Port
from ostinato_models.export.signatures import Signature, batch

SAMPLING: tuple[Tensor, ...] = (batch("temperature"), batch("top_k", "int64"), batch("top_p"), batch("uniform"))
"""What the server fills for every row, and the graph chooses the next token by."""

_STATE = re.compile(r"state_(\d+)")
_INTEGERS = ("int64", "int32")


def follows_step_contract(file: OnnxFile) -> bool:
    """Whether a graph means to follow the contract: it chooses tokens by itself, with a random number from outside."""
    return "next_token" in {port.name for port in file.outputs} or "uniform" in {port.name for port in file.inputs}


def step_signature(file: OnnxFile) -> Signature:
    """Check a graph against the contract.

    Integers may be 32 bits wide: they are cast (`ostinato_models.adoption.inclusion`).

    Returns:
        What the manifest says of the graph, in the contract's order.

    Raises:
        AdoptionError: tensors are missing, not of the contract, or of another type or shape; all are named.
    """
    inputs = {port.name: port for port in file.inputs}
    outputs = {port.name: port for port in file.outputs}
    problems: list[str] = []
    states = _states(inputs, problems)
    following = [batch(f"next_{state.name}", "float32", *state.shape[1:]) for state in states]
    alternatives = _alternatives(outputs, problems)
    takes = (batch("token", "int64"), *states, *SAMPLING)
    gives = (batch("next_token", "int64"), batch("logprob"), *alternatives, *following)
    for kind, ports, wanted in (("input", inputs, takes), ("output", outputs, gives)):
        for tensor in wanted:
            problems += _mismatch(kind, ports.get(tensor.name), tensor)
        names = {tensor.name for tensor in wanted}
        problems += [
            f"{kind} {port} is not of the step contract, which has the {kind}s {', '.join(sorted(names))}"
            for name, port in ports.items()
            if name not in names
        ]
    if problems:
        raise AdoptionError(file.path, problems)
    return Signature(takes, gives)


def _states(inputs: dict[str, Port], problems: list[str]) -> list[Tensor]:
    """The state inputs, of whatever size the file declares."""
    numbers = sorted(int(found[1]) for name in inputs if (found := _STATE.fullmatch(name)))
    if not numbers:
        problems.append("there is no state: expected inputs state_0, state_1 and so on, float32 [batch, …]")
    if numbers != list(range(len(numbers))):
        problems.append(f"the states must be numbered from 0 without a gap, not {', '.join(map(str, numbers))}")
    states = []
    for number in numbers:
        port = inputs[f"state_{number}"]
        sizes = [size for size in port.shape[1:] if isinstance(size, int)]
        if len(sizes) < len(port.shape) - 1:
            problems.append(f"input {port}: only the batch, its first axis, may be of variable size")
        states.append(batch(port.name, "float32", *sizes))
    return states


def _alternatives(outputs: dict[str, Port], problems: list[str]) -> tuple[Tensor, ...]:
    """The most probable tokens and their log-probabilities, which a graph may give; both or neither."""
    names = [name for name in ("top_tokens", "top_logprobs") if name in outputs]
    if not names:
        return ()
    width = outputs[names[0]].shape[-1]
    if len(names) < 2 or not isinstance(width, int):
        problems.append("top_tokens and top_logprobs must both be given, each [batch, A] with a fixed A, or neither")
        return ()
    return batch("top_tokens", "int64", width), batch("top_logprobs", "float32", width)


def _mismatch(kind: str, found: Port | None, wanted: Tensor) -> Sequence[str]:
    expected = f"{wanted.data_type} [{', '.join(['batch', *map(str, wanted.shape[1:])])}]"
    if found is None:
        return [f"{kind} {wanted.name} is missing: expected {expected}"]
    types = _INTEGERS if wanted.data_type == "int64" else (wanted.data_type,)
    # A size that the file leaves open in an output is checked when the graph runs.
    sizes = len(found.shape) == len(wanted.shape) and all(
        (isinstance(there, str) and kind == "output") or there == size
        for there, size in zip(found.shape[1:], wanted.shape[1:], strict=True)
    )
    if found.data_type not in types or not sizes:
        return [f"{kind} {found}: expected {expected}"]
    if found.shape and isinstance(found.shape[0], int):
        return [f"{kind} {found}: its batch is fixed at {found.shape[0]}; export it with a dynamic axis 0"]
    return []
