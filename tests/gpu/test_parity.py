"""A GPU gives what the CPU gives, to rounding; a stream's tokens are drawn alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.gpu.streams import begin, single_steps, states
from tests.integration.harness import generate, serving
from tests.integration.versions import ask

from ostinato_bundle import Bundle, open_bundle
from ostinato_server.runtime.base import Array
from ostinato_server.runtime.select import open_backend

pytestmark = pytest.mark.gpu

CAPACITY = 40


def close(ours: Array, theirs: Array) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [1, 3, 16, CAPACITY])
def test_steps_agree_with_the_cpu(generation: Bundle, runtime: str, count: int) -> None:
    given = []
    uniforms = np.random.default_rng(1).random((12, count), np.float32)
    for device in ("cuda", "cpu"):
        table = open_backend(generation, device, runtime, 1).step_table("step", CAPACITY)
        begin(table, count)
        given.append((single_steps(table, count, uniforms), states(table, count)))
    (ours, our_states), (theirs, their_states) = given
    for here, there in zip(ours, theirs, strict=True):
        assert here.keys() == there.keys()
        close(here["logprob"], there["logprob"])
        np.testing.assert_array_equal(here["next_token"], there["next_token"])
    for our_state, their_state in zip(our_states, their_states, strict=True):
        close(our_state, their_state)


@pytest.mark.parametrize("count", [1, 5, CAPACITY])
def test_runs_of_several_steps_agree_with_single_ones(generation: Bundle, runtime: str, count: int) -> None:
    uniforms = np.random.default_rng(2).random((20, count), np.float32)
    table = open_backend(generation, "cuda", runtime, 1).step_table("step", CAPACITY)
    begin(table, count)
    single = single_steps(table, count, uniforms)
    expected = states(table, count)
    begin(table, count)
    parts = [[np.array(part) for part in table.run(count, row)] for row in np.split(uniforms, [1, 4])]
    tokens, logprobs = (np.concatenate(part) for part in zip(*parts, strict=True))
    np.testing.assert_array_equal(tokens, [step["next_token"] for step in single])
    close(logprobs, np.array([step["logprob"] for step in single]))
    for here, there in zip(states(table, count), expected, strict=True):
        close(here, there)


def test_rows_that_move_keep_their_streams(generation: Bundle, runtime: str) -> None:
    uniforms = np.random.default_rng(3).random((8, 3), np.float32)
    table = open_backend(generation, "cuda", runtime, 1).step_table("step", CAPACITY)
    begin(table, 3)
    table.run(3, uniforms)
    before = [table.read(row)[0] for row in range(3)]
    table.permute([0, 1], [1, 0])
    table.move(2, 5)
    table.write(2, before[1])
    for row, source in ((0, 1), (1, 0), (5, 2), (2, 1)):
        for now, then in zip(table.read(row)[0], before[source], strict=True):
            np.testing.assert_array_equal(now, then)


def test_translation_steps_agree_with_the_cpu(translation: Bundle, runtime: str) -> None:
    graph = translation.manifest.graphs["step"]
    random = np.random.default_rng(4)
    lengths = (3, 20, 7)
    sources = [[random.standard_normal((n, *each.shape[2:]), np.float32) for each in graph.memory] for n in lengths]
    given = []
    for device in ("cuda", "cpu"):
        table = open_backend(translation, device, runtime, 1).step_table("step", CAPACITY)
        found = []
        for row, source in enumerate(sources):
            table.write(row, (), source)
            table.columns["token"][row], table.columns["lengths"][row] = 3, lengths[row]
            found.append({name: np.array(array) for name, array in table.step(row + 1).items()})
        table.move(2, 0)
        found.append({name: np.array(array) for name, array in table.step(2).items()})
        given.append(found)
    for here, there in zip(*given, strict=True):
        np.testing.assert_array_equal(here["next_token"], there["next_token"])
        close(here["logprob"], there["logprob"])


@pytest.mark.parametrize(("folder", "graph"), [("char-lm", "prefill"), ("sentiment", "classifier")])
def test_whole_sequences_agree_with_the_cpu(repository: Path, runtime: str, folder: str, graph: str) -> None:
    bundle = open_bundle(repository / folder / "1")
    inputs = {
        tensor.name: np.full((2, *(5 if size < 0 else size for size in tensor.shape[1:])), 4, np.int64)
        if tensor.data_type == "int64"
        else np.zeros((2, *tensor.shape[1:]), np.float32)
        for tensor in bundle.manifest.graphs[graph].inputs
    }
    ours, theirs = (open_backend(bundle, device, runtime, 1).graph(graph).run(inputs) for device in ("cuda", "cpu"))
    for name, array in theirs.items():
        close(ours[name], array)


def test_served_text_is_the_cpu_s(repository: Path, runtime: str) -> None:
    texts = []
    for device in ("cuda", "cpu"):
        with serving(repository, device=device, runtime=runtime) as server:
            texts.append(generate(server, ask(seed=1, tokens=50)).text)
    assert texts[0] == texts[1]
