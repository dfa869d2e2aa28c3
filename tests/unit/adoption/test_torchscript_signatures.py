"""What forward may take and give: the signatures of torch's own layers, compiled and traced."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from tests.unit.adoption.owners import (
    Dictionary,
    Listed,
    LogitsLast,
    Nested,
    OptionalNested,
    OptionalTensor,
    Stateless,
    TokensLast,
    WithLengths,
    examples,
    letters,
    save_script,
)
from torch import Tensor, nn

from ostinato_models.adoption.adopt import adopt_torchscript
from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.torchscript_file import read_torchscript
from ostinato_models.export.execution import run_module

TOKENS, H, C = examples()


class Pairs(nn.Module):
    """Two layers, each with its own pair of states, which come back in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 4)
        self.first = nn.LSTM(4, 5, batch_first=True)
        self.second = nn.LSTM(5, 6, batch_first=True)
        self.output = nn.Linear(6, 11)

    def forward(
        self, x: Tensor, hidden: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        outputs, first = self.first(self.embedding(x), hidden[0])
        outputs, second = self.second(outputs, hidden[1])
        return self.output(outputs), [first, second]


@pytest.mark.parametrize(
    ("module", "example", "states"),
    [
        (Nested(), None, ["hidden[0]", "hidden[1]"]),
        (Nested(), (TOKENS, (H, C)), ["hidden[0]", "hidden[1]"]),
        (Nested(), (TOKENS[:1, :1], (H[:, :1], C[:, :1])), ["hidden[0]", "hidden[1]"]),
        (OptionalNested(), None, ["hidden[0]", "hidden[1]"]),
        (OptionalNested(), (TOKENS, (H, C)), ["hidden[0]", "hidden[1]"]),
        (OptionalTensor("GRU"), None, ["hidden"]),
        (OptionalTensor("GRU"), (TOKENS, H), ["hidden"]),
        (Listed(), None, ["hidden[0]", "hidden[1]"]),
        (Listed(), (TOKENS, [H, C]), ["hidden[0]", "hidden[1]"]),
        (Pairs(), None, ["hidden[0][0]", "hidden[0][1]", "hidden[1][0]", "hidden[1][1]"]),
    ],
)
def test_nested_and_optional_states_are_adopted(
    tmp_path: Path, module: nn.Module, example: tuple[object, ...] | None, states: list[str]
) -> None:
    found = adopt_torchscript(read_torchscript(save_script(tmp_path, module, example), []), letters(tmp_path))
    assert found.roles is not None
    assert [role.taken.name for role in found.roles.states] == states
    step, signature = found.graphs["step"]
    assert isinstance(step, torch.jit.ScriptModule)
    rows = 3
    inputs = {tensor.name: torch.zeros(rows, *tensor.shape[1:]).numpy() for tensor in signature.inputs}
    inputs |= {name: inputs[name].astype("int64") for name in ("token", "top_k")}
    assert run_module(step, signature)(inputs)["next_token"].shape == (rows,)


def test_shapes_of_an_optional_state_are_told_by_a_call_without_it(tmp_path: Path) -> None:
    path = save_script(tmp_path, OptionalNested())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.freeze(torch.jit.load(str(path)).eval()).save(str(path))  # type: ignore[no-untyped-call]
    assert [state.shape for state in read_torchscript(path, []).states] == [(2, "batch", 8), (2, "batch", 8)]


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        (Stateless(), r"takes \(x: Tensor\) and no state, so it cannot be stepped: .*torch\.jit\.trace must be given"),
        (WithLengths(), r"takes 3 tensors besides the tokens \(lengths, hidden\[0\], hidden\[1\]\), .* weights have 2"),
        (Dictionary(), r"gives a dictionary \(logits, h, c\); expected a tuple: return logits, \(h, c\) from forward"),
        (LogitsLast(), r"its result for c, after the logits, has the shape \[5, 1, 11\], expected \[2, 5, 8\]"),
        (TokensLast(), r"forward was given token ids \(int64 \[batch, time\]\) first, then the states: c .*, x "),
    ],
)
def test_other_signatures_are_refused_with_what_to_change(tmp_path: Path, module: nn.Module, problem: str) -> None:
    with pytest.raises(AdoptionError, match=problem):
        adopt_torchscript(read_torchscript(save_script(tmp_path, module), []), letters(tmp_path))


class Words(nn.Module):
    def forward(self, tokens: list[int], h: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tensor(tokens) + h, h


class Mapped(nn.Module):
    def forward(self, tokens: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        return tokens + state["h"], state


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        (Words(), r"found \(tokens: List\[int\], h: Tensor\): the first argument must take the token ids"),
        (Mapped(), r"found \(tokens: Tensor, state: Dict\[str, Tensor\]\): state is neither"),
    ],
)
def test_other_types_are_refused_by_name(tmp_path: Path, module: nn.Module, problem: str) -> None:
    with pytest.raises(AdoptionError, match=problem):
        read_torchscript(save_script(tmp_path, module), [])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.02), (torch.bfloat16, 0.1), (torch.float64, 1e-4)])
def test_weights_of_other_types_are_cast_and_held_against_the_owners(
    tmp_path: Path, dtype: torch.dtype, tolerance: float
) -> None:
    found = adopt_torchscript(read_torchscript(save_script(tmp_path, Nested().to(dtype)), []), letters(tmp_path))
    name = str(dtype).removeprefix("torch.")
    assert found.facts["precision"] == f"{name} weights, computed in float32"
    (record,) = (row for row in found.parity if row.what == "the model reading in one call and token by token")
    assert record.tolerance == tolerance
    assert (record.max_abs_difference > 1e-5) == (dtype != torch.float64)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layers", [{nn.LSTM, nn.Linear}, {nn.Linear}])
def test_dynamically_quantised_module_is_refused_with_the_reason(tmp_path: Path, layers: set[type]) -> None:
    quantize = torch.ao.quantization.quantize_dynamic
    module = quantize(Nested().eval(), layers, dtype=torch.qint8)  # type: ignore[no-untyped-call]
    problem = r"is quantised dynamically \(quantized::linear_dynamic.*\): its operators compute one scale .*float model"
    with pytest.raises(AdoptionError, match=problem):
        read_torchscript(save_script(tmp_path, module), [])
