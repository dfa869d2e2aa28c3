from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.bundles import build_tiny_bundle

from ostinato_bundle import Limits, TokenizerFacts, open_bundle
from ostinato_models.evaluation.decoding import translate
from ostinato_models.export.execution import Array, Arrays, GraphRun, open_graph
from ostinato_models.export.signatures import Signature

FACTS = TokenizerFacts(kind="subword", vocabulary_size=6, start_id=2, end_id=3)


def encoder(inputs: Arrays) -> dict[str, Array]:
    """The state is the place in the target; sources do not matter but for their number."""
    return {"next_state_0": np.zeros((len(inputs["lengths"]), 1), np.float32)}


def chain(table: dict[int, dict[int, float]]) -> GraphRun:
    """A step that knows only the token before: probabilities of tokens 3, 4 and 5 after each."""

    def step(inputs: Arrays) -> dict[str, Array]:
        logprobs = np.log(
            np.array([[table[int(token)].get(choice, 1e-9) for choice in (3, 4, 5)] for token in inputs["token"]])
        )
        order = np.argsort(-logprobs, axis=1, kind="stable")
        return {
            "top_tokens": order + 3,
            "top_logprobs": np.take_along_axis(logprobs, order, axis=1).astype(np.float32),
            "next_state_0": inputs["state_0"] + 1,
        }

    return step


GARDEN_PATH = chain({2: {4: 0.6, 5: 0.4}, 4: {4: 0.4, 5: 0.3, 3: 0.3}, 5: {3: 1.0}})
"""The likelier first token leads to less likely sentences."""


def at_most(tokens: int) -> Callable[[int], int]:
    """A limit that is the same for every source."""
    return lambda _: tokens


def test_greedy_takes_the_likeliest_token_at_every_step() -> None:
    step = chain({2: {4: 0.6, 5: 0.4}, 4: {5: 0.7, 3: 0.3}, 5: {3: 0.9, 4: 0.1}})
    assert translate(encoder, step, [[9], [9, 9]], FACTS, beam_size=1, max_tokens=at_most(10)) == [[4, 5], [4, 5]]


def test_beam_finds_the_sentence_that_greedy_misses() -> None:
    assert translate(encoder, GARDEN_PATH, [[9]], FACTS, beam_size=1, max_tokens=at_most(3))[0][0] == 4
    assert translate(encoder, GARDEN_PATH, [[9]], FACTS, beam_size=2, max_tokens=at_most(3)) == [[5]]


def test_target_that_does_not_end_is_cut() -> None:
    endless = chain({2: {4: 1.0}, 4: {4: 1.0}})
    assert translate(encoder, endless, [[9]], FACTS, beam_size=1, max_tokens=at_most(5)) == [[4] * 5]


@pytest.mark.parametrize("beam_size", [1, 2])
def test_every_sentence_has_its_own_limit(beam_size: int) -> None:
    endless = chain({2: {4: 0.9, 5: 0.1}, 4: {4: 0.9, 5: 0.1}, 5: {4: 0.9, 5: 0.1}})
    limits = Limits(
        max_text_characters=10,
        max_input_tokens=10,
        max_new_tokens=7,
        new_tokens_per_input_token=2.0,
        new_tokens_extra=1,
    )
    outputs = translate(
        encoder, endless, [[9], [9, 9], [9] * 9], FACTS, beam_size=beam_size, max_tokens=limits.most_new_tokens
    )
    assert [len(ids) for ids in outputs] == [3, 5, 7]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[GraphRun, GraphRun, TokenizerFacts]:
    bundle = open_bundle(build_tiny_bundle(tmp_path_factory.mktemp("repository"), "translation"))
    graphs = bundle.manifest.graphs
    encoder, step = (
        open_graph(bundle.graph_path(name, "onnx"), "onnx", Signature(graphs[name].inputs, graphs[name].outputs))
        for name in ("encoder", "step")
    )
    return encoder, step, bundle.manifest.tokenizer


@pytest.mark.parametrize("beam_size", [1, 4])
def test_translation_does_not_depend_on_the_sentences_beside_it(
    runs: tuple[GraphRun, GraphRun, TokenizerFacts], beam_size: int, tmp_path: Path
) -> None:
    encoder, step, facts = runs
    random = np.random.default_rng(2)
    rows = [random.integers(4, 260, length).tolist() for length in (3, 1, 12, 7, 7, 20)]
    together = translate(encoder, step, rows, facts, beam_size=beam_size, max_tokens=at_most(9))
    alone = [translate(encoder, step, [row], facts, beam_size=beam_size, max_tokens=at_most(9))[0] for row in rows]
    assert together == alone
    assert len({tuple(ids) for ids in together}) > 1


@pytest.mark.parametrize("beam_size", [1, 2])
def test_token_that_completes_a_repetition_is_passed_over(beam_size: int) -> None:
    endless = chain({2: {4: 1.0}, 4: {4: 0.9, 5: 0.1}, 5: {3: 1.0}})
    assert translate(encoder, endless, [[9]], FACTS, beam_size=beam_size, max_tokens=at_most(20)) == [[4] * 5 + [5]]
