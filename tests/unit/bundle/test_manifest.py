from typing import Any

import pytest
from pydantic import ValidationError

from ostinato_bundle import Graph, Limits, Manifest, Parity, Tensor, TokenizerFacts


def tensor(name: str, *sizes: int, data_type: str = "float32") -> dict[str, Any]:
    return {"name": name, "data_type": data_type, "shape": [-1, *sizes]}


def described(**changes: Any) -> dict[str, Any]:
    """A small manifest, as JSON would give it."""
    record = {"sha256": "0" * 64, "bytes": 1}
    return {
        "format_version": 1,
        "name": "char-lm",
        "version": 1,
        "task": "generation",
        "description": "d",
        "license": "l",
        "architecture": {"cell": "lstm", "hidden_size": 8},
        "tokenizer": {"kind": "character", "vocabulary_size": 4, "unknown_id": 0},
        "limits": {"max_text_characters": 10, "max_input_tokens": 10},
        "graphs": {
            "step": {
                "inputs": [tensor("token", data_type="int64"), tensor("state_0", 8), tensor("state_1", 8)],
                "outputs": [tensor("next_token", data_type="int64"), tensor("next_state_0", 8)],
                "artifacts": {"onnx": "step.onnx", "onnx-int8": "step.int8.onnx"},
            }
        },
        "provenance": {"command": "c", "seed": 1, "data_sets": {}, "libraries": {}},
        "files": {"step.onnx": record, "step.int8.onnx": record, "tokenizer.json": record},
        **changes,
    }


def read(**changes: Any) -> Manifest:
    import json

    return Manifest.model_validate_json(json.dumps(described(**changes)))


def test_complete_manifest_is_read() -> None:
    manifest = read()
    assert manifest.artifacts() == {"onnx", "onnx-int8"}
    assert [state.name for state in manifest.graphs["step"].state] == ["state_0", "state_1"]
    assert manifest.limits == Limits(max_text_characters=10, max_input_tokens=10)


TRANSLATOR = {
    "max_text_characters": 10,
    "max_input_tokens": 64,
    "max_new_tokens": 96,
    "new_tokens_per_input_token": 2.0,
    "new_tokens_extra": 10,
}


@pytest.mark.parametrize(("input_tokens", "most"), [(1, 12), (3, 16), (43, 96), (44, 96)])
def test_output_limit_grows_with_the_source(input_tokens: int, most: int) -> None:
    assert Limits.model_validate(TRANSLATOR).most_new_tokens(input_tokens) == most


def test_output_limit_rounds_a_part_of_a_token_up() -> None:
    limits = Limits.model_validate(TRANSLATOR | {"new_tokens_per_input_token": 1.5, "new_tokens_extra": 0})
    assert limits.most_new_tokens(3) == 5


def test_manifest_without_a_relative_output_limit_allows_max_new_tokens() -> None:
    limits = Limits(max_text_characters=10, max_input_tokens=64, max_new_tokens=96)
    assert limits.most_new_tokens(1) == 96


def test_manifest_survives_being_written_and_read() -> None:
    manifest = read()
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "format version 2; this program reads 1"),
        ({"name": "../etc"}, "name"),
        ({"name": "Upper"}, "name"),
        ({"version": 0}, "version"),
        ({"task": "vision"}, "task"),
        ({"task": "translation"}, "a translation model needs the graph encoder"),
        ({"task": "sentiment"}, "a sentiment model needs the graph classifier"),
        ({"files": {}}, "no sha256 for step.int8.onnx, step.onnx, tokenizer.json"),
        ({"files": {"../weights": {"sha256": "0" * 64, "bytes": 1}}}, "files"),
        ({"files": {"step.onnx": {"sha256": "xyz", "bytes": 1}}}, "sha256"),
        (
            {"tokenizer": {"kind": "character", "vocabulary_size": 4, "end_id": 4}},
            "end_id 4 is not in a vocabulary of 4",
        ),
        ({"surprise": 1}, "surprise"),
        ({"files": {f"f{number}": {"sha256": "0" * 64, "bytes": 1} for number in range(257)}}, "at most 256 items"),
        ({"files": {"step.onnx": {"sha256": "0" * 64, "bytes": 1 << 40}}}, "less than or equal to 8589934592"),
        ({"limits": {"max_text_characters": 0, "max_input_tokens": 10}}, "max_text_characters"),
        ({"limits": TRANSLATOR}, "new_tokens_per_input_token is for translation models, not generation"),
        (
            {"limits": {"max_text_characters": 10, "max_input_tokens": 10, "new_tokens_extra": 3}},
            "new_tokens_extra 3 needs new_tokens_per_input_token above 0",
        ),
    ],
)
def test_manifest_that_cannot_hold_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read(**changes)


def test_batch_comes_first_in_every_tensor() -> None:
    with pytest.raises(ValidationError, match="the first size must be the batch"):
        Tensor(name="state_0", data_type="float32", shape=(8, -1))


def test_state_must_come_back_in_its_own_shape() -> None:
    with pytest.raises(ValidationError, match="next_state_0 must have the type and shape of state_0"):
        Graph(
            inputs=(Tensor(name="state_0", data_type="float32", shape=(-1, 8)),),
            outputs=(Tensor(name="next_state_0", data_type="float32", shape=(-1, 9)),),
            artifacts={},
        )


def test_state_that_no_memory_could_hold_for_every_stream_is_refused() -> None:
    with pytest.raises(ValidationError, match="the tensors hold 100000000001 numbers for each row; at most 16777216"):
        Graph(
            inputs=(
                Tensor(name="token", data_type="int64", shape=(-1,)),
                Tensor(name="state_0", data_type="float32", shape=(-1, 10**11)),
            ),
            outputs=(),
            artifacts={},
        )


def test_graph_tells_state_and_memory_from_other_inputs() -> None:
    names = ("token", "state_0", "memory_0", "memory_1", "lengths", "state_of_mind")
    graph = Graph(
        inputs=tuple(Tensor(name=name, data_type="float32", shape=(-1,)) for name in names), outputs=(), artifacts={}
    )
    assert [tensor.name for tensor in graph.state] == ["state_0"]
    assert [tensor.name for tensor in graph.memory] == ["memory_0", "memory_1"]


def test_parity_over_its_tolerance_cannot_be_recorded() -> None:
    with pytest.raises(ValidationError, match=r"step\.onnx: states is off by 0\.2 > 0\.1"):
        Parity(file="step.onnx", max_abs_difference=0.2, tolerance=0.1, cases=1, what="states")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        Parity(file="step.onnx", max_abs_difference=value, tolerance=0.1, cases=1, what="states")


def test_artifacts_are_those_that_every_graph_has() -> None:
    prefill = {"inputs": [], "outputs": [], "artifacts": {"onnx": "step.onnx"}}
    graphs = {**described()["graphs"], "prefill": prefill}
    assert read(graphs=graphs).artifacts() == {"onnx"}


def test_tokenizer_facts_default_to_no_reserved_tokens() -> None:
    facts = TokenizerFacts(kind="word", vocabulary_size=2)
    assert (facts.unknown_id, facts.start_id, facts.end_id, facts.padding_id) == (None, None, None, None)
