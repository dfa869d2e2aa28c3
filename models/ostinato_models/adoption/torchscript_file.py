"""Reading a TorchScript file that somebody else wrote."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ostinato_models.adoption.errors import AdoptionError, reason
from ostinato_models.adoption.file_kinds import describe_file
from ostinato_models.adoption.onnx_file import DYNAMIC_QUANTIZATION, Port
from ostinato_models.adoption.plain import EXACT_LIMIT
from ostinato_models.adoption.roles import Roles, StateRole
from ostinato_models.adoption.torchscript_structure import (
    Nest,
    Shape,
    UnsupportedTypeError,
    flatten,
    list_sizes,
    nest_of,
    recurrent_layers,
)
from ostinato_models.export.execution import Array, Arrays

LIMITS = {torch.float32: EXACT_LIMIT, torch.float64: EXACT_LIMIT, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""How far a module in float32 may be from the owner's, relative to values above 1, by the owner's type."""

_EXPECTED = "expected forward(tokens, (h, c)) or forward(tokens, h) of tensors, tuples and lists of tensors"
_QUANTIZED = ("quantized::linear_dynamic", "aten::quantized_lstm", "aten::quantized_gru")
_FLOAT16_ONLY = 5
"""What torch calls float16 in a dynamically quantised module, whose activations stay float32."""

_TRAITS = {
    "positions": ("aten::arange", "aten::cumsum"),
    "attention": ("aten::softmax", "aten::scaled_dot_product_attention"),
    "convolution": ("aten::conv1d", "aten::_convolution"),
}
_STATELESS = """\
def forward(self, tokens: Tensor, hidden: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    outputs, hidden = self.lstm(self.embedding(tokens), hidden)  # the state goes in and comes out
    return self.output(outputs), hidden
"""


@dataclass(frozen=True, slots=True)
class TorchScriptFile:
    """A module ``forward(tokens, state…) -> logits, state…``; its tensors are told apart by their order.

    States may be nested in tuples and lists, and so may results.

    Attributes:
        path: the file.
        module: what it holds, computing in float32.
        owners: the same in the type of its weights.
        states: name and shape of every state, ``batch`` where the batch is.
        nests: how forward takes them, an argument each.
        dtype: the type of its weights.
        traits: what of its structure may make steps differ from whole sequences.
    """

    path: Path
    module: torch.jit.ScriptModule
    owners: torch.jit.ScriptModule
    states: tuple[Port, ...]
    nests: tuple[Nest, ...]
    dtype: torch.dtype
    traits: frozenset[str]

    @property
    def limit(self) -> float:
        """How far results may be from the owner's, relative to values above 1."""
        return LIMITS[self.dtype]

    def roles(self, vocabulary: int, time_first: bool) -> Roles:
        """Which tensor is which."""
        times = ("time", "batch") if time_first else ("batch", "time")
        return Roles(
            Port("tokens", "int64", times),
            tuple(
                StateRole(state, Port(f"next {state.name}", state.data_type, state.shape), state.dynamic[0])
                for state in self.states
            ),
            Port("logits", "float32", (*times, vocabulary)),
            0 if time_first else 1,
        )

    def run(self, inputs: Arrays) -> dict[str, Array]:
        """Run the module once, by the names that its roles give."""
        return self._run(self.module, torch.float32, inputs)

    def run_owners(self, inputs: Arrays) -> dict[str, Array]:
        """As `run`, in the type of the owner's weights; what goes in and comes out is float32."""
        return self._run(self.owners, self.dtype, inputs)

    def _run(self, module: torch.jit.ScriptModule, dtype: torch.dtype, inputs: Arrays) -> dict[str, Array]:
        tokens, *states = (torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in ("tokens", *self._names()))
        with torch.inference_mode():
            results = flatten(module(tokens, *nested(self.nests, [state.to(dtype) for state in states])))
        if len(results) != 1 + len(self.states):
            shapes = ", ".join(str(list(result.shape)) for result in results)
            raise TypeError(
                f"expected {1 + len(self.states)} results, logits and {', '.join(self._names())}, found {len(results)} "
                f"of shapes {shapes}; let forward return logits, then each new state"
            )
        for state, result in zip(self.states, results[1:], strict=True):
            if tuple(result.shape) != inputs[state.name].shape:
                raise TypeError(
                    f"its result for {state.name}, after the logits, has the shape {list(result.shape)}, expected "
                    f"{list(inputs[state.name].shape)} as it goes in; let forward return logits, then each new state "
                    "in the order of its arguments"
                )
        following = dict(zip((f"next {name}" for name in self._names()), results[1:], strict=True))
        return {name: value.float().numpy() for name, value in {"logits": results[0], **following}.items()}

    def _names(self) -> list[str]:
        return [state.name for state in self.states]


def nested(nests: Sequence[Nest], states: Sequence[Tensor]) -> list[Any]:
    """States in a row, as the arguments of forward."""
    tensors = iter(states)
    return [nest.put(tensors) for nest in nests]


def read_torchscript(path: Path, shapes: Sequence[Shape]) -> TorchScriptFile:
    """Read a module.

    Args:
        path: the file.
        shapes: of every state, ``batch`` where the batch is; none to tell them by torch's recurrent layers.

    Raises:
        AdoptionError: the file is missing or not TorchScript, forward does not take tensors, the module is quantised
            dynamically, or shapes are missing.
    """
    if not path.is_file():
        raise AdoptionError(path, ["there is no such file"])
    module = _load(path)
    _check_quantization(path, module)
    nests = _nests(path, module, len(shapes))
    names = [name for nest in nests for name in nest.names()]
    dtype = _dtype(module)
    owners = module if dtype == torch.float32 else _load(path)
    if owners is not module:
        module.float()
    told = list(shapes) or _shapes(path, module, names)
    if len(told) != len(names):
        raise AdoptionError(path, [f"has {len(names)} states ({', '.join(names)}), but {len(told)} shapes are given"])
    states = tuple(Port(name, "float32", shape) for name, shape in zip(names, told, strict=True))
    return TorchScriptFile(path, module, owners, states, nests, dtype, _traits(module))


def _load(path: Path) -> torch.jit.ScriptModule:
    try:
        with warnings.catch_warnings():  # TorchScript is deprecated upstream
            warnings.simplefilter("ignore", DeprecationWarning)
            module: torch.jit.ScriptModule = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        _arguments(module)
    except (RuntimeError, ValueError, AttributeError) as error:
        described = describe_file(path)
        if described.what.startswith("is a TorchScript"):
            problem = f"is a TorchScript module that this torch does not load: {reason(error)}; save it again"
            raise AdoptionError(path, [problem]) from error
        raise AdoptionError(path, [f"is not a TorchScript module: it {described.what}"], described.remedy) from error
    module.eval()
    return module


def _nests(path: Path, module: torch.jit.ScriptModule, shapes: int) -> tuple[Nest, ...]:
    """How forward takes its states; arguments after them that have defaults are left out."""
    arguments = _arguments(module)
    declared = ", ".join(f"{argument.name}: {argument.type}" for argument in arguments)
    if not arguments or str(arguments[0].type) != "Tensor":
        raise AdoptionError(path, [f"{_EXPECTED}, found ({declared}): the first argument must take the token ids"])
    layers = recurrent_layers(module)
    nests: list[Nest] = []
    for argument in arguments[1:]:
        sizes = [shapes] if shapes and not nests else list_sizes(layers, argument.type)
        try:
            nests.append(nest_of(argument.name, argument.type, iter(sizes)))
        except UnsupportedTypeError:
            if argument.has_default_value() and nests:
                break
            problem = f"{_EXPECTED}, found ({declared}): {argument.name} is neither, or a list of unknown length"
            raise AdoptionError(path, [f"{problem}; --state-shape once for each state tells how long"]) from None
    if not nests:
        problem = (
            f"takes ({declared}) and no state, so it cannot be stepped: let forward take the state and give the new "
            "one; torch.jit.trace must be given an example of the state too"
        )
        raise AdoptionError(path, [problem], _STATELESS)
    return tuple(nests)


def _arguments(module: torch.jit.ScriptModule) -> list[Any]:
    """What forward takes.

    Raises:
        AttributeError: there is no forward.
    """
    forward: Any = module.forward
    return list(forward.schema.arguments[1:])


def _check_quantization(path: Path, module: torch.jit.ScriptModule) -> None:
    graph: Any = module.inlined_graph
    kinds = [kind for kind in _QUANTIZED if graph.findAllNodes(kind)]
    types = {kind for part in module.modules() if isinstance(kind := getattr(part, "dtype", None), int)}
    if kinds and types != {_FLOAT16_ONLY}:
        raise AdoptionError(path, [f"is quantised dynamically ({', '.join(kinds)}): {DYNAMIC_QUANTIZATION}"])


def _dtype(module: torch.jit.ScriptModule) -> torch.dtype:
    """The type that most of its weights have."""
    types = Counter(value.dtype for value in module.state_dict().values() if value.dtype in LIMITS)
    return types.most_common(1)[0][0] if types else torch.float32


def _traits(module: torch.jit.ScriptModule) -> frozenset[str]:
    graph: Any = module.inlined_graph
    found = {trait for trait, kinds in _TRAITS.items() if any(graph.findAllNodes(kind) for kind in kinds)}
    if any(name.endswith("_reverse") for name, _ in module.named_parameters()):
        found.add("bidirectional")
    return frozenset(found)


def _shapes(path: Path, module: torch.jit.ScriptModule, names: Sequence[str]) -> list[Shape]:
    """The shapes of the states by the recurrent weights, else by what forward gives when it is not given any."""
    by_weights = [shape for layer in recurrent_layers(module) for shape in layer.shapes]
    if len(by_weights) == len(names):
        return by_weights
    if len(set(by_weights)) == 1 and len(names) < len(by_weights):
        return by_weights[: len(names)]
    try:
        return _by_result(module, len(names))
    except (RuntimeError, TypeError, ValueError):
        found = f"its recurrent weights have {len(by_weights)}" if by_weights else "it has no recurrent weights"
        problem = (
            f"the states' shapes cannot be told: forward takes {len(names)} tensors besides the tokens "
            f"({', '.join(names)}), and {found}; let forward take tokens and states alone, "
            "and give one --state-shape 2,batch,512 for each state"
        )
        raise AdoptionError(path, [problem]) from None


def _by_result(module: torch.jit.ScriptModule, count: int) -> list[Shape]:
    """Let an optional state out, for 2 rows and for 3: the axis that differs is the batch.

    Raises:
        RuntimeError: the state is not optional, or the module fails.
        TypeError: the results are not tensors.
        ValueError: they are more or fewer, or have no such axis.
    """
    with torch.inference_mode():
        two, three = (flatten(module(torch.zeros(rows, 1, dtype=torch.long)))[1:] for rows in (2, 3))
    shapes: list[Shape] = []
    for few, many in zip(two, three, strict=True):
        sizes = zip(few.shape, many.shape, strict=True)
        shapes.append(tuple("batch" if (before, after) == (2, 3) else int(before) for before, after in sizes))
    if len(shapes) != count or any(shape.count("batch") != 1 for shape in shapes):
        raise ValueError(shapes)
    return shapes
