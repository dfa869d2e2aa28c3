"""Several steps in one run: an ONNX Scan around a step graph, made when the model is loaded.

Between two runs the engine's thread has to take the interpreter back, and waits for it while the event loop is busy.
Within a run it does not need it. The step graph stays as it is and becomes the body: what it draws it reads next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ostinato_server.runtime.onnx_schema import ATTRIBUTE_GRAPH, ATTRIBUTE_INTEGER, CLASSES, Model

FIRST, LAST = "first/", "last/"
"""Prefixes of what the run begins with and ends with; the body's own names may not be used outside it."""

UNIFORMS, TOKENS, LOGPROBS = "run/uniforms", "run/tokens", "run/logprobs"
"""One row a step: random numbers in, tokens and log-probabilities out, each (steps, batch)."""

_CHOSEN = "run/chosen"


def several_steps(content: bytes, states: Sequence[str]) -> bytes:
    """Makes the graph.

    Its inputs are the step's, with `FIRST` before the token and the states, and `UNIFORMS` in place of ``uniform``.
    It gives `TOKENS`, `LOGPROBS` and, with `LAST` before their names, the states.

    Args:
        content: A step graph that samples, as a serialized ``onnx.ModelProto``.
        states: Names of its state inputs.
    """
    model = Model()
    model.ParseFromString(content)
    (step,) = model.field_7
    body = CLASSES["Graph"]()
    body.CopyFrom(step)
    inputs = {value.name: value for value in step.field_11}
    outputs = {value.name: value for value in step.field_12}
    carried = ["token", *states]
    following = [f"next_{name}" for name in carried]

    copy = body.field_1.add(op_type="Identity")  # a result is either carried on or collected
    copy.input.append("next_token")
    copy.output.append(_CHOSEN)
    _declare(body.field_11, [_named(inputs[name], name) for name in (*carried, "uniform")])
    collected = [_named(outputs["next_token"], _CHOSEN), outputs["logprob"]]
    _declare(body.field_12, [*(outputs[name] for name in following), *collected])

    run = CLASSES["Graph"](name=step.name)
    scan = run.field_1.add(op_type="Scan")
    scan.input.extend([*(FIRST + name for name in carried), UNIFORMS])
    scan.output.extend([*(LAST + name for name in carried), TOKENS, LOGPROBS])
    scan.field_5.add(name="body", type=ATTRIBUTE_GRAPH).field_6.append(body)
    scan.field_5.add(name="num_scan_inputs", type=ATTRIBUTE_INTEGER, i=1)
    untouched = [value for name, value in inputs.items() if name not in (*carried, "uniform")]
    _declare(
        run.field_11,
        [*untouched, *(_named(inputs[name], FIRST + name) for name in carried), _unshaped(inputs["uniform"], UNIFORMS)],
    )
    _declare(
        run.field_12,
        [
            *(_named(inputs[name], LAST + name) for name in states),
            _unshaped(outputs["next_token"], TOKENS),
            _unshaped(outputs["logprob"], LOGPROBS),
        ],
    )
    step.CopyFrom(run)
    changed: bytes = model.SerializeToString()
    return changed


def _declare(field: Any, values: Sequence[Any]) -> None:
    kept = [_named(value, value.name) for value in values]
    del field[:]
    field.extend(kept)


def _named(value: Any, name: str) -> Any:
    """The same type and shape under another name."""
    other = CLASSES["Value"]()
    other.CopyFrom(value)
    other.name = name
    return other


def _unshaped(value: Any, name: str) -> Any:
    """The same element type under another name, of any shape."""
    (kind,) = value.field_2
    (tensor,) = kind.field_1
    other = CLASSES["Value"](name=name)
    other.field_2.add().field_1.add(element=tensor.element)
    return other
