"""The export that leaves batch and time open, as Python code: what to do about a file whose sizes are fixed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ostinato_models.adoption.onnx_file import Port

_DYNAMO = """\
# Example inputs of 2 rows and 2 tokens or more: the exporter takes sizes of 0 and 1 for constants.
# Nest them, and dynamic_shapes, as forward takes them: (tokens, (h, c)).
batch, time = torch.export.Dim("batch"), torch.export.Dim("time")
torch.onnx.export(
    model.eval(),
    ({arguments}),
    {path!r},
    dynamo=True,
    input_names=[{inputs}],
    output_names=[{outputs}],
    dynamic_shapes=({shapes}),
)
"""

_LEGACY = """\
torch.onnx.export(
    model.eval(),
    ({arguments}),
    {path!r},
    dynamo=False,
    input_names=[{inputs}],
    output_names=[{outputs}],
    dynamic_axes={{
{axes}
    }},
)
"""


def dynamic_export(path: Path, inputs: Sequence[Port], outputs: Sequence[Port], time_axis: int, *, dynamo: bool) -> str:
    """The call of `torch.onnx.export` for these tensors.

    Args:
        path: the file to write.
        inputs: the tokens, then the states.
        outputs: the logits, then what the states become.
        time_axis: 0 or 1, where the time is in tokens of two axes and logits of three.
        dynamo: whether for torch's newer exporter, whose option is `dynamic_shapes`.
    """
    tokens, *states = inputs
    logits, *following = outputs
    axes: dict[str, Mapping[int, str]] = {tokens.name: _times(len(tokens.shape), 2, time_axis)}
    axes |= {state.name: {_batch_axis(state): "batch"} for state in states}
    taken = list(axes.values())
    axes[logits.name] = _times(len(logits.shape), 3, time_axis)
    axes |= {after.name: {_batch_axis(before): "batch"} for before, after in zip(states, following, strict=True)}
    names = {
        "arguments": ", ".join(re.sub(r"\W", "_", port.name) for port in inputs),
        "path": path.name,
        "inputs": ", ".join(repr(port.name) for port in inputs),
        "outputs": ", ".join(repr(port.name) for port in outputs),
    }
    if dynamo:
        shapes = ", ".join("{" + ", ".join(f"{axis}: {name}" for axis, name in found.items()) + "}" for found in taken)
        return _DYNAMO.format(**names, shapes=shapes)
    lines = "\n".join(f"        {name!r}: {dict(found)!r}," for name, found in axes.items())
    return _LEGACY.format(**names, axes=lines)


def _times(rank: int, both: int, time_axis: int) -> dict[int, str]:
    """Batch and time where a tensor has as many axes as one of both, else the batch alone."""
    return dict(sorted({1 - time_axis: "batch", time_axis: "time"}.items())) if rank == both else {0: "batch"}


def _batch_axis(state: Port) -> int:
    """Where the batch of a state is: its only open axis, else the second of three, as torch has it."""
    if len(state.dynamic) == 1:
        return state.dynamic[0]
    return 1 if len(state.shape) == 3 else 0
