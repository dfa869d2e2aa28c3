"""A model that is stepped must be what its owner's graph is on whole sequences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from tests.unit.adoption.owners import (
    HIDDEN,
    CellFirst,
    Cells,
    Convolution,
    Flat,
    LastOnly,
    Nested,
    Noisy,
    OptionalTensor,
    Positional,
    Resetting,
    WordModel,
    examples,
    letters,
    save_onnx,
    save_script,
)
from tests.unit.adoption.plain import Plain
from torch import Tensor, nn

from ostinato_models.adoption.adopt import Adopted, adopt_onnx, adopt_torchscript
from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.roles import NamedRoles
from ostinato_models.adoption.torchscript_file import read_torchscript

WHOLE = "the model reading in one call and token by token"


def adopted_onnx(
    folder: Path, module: nn.Module, states: Mapping[str, str], named: NamedRoles | None = None
) -> Adopted:
    """Export with the outputs named as in `states`, h first, in the order of the mapping."""
    bidirectional = getattr(module.rnn, "bidirectional", False)
    path = save_onnx(
        folder, module, examples(directions=2 if bidirectional else 1), list(states), list(states.values())
    )
    return adopt_onnx(path, letters(folder), named or NamedRoles())


def adopted_script(
    folder: Path, module: nn.Module, example: tuple[object, ...] | None = None, *, time_first: bool = False
) -> Adopted:
    file = read_torchscript(save_script(folder, module, example), [])
    return adopt_torchscript(file, letters(folder), time_first=time_first)


@pytest.mark.parametrize(
    ("following", "paired"),
    [
        (("next_c0", "next_h0"), {"h0": "next_h0", "c0": "next_c0"}),
        (("cell", "hidden"), {"h0": "hidden", "c0": "cell"}),
        (("c_a", "b_h"), {"h0": "b_h", "c0": "c_a"}),
    ],
)
def test_names_pair_states_whatever_the_order_of_the_outputs(
    tmp_path: Path, following: tuple[str, str], paired: dict[str, str]
) -> None:
    path = save_onnx(tmp_path, CellFirst(), examples(), ("h0", "c0"), following)
    found = adopt_onnx(path, letters(tmp_path), NamedRoles())
    assert found.roles is not None
    assert {role.taken.name: role.given.name for role in found.roles.states} == paired
    assert found.prompts == "in one call"
    (record,) = (row for row in found.parity if row.what == WHOLE)
    assert (record.tolerance, record.cases, record.max_abs_difference <= 1e-6) == (1e-4, 5, True)


def test_wrong_pairing_is_refused_with_the_options_that_pair_right(tmp_path: Path) -> None:
    states = {"s1": "o1", "s2": "o2"}
    with pytest.raises(AdoptionError) as refused:
        adopted_onnx(tmp_path, CellFirst(), states)
    first, second = refused.value.problems
    assert first.startswith("read in one call, logits of 2 rows of 3 tokens differ by ")
    assert "at most 0.0001 is allowed" in first
    assert second == (
        "likely reason: states paired wrongly (s1 with o1, s2 with o2); "
        "the steps agree with s1 with o2, s2 with o1: --state s1=o2 --state s2=o1"
    )
    found = adopted_onnx(tmp_path, CellFirst(), states, NamedRoles(states={"s1": "o2", "s2": "o1"}))
    assert found.prompts == "in one call"


def test_names_that_are_wrong_are_refused_too(tmp_path: Path) -> None:
    with pytest.raises(AdoptionError, match=r"states paired wrongly .*--state h=c_out --state c=h_out"):
        adopted_onnx(tmp_path, CellFirst(), {"h": "h_out", "c": "c_out"})


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Flat(width=2 * HIDDEN, bidirectional=True), "it is bidirectional: a change of the last token changes"),
        (LastOnly(width=2 * HIDDEN, bidirectional=True), "it is bidirectional"),
        (Positional(), "its results depend on the position in the call"),
        (Convolution(), "its results depend on a convolution over time.*, which is not among its states"),
    ],
    ids=["bidirectional", "bidirectional, last logits", "positional", "convolution"],
)
@pytest.mark.parametrize("kind", ["onnx", "torchscript"])
def test_network_whose_steps_are_not_its_sequences_is_refused_with_the_likely_reason(
    tmp_path: Path, module: nn.Module, reason: str, kind: str
) -> None:
    if kind == "torchscript":
        reason = reason.replace("the position in the call", "(the position|something)")
    states = {"h": "h_out", "c": "c_out"}
    with pytest.raises(AdoptionError, match=f"differ by .*; at most 0.0001 is allowed; likely reason: {reason}"):
        adopted_onnx(tmp_path, module, states) if kind == "onnx" else adopted_script(tmp_path, module)


def test_order_of_a_torchscript_modules_states_is_checked(tmp_path: Path) -> None:
    problem = "states paired wrongly .*let forward return the new states in the order of its arguments"
    with pytest.raises(AdoptionError, match=problem):
        adopted_script(tmp_path, CellFirst())


def test_state_that_is_reset_inside_is_refused(tmp_path: Path) -> None:
    problem = "state h has no influence: .*The network starts from a state of its own in every call: pass the state on"
    with pytest.raises(AdoptionError, match=problem):
        adopted_script(tmp_path, Resetting())


def test_dropout_in_training_mode_is_refused(tmp_path: Path) -> None:
    problem = r"gives something else for the same inputs, off by .*dropout .*call model\.eval\(\)"
    with pytest.raises(AdoptionError, match=problem):
        adopted_script(tmp_path, Noisy())
    model = Plain(behind="Identity").model()
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(torch.tensor(0.5).numpy(), "ratio"))
    graph.initializer.append(numpy_helper.from_array(torch.tensor(True).numpy(), "training"))
    graph.node[-1].CopyFrom(helper.make_node("Dropout", ["raw", "ratio", "training"], ["logits"]))
    onnx.save(model, tmp_path / "dropout.onnx")
    with pytest.raises(AdoptionError, match=problem):
        adopt_onnx(tmp_path / "dropout.onnx", letters(tmp_path), NamedRoles())


@pytest.mark.parametrize("first", ["time", "batch"])
def test_exchanged_axes_are_refused_with_the_option_that_exchanges_them(tmp_path: Path, first: str) -> None:
    remedy = "add --time-first" if first == "time" else "leave out --time-first"
    problem = f"with the {first} as the first axis of the tokens it can be stepped: {remedy}"
    with pytest.raises(AdoptionError, match=problem):
        adopted_script(tmp_path, Nested(batch_first=first == "batch"), time_first=first == "batch")


@pytest.mark.parametrize(
    ("module", "time_first", "states"),
    [
        (Nested(), False, [(2, HIDDEN), (2, HIDDEN)]),
        (Nested(batch_first=False), True, [(2, HIDDEN), (2, HIDDEN)]),
        (Nested(dropout=0.5), False, [(2, HIDDEN), (2, HIDDEN)]),
        (Nested(proj_size=5, width=5), False, [(2, 5), (2, HIDDEN)]),
        (OptionalTensor("GRU"), False, [(2, HIDDEN)]),
        (OptionalTensor("RNN"), False, [(2, HIDDEN)]),
        (WordModel(), True, [(2, HIDDEN), (2, HIDDEN)]),
        (Cells(), False, [(HIDDEN,), (HIDDEN,), (HIDDEN + 1,)]),
        (LastOnly(), False, [(2, HIDDEN), (2, HIDDEN)]),
    ],
    ids=["LSTM", "time first", "dropout", "projection", "GRU", "RNN", "word model", "cells", "last logits"],
)
@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_networks_whose_steps_are_their_sequences_are_adopted(
    tmp_path: Path, module: nn.Module, time_first: bool, states: list[tuple[int, ...]]
) -> None:
    found = adopted_script(tmp_path, module, time_first=time_first)
    assert found.roles is not None
    assert [role.sizes for role in found.roles.states] == states
    (record,) = (row for row in found.parity if row.what == WHOLE)
    assert record.cases == 5


def test_loop_that_was_traced_for_one_token_is_stepped_and_for_three_refused(tmp_path: Path) -> None:
    def example(length: int) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        zeros = torch.zeros(2, HIDDEN)
        return torch.zeros(2, length, dtype=torch.long), (zeros, zeros), torch.zeros(2, HIDDEN + 1)

    found = adopted_script(tmp_path, Cells(), example(1))
    assert WHOLE not in {row.what for row in found.parity}
    assert found.prompts.startswith("step by step")
    with pytest.raises(AdoptionError, match="cannot step a batch of 5 rows"):
        adopted_script(tmp_path, Cells(), example(3))


@pytest.mark.parametrize("opset", [13, 14, 16, 18, 20])
def test_versions_of_operators_are_adopted(tmp_path: Path, opset: int) -> None:
    path = save_onnx(tmp_path, Flat(), examples(), opset=opset)
    assert adopt_onnx(path, letters(tmp_path), NamedRoles()).prompts == "in one call"


def test_model_of_fixed_time_needs_no_whole_sequences(tmp_path: Path) -> None:
    path = Plain(shapes={"tokens": ("batch", 1)}, token_type=TensorProto.INT32).save(tmp_path)
    found = adopt_onnx(path, letters(tmp_path), NamedRoles())
    assert WHOLE not in {row.what for row in found.parity}
