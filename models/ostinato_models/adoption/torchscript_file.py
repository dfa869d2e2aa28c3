"""Reading a TorchScript file that somebody else wrote."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ostinato_models.adoption.errors import AdoptionError, reason
from ostinato_models.adoption.onnx_file import Port
from ostinato_models.adoption.roles import Roles, StateRole
from ostinato_models.export.execution import Array, Arrays

Shape = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class TorchScriptFile:
    """A module ``forward(tokens, state…) -> logits, state…``; its tensors are told apart by their order.

    Attributes:
        path: the file.
        module: what it holds.
        states: name and shape of every state, ``batch`` where the batch is.
    """

    path: Path
    module: torch.jit.ScriptModule
    states: tuple[Port, ...]

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
        given = [torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in ("tokens", *self._names())]
        with torch.inference_mode():
            results = self.module(*given)
        if not isinstance(results, tuple) or not all(isinstance(result, torch.Tensor) for result in results):
            raise TypeError(f"expected a tuple of tensors, logits and {', '.join(self._names())}")
        if len(results) != 1 + len(self.states):
            raise TypeError(f"expected {1 + len(self.states)} results, logits and states, found {len(results)}")
        logits, *states = results
        following = dict(zip((f"next {name}" for name in self._names()), states, strict=True))
        return {name: value.numpy() for name, value in {"logits": logits, **following}.items()}

    def _names(self) -> list[str]:
        return [state.name for state in self.states]


def read_torchscript(path: Path, shapes: Sequence[Shape]) -> TorchScriptFile:
    """Read a module.

    Args:
        path: the file.
        shapes: of every state, ``batch`` where the batch is; none to tell them by torch's recurrent layers.

    Raises:
        AdoptionError: the file is missing or no TorchScript, forward does not take tensors, or shapes are missing.
    """
    if not path.is_file():
        raise AdoptionError(path, ["there is no such file"])
    try:
        with warnings.catch_warnings():  # TorchScript is deprecated upstream
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        arguments = module.forward.schema.arguments[1:]
    except (RuntimeError, ValueError, AttributeError) as error:
        problem = f"is no TorchScript module ({reason(error)}); an ONNX file is given by --from-onnx"
        raise AdoptionError(path, [problem]) from error
    module.eval()
    wrong = [f"{argument.name}: {argument.type}" for argument in arguments if str(argument.type) != "Tensor"]
    if wrong or len(arguments) < 2:
        found = ", ".join(f"{argument.name}: {argument.type}" for argument in arguments)
        raise AdoptionError(path, [f"expected forward(tokens, h, c) or forward(tokens, h) of tensors, found ({found})"])
    names = [argument.name for argument in arguments[1:]]
    told = list(shapes) or [_layers(path, module)] * len(names)
    if len(told) != len(names):
        raise AdoptionError(path, [f"has {len(names)} states ({', '.join(names)}), but {len(told)} shapes are given"])
    states = tuple(Port(name, "float32", shape) for name, shape in zip(names, told, strict=True))
    return TorchScriptFile(path, module, states)


def _layers(path: Path, module: torch.jit.ScriptModule) -> Shape:
    """(layers, batch, hidden size) by the recurrent weights of one `nn.LSTM`, `nn.GRU` or `nn.RNN`."""
    weights = [value for name, value in module.named_parameters() if re.search(r"weight_hh_l[0-9]+$", name)]
    names = " ".join(name for name, _ in module.named_parameters())
    sizes = {int(value.shape[1]) for value in weights}
    if len(sizes) != 1 or "_reverse" in names or "weight_hr_l" in names:
        raise AdoptionError(
            path,
            ["the states' shapes cannot be told by its weights; give one --state-shape 2,batch,512 for each state"],
        )
    return len(weights), "batch", sizes.pop()
