from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from ostinato_models.export import torch_sampling
from ostinato_models.export.execution import Array, Arrays, GraphRun, open_onnx
from ostinato_models.export.generation_parity import choose
from ostinato_models.export.graph_builder import GraphBuilder
from ostinato_models.export.sampling import TRIANGLE_LIMIT, rank, sample
from ostinato_models.export.signatures import Signature, batch

SIZE, FIRST = 9, 2
SETTINGS = (batch("temperature"), batch("top_k", "int64"), batch("top_p"), batch("uniform"))
Sampler = Callable[[Array, Arrays], Array]


@cache
def onnx_sampler(size: int = SIZE) -> GraphRun:
    signature = Signature((batch("logits", "float32", size), *SETTINGS), (batch("token", "int64", 1),))
    graph = GraphBuilder("fp32")
    logprobs, tokens = rank(graph, "logits", size, FIRST)
    graph.rename(graph.op("GatherElements", tokens, sample(graph, logprobs, size), axis=1), "token")
    model = graph.build("sampler", "", signature.inputs, signature.outputs)
    return open_onnx(model.SerializeToString(), signature)


def by_onnx(logits: Array, settings: Arrays) -> Array:
    return onnx_sampler(logits.shape[1])({"logits": logits, **settings})["token"][:, 0] - FIRST


def by_torch(logits: Array, settings: Arrays) -> Array:
    reserved = np.full((len(logits), FIRST), 100.0, np.float32)  # never chosen, however likely
    logprobs, tokens = torch_sampling.rank(
        torch.from_numpy(np.concatenate([reserved, logits], axis=1)), FIRST, logits.shape[1]
    )
    drawn = torch_sampling.sample(logprobs, *(torch.from_numpy(np.asarray(value)) for value in settings.values()))
    return np.asarray(tokens.gather(1, drawn).squeeze(1).numpy() - FIRST)


def settings(
    temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, uniform: float = 0.5, rows: int = 1
) -> Arrays:
    return {
        "temperature": np.full(rows, temperature, np.float32),
        "top_k": np.full(rows, top_k),
        "top_p": np.full(rows, top_p, np.float32),
        "uniform": np.full(rows, uniform, np.float32),
    }


def logits_of(*probabilities: float) -> Array:
    return np.log(np.array([probabilities], np.float64)).astype(np.float32)


both = pytest.mark.parametrize("draw", [by_onnx, by_torch])
FIVE = logits_of(0.1, 0.4, 0.2, 0.25, 0.05)  # most probable first: tokens 1, 3, 2, 0, 4


@both
@pytest.mark.parametrize(
    ("uniform", "token"), [(0.0, 1), (0.39, 1), (0.41, 3), (0.64, 3), (0.66, 2), (0.86, 0), (0.96, 4), (0.9999999, 4)]
)
def test_uniform_number_walks_down_the_sorted_distribution(draw: Sampler, uniform: float, token: int) -> None:
    assert draw(FIVE, settings(uniform=uniform)).tolist() == [token]


@both
def test_temperature_zero_takes_the_likeliest_whatever_else_is_asked(draw: Sampler) -> None:
    assert draw(FIVE, settings(temperature=0.0, top_k=4, top_p=0.99, uniform=0.999)).tolist() == [1]


@both
def test_top_k_rescales_what_is_left(draw: Sampler) -> None:
    # Tokens 1 and 3 hold 0.65: the first of them 0.615 of it.
    assert draw(FIVE, settings(top_k=2, uniform=0.61)).tolist() == [1]
    assert draw(FIVE, settings(top_k=2, uniform=0.62)).tolist() == [3]
    assert draw(FIVE, settings(top_k=1, uniform=0.99)).tolist() == [1]
    assert draw(FIVE, settings(top_k=1000, uniform=0.9999999)).tolist() == [4]


@both
def test_nucleus_holds_the_token_that_crosses_its_bound(draw: Sampler) -> None:
    assert draw(FIVE, settings(top_p=0.3, uniform=0.99)).tolist() == [1]
    assert draw(FIVE, settings(top_p=0.5, uniform=0.99)).tolist() == [3]
    assert draw(FIVE, settings(top_p=1e-9, uniform=0.99)).tolist() == [1]


@both
def test_temperature_sharpens_and_flattens(draw: Sampler) -> None:
    assert draw(FIVE, settings(temperature=0.05, uniform=0.99)).tolist() == [1]
    assert draw(FIVE, settings(temperature=100.0, uniform=0.21)).tolist() == [3]  # nearly a fifth each


@both
def test_lowest_id_comes_first_among_equals(draw: Sampler) -> None:
    equal = np.zeros((1, SIZE), np.float32)
    assert draw(equal, settings(temperature=0.0)).tolist() == [0]
    assert [draw(equal, settings(uniform=(place + 0.5) / SIZE))[0] for place in range(SIZE)] == list(range(SIZE))


@both
def test_unlikely_tokens_cannot_push_the_draw_out_of_range(draw: Sampler) -> None:
    steep = -np.arange(SIZE, dtype=np.float32)[None] * 60  # probabilities that float32 cannot tell from zero
    assert draw(steep, settings(uniform=np.nextafter(np.float32(1), np.float32(0)))).tolist() == [0]


@both
@given(
    logits=st.lists(st.integers(-40, 40), min_size=SIZE, max_size=SIZE, unique=True),
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    top_k=st.integers(0, SIZE + 1),
    top_p=st.sampled_from([0.05, 0.5, 0.93, 1.0]),
    uniform=st.integers(0, 2**24 - 1),
)
@example(logits=[0, 36, 1, 2, 3, 4, 5, 7, 8], temperature=0.3, top_k=0, top_p=1.0, uniform=16777209)
def test_graphs_choose_what_the_rule_in_plain_words_chooses(
    draw: Sampler, logits: list[int], temperature: float, top_k: int, top_p: float, uniform: int
) -> None:
    values = np.array([logits], np.float32) / 7
    given_settings = settings(temperature, top_k, top_p, uniform / 2**24)
    logprobs = torch.from_numpy(values).double().log_softmax(dim=1)
    chosen = draw(values, given_settings)[0]
    # At the boundary between two tokens float32 may fall on either side, or on a token of less mass between them.
    largest = np.nextafter(1.0, 0.0)
    around = [
        choose(
            logprobs,
            **{**given_settings, "uniform": np.array([np.clip(uniform / 2**24 + shift, 0, largest)]), "top_p": p},
        )[0]
        for shift in (-1e-5, 0.0, 1e-5)
        for p in (given_settings["top_p"] - 1e-5 * (top_p < 1), given_settings["top_p"] + 1e-5 * (top_p < 1))
    ]
    assert min(around) <= chosen <= max(around)


def test_large_vocabulary_is_drawn_from_by_the_same_rule() -> None:
    size = TRIANGLE_LIMIT + 200
    logits = np.random.default_rng(0).normal(size=(4, size)).astype(np.float32)
    asked = {**settings(rows=4), "uniform": np.array([0.05, 0.3, 0.6, 0.95], np.float32)}
    logprobs = torch.from_numpy(logits).double().log_softmax(dim=1)
    assert by_onnx(logits, asked).tolist() == choose(logprobs, **asked).tolist()


def test_best_few_are_those_of_the_full_order_lowest_id_first_among_equals() -> None:
    logits = torch.tensor([[9.0, 1.0, 3.0, 2.0, 3.0, 0.5, 2.0, 1.5]])
    _, tokens = torch_sampling.rank(logits, 1, 5)
    assert tokens.tolist() == [[2, 4, 3, 6, 7]]
    _, everything = torch_sampling.rank(logits, 1, 7)
    assert everything.tolist() == [[2, 4, 3, 6, 7, 1, 5]]
