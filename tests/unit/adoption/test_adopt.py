"""From a file and a vocabulary to a bundle: what is adopted, how it computes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.unit.adoption.plain import HIDDEN, VOCABULARY, Plain

from ostinato_bundle import open_bundle
from ostinato_models.adoption.adopt import Adopted, adopt_onnx
from ostinato_models.adoption.bundle import Statement, write_adopted
from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.roles import NamedRoles
from ostinato_models.adoption.vocabulary import AdoptedVocabulary, ReservedTokens, read_characters, read_tokenizer
from ostinato_models.export.errors import ExportError
from ostinato_models.export.execution import open_onnx
from ostinato_models.export.graphs import graphs_of, onnx_model
from ostinato_models.export.source import load_bundle
from ostinato_models.export.untrained import untrained_generator
from ostinato_models.export.writer import Target

LETTERS = "abcdefghijk"


def letters(folder: Path, entries: list[str] | None = None) -> AdoptedVocabulary:
    path = folder / "letters.txt"
    path.write_text("\n".join(entries or LETTERS) + "\n")
    return read_characters(path, ReservedTokens())


def adopted(folder: Path, plain: Plain, named: NamedRoles | None = None) -> Adopted:
    return adopt_onnx(plain.save(folder), letters(folder), named or NamedRoles())


@pytest.mark.parametrize(
    ("plain", "prompts"),
    [
        (Plain(), "in one call"),
        (Plain(token_type=TensorProto.INT32), "in one call"),
        (Plain(behind="LogSoftmax"), "in one call"),
        (Plain(shapes={"tokens": ("batch", 1)}), "step by step: it takes one token at a time"),
        (Plain(names={"tokens": "token", "h": "state_0", "hn": "logprob", "logits": "top_tokens"}), "in one call"),
        (Plain(names={"y": "given/tokens", "top": "sizes_1"}), "in one call"),
        (Plain(shapes={"logits": ("b", "t", "v"), "hn": ("l", "b", "h")}), "in one call"),
        (Plain(opset=22), "in one call"),
        (Plain(time_first=True), "in one call"),
        (Plain(time_first=True, shapes={"tokens": (1, "batch")}), "step by step: it takes one token at a time"),
    ],
)
def test_plain_models_are_adopted_whatever_they_call_things(tmp_path: Path, plain: Plain, prompts: str) -> None:
    found = adopted(tmp_path, plain)
    assert found.prompts == prompts
    assert found.row_difference == 0
    assert ("prefill" in found.graphs) == (prompts == "in one call")
    assert [tensor.name for tensor in found.graphs["step"][1].inputs][:2] == ["token", "state_0"]
    assert found.graphs["step"][1].inputs[1].shape == (-1, 1, HIDDEN)
    assert {row.what for row in found.parity} >= {"log-probabilities (nats)", "a row alone and the same row in a batch"}


def test_reserved_tokens_are_never_chosen_wherever_their_ids_are(tmp_path: Path) -> None:
    entries = ["a", "b", "<unk>", *"defghij", "<pad>"]
    found = adopt_onnx(Plain().save(tmp_path), letters(tmp_path, entries), NamedRoles())
    model, signature = found.graphs["step"]
    rows = 400
    result = open_onnx(model.SerializeToString(), signature)(
        {
            "token": np.arange(rows) % VOCABULARY,
            "state_0": np.zeros((rows, 1, HIDDEN), np.float32),
            "temperature": np.full(rows, 50.0, np.float32),
            "top_k": np.zeros(rows, np.int64),
            "top_p": np.ones(rows, np.float32),
            "uniform": (np.arange(rows) / rows).astype(np.float32),
        }
    )
    assert set(result["next_token"].tolist()) == set(range(VOCABULARY)) - {2, 10}
    assert result["top_tokens"].shape == (rows, 9)
    np.testing.assert_allclose(np.exp(result["top_logprobs"]).sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize(
    ("plain", "problem"),
    [
        (Plain(behind="BatchMean"), "rows see each other: output .* of the same row is .* between a batch of 1 and"),
        (Plain(behind="Noise"), "gives something else for the same inputs"),
        (Plain(behind="Softmax"), "output logits holds probabilities; give what comes before the softmax"),
        (
            Plain(shapes={"h": (1, "batch", 5), "hn": (1, "batch", 5)}),
            r"cannot step a batch of 5 rows: .*ONNXRuntimeError",
        ),
        (Plain(extra_inputs=["dropout"]), "expected an output for every state: .*dropout"),
    ],
)
def test_models_that_would_not_serve_right_are_refused(tmp_path: Path, plain: Plain, problem: str) -> None:
    with pytest.raises(AdoptionError, match=problem):
        adopted(tmp_path, plain)


def test_vocabulary_of_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    few = letters(tmp_path, ["a", "b", "c"])
    problem = 'a score for each of 11 tokens, but the vocabulary has 3; 8 ids are missing: .*"<pad>": 0; .*<unused3>'
    with pytest.raises(AdoptionError, match=problem):
        adopt_onnx(Plain().save(tmp_path), few, NamedRoles())
    with pytest.raises(AdoptionError, match=r"expected scores of 3 tokens, .*; for 5 rows it gave \[5, 11\]"):
        adopt_onnx(Plain(shapes={"logits": ("batch", "time", "size")}).save(tmp_path), few, NamedRoles())


def test_vocabulary_that_is_larger_than_the_logits_is_refused_with_a_hint(tmp_path: Path) -> None:
    many = letters(tmp_path, [*LETTERS, "x"])
    with pytest.raises(AdoptionError, match="leave out the 1 tokens that the model was not trained with"):
        adopt_onnx(Plain().save(tmp_path), many, NamedRoles())


def test_bundle_opens_and_its_card_tells_what_was_found(tmp_path: Path) -> None:
    found = adopted(tmp_path, Plain())
    folder = write_adopted(
        found, Target(tmp_path / "repository", "mine", 3), Statement("Rhymes.", "MIT", "the command")
    )
    manifest = open_bundle(folder).manifest
    assert (manifest.name, manifest.version, manifest.description, manifest.license) == ("mine", 3, "Rhymes.", "MIT")
    assert (manifest.architecture["source"], manifest.architecture["GRU"]) == ("plain.onnx", 1)
    assert manifest.limits.max_alternatives == VOCABULARY
    card = (folder / "README.md").read_text()
    for expected in ("# mine, version 3", "Rhymes.", "the command", "Every bit of a row is the same", "Licence: MIT."):
        assert expected in card


def test_nothing_derives_from_an_adopted_bundle(tmp_path: Path) -> None:
    folder = write_adopted(adopted(tmp_path, Plain()), Target(tmp_path, "mine"), Statement("d", "l", "c"))
    with pytest.raises(ExportError, match=r"has no training\.json: no training of this project made it"):
        load_bundle(folder)


def contract_step(folder: Path) -> tuple[onnx.ModelProto, AdoptedVocabulary]:
    """A step of the contract: this project's own, of a network that was never trained."""
    source = untrained_generator()
    (folder / "tokenizer.json").write_text(source.tokenizer)
    return onnx_model(graphs_of(source), "step", "onnx"), read_tokenizer(folder / "tokenizer.json", ReservedTokens())


def save(folder: Path, model: onnx.ModelProto) -> Path:
    onnx.save(model, folder / "step.onnx")
    return folder / "step.onnx"


def test_step_of_the_contract_is_served_as_it_is(tmp_path: Path) -> None:
    model, vocabulary = contract_step(tmp_path)
    found = adopt_onnx(save(tmp_path, model), vocabulary, NamedRoles())
    assert found.roles is None
    assert found.graphs["step"][0] == model
    assert list(found.graphs) == ["step"]
    assert found.row_difference == 0


def test_step_with_narrow_integers_is_cast(tmp_path: Path) -> None:
    model, vocabulary = contract_step(tmp_path)
    wide = adopt_onnx(save(tmp_path, model), vocabulary, NamedRoles()).graphs["step"]
    narrow = adopt_onnx(save(tmp_path, with_int32_tokens(model)), vocabulary, NamedRoles()).graphs["step"]
    assert narrow[1] == wide[1]
    rows = 3
    inputs = {
        "token": np.array([1, 5, 9]),
        **{f"state_{index}": np.zeros((rows, 32), np.float32) for index in range(4)},
        "temperature": np.full(rows, 0.9, np.float32),
        "top_k": np.array([0, 4, 0]),
        "top_p": np.full(rows, 0.9, np.float32),
        "uniform": np.array([0.2, 0.5, 0.9], np.float32),
    }
    ours, theirs = (open_onnx(graph.SerializeToString(), signature)(inputs) for graph, signature in (narrow, wide))
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)


def with_int32_tokens(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same step as someone writes it who counts in 32 bits."""
    narrow = onnx.ModelProto()
    narrow.CopyFrom(model)
    graph = narrow.graph
    for node in graph.node:
        node.input[:] = [{"token": "token_64"}.get(name, name) for name in node.input]
        node.output[:] = [{"next_token": "next_64"}.get(name, name) for name in node.output]
    graph.node.insert(0, helper.make_node("Cast", ["token"], ["token_64"], to=TensorProto.INT64))
    graph.node.append(helper.make_node("Cast", ["next_64"], ["next_token"], to=TensorProto.INT32))
    graph.input[0].type.tensor_type.elem_type = TensorProto.INT32
    graph.output[0].type.tensor_type.elem_type = TensorProto.INT32
    return narrow


def test_every_tensor_that_breaks_the_contract_is_named_with_what_was_expected(tmp_path: Path) -> None:
    model, vocabulary = contract_step(tmp_path)
    graph = model.graph
    ports = {port.name: port for port in (*graph.input, *graph.output)}
    ports["temperature"].type.tensor_type.elem_type = TensorProto.DOUBLE
    ports["token"].type.tensor_type.shape.dim[0].dim_value = 1
    ports["next_state_1"].type.tensor_type.shape.dim[1].dim_value = 16
    graph.input.remove(ports["top_p"])
    graph.input.append(helper.make_tensor_value_info("speaker", TensorProto.FLOAT, ["batch"]))
    model.graph.node.append(helper.make_node("Identity", ["speaker"], ["top_p"]))
    nodes = sorted(graph.node, key=lambda node: node.output[0] != "top_p")
    del graph.node[:]
    graph.node.extend(nodes)
    with pytest.raises(AdoptionError) as refused:
        adopt_onnx(save(tmp_path, model), vocabulary, NamedRoles())
    problems = refused.value.problems
    assert problems[:3] == (
        "input token (int64 [1]): its batch is fixed at 1; export it with a dynamic axis 0",
        "input temperature (float64 [batch]): expected float32 [batch]",
        "input top_p is missing: expected float32 [batch]",
    )
    assert problems[3].startswith("input speaker (float32 [batch]) is not of the step contract, which has the inputs")
    assert problems[4] == "output next_state_1 (float32 [batch, 16]): expected float32 [batch, 32]"
    assert len(problems) == 5


def test_step_that_is_not_greedy_at_temperature_0_is_refused(tmp_path: Path) -> None:
    model, vocabulary = contract_step(tmp_path)
    graph = model.graph
    graph.node.insert(0, helper.make_node("Exp", ["temperature"], ["warm"]))
    for node in list(graph.node)[1:]:
        node.input[:] = [{"temperature": "warm"}.get(name, name) for name in node.input]
    with pytest.raises(AdoptionError, match="at temperature 0 the next token depends on uniform"):
        adopt_onnx(save(tmp_path, model), vocabulary, NamedRoles())


def test_names_are_not_asked_for_where_the_contract_gives_them(tmp_path: Path) -> None:
    model, vocabulary = contract_step(tmp_path)
    with pytest.raises(AdoptionError, match="follows the step contract, which names every tensor"):
        adopt_onnx(save(tmp_path, model), vocabulary, NamedRoles(token="token"))
