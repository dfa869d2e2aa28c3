"""Inputs of a bare step, and what goes back in."""

from __future__ import annotations

import numpy as np

from ostinato_bench.micro import SOURCE_TOKENS, feed_back, make_inputs
from ostinato_bundle import Graph, Tensor


def step_graph() -> Graph:
    def tensor(name: str, data_type: str, *shape: int) -> Tensor:
        return Tensor.model_validate({"name": name, "data_type": data_type, "shape": (-1, *shape)})

    inputs = (
        tensor("token", "int64"),
        tensor("state_0", "float32", 8),
        tensor("memory_0", "float32", -1, 4),
        tensor("lengths", "int64"),
        tensor("temperature", "float32"),
        tensor("top_k", "int64"),
        tensor("uniform", "float32"),
    )
    return Graph(
        inputs=inputs, outputs=(tensor("next_token", "int64"), tensor("next_state_0", "float32", 8)), artifacts={}
    )


def test_inputs_have_the_shapes_and_types_of_the_signature() -> None:
    inputs = make_inputs(step_graph(), 3, 10, np.random.default_rng(1))
    shapes = {name: value.shape for name, value in inputs.items()}
    assert shapes == {
        "token": (3,),
        "state_0": (3, 8),
        "memory_0": (3, SOURCE_TOKENS, 4),
        "lengths": (3,),
        "temperature": (3,),
        "top_k": (3,),
        "uniform": (3,),
    }
    assert all(0 <= token < 10 for token in inputs["token"])
    assert list(inputs["lengths"]) == [SOURCE_TOKENS] * 3
    assert (inputs["state_0"].dtype, inputs["top_k"].dtype) == (np.float32, np.int64)


def test_the_next_token_and_the_new_state_go_back_in() -> None:
    inputs = make_inputs(step_graph(), 1, 10, np.random.default_rng(1))
    feed_back(inputs, {"next_token": np.array([7]), "next_state_0": np.ones((1, 8)), "logprob": np.zeros(1)})
    assert list(inputs["token"]) == [7]
    assert inputs["state_0"].sum() == 8
    assert "logprob" not in inputs
