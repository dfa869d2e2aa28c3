"""Texts are drawn as the server draws them, from the prompts and with the numbers given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ostinato_models.data.examples import CharacterCorpus
from ostinato_models.errors import ConfigurationError
from ostinato_models.export.untrained import untrained_generator
from ostinato_models.lab.sampling.model import LanguageModel, open_model
from ostinato_models.lab.sampling.settings import PRESETS
from ostinato_models.lab.sampling.sweeps import sample_all
from ostinato_models.lab.sampling.writing import Sampler, real_text, take_passages, write
from ostinato_models.networks import CharLanguageModel

TEXT = "the cat sat on the mat; and the dog, with a bone, lay by the door. " * 40
SETTINGS = replace(
    PRESETS["quick"],
    texts=5,
    prompt_characters=12,
    characters=40,
    temperatures=(0.0, 1.0),
    top_ks=(1, 0),
    top_ps=(0.5, 1.0),
)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return open_model(untrained_generator(), CharacterCorpus("words", {}, TEXT, TEXT))


def uniforms(seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).random((SETTINGS.texts, SETTINGS.characters), np.float32)


def test_a_prompt_ends_after_a_word_and_the_real_text_goes_on_from_it(model: LanguageModel) -> None:
    passages = take_passages(model, SETTINGS)
    assert passages.prompts.shape == (5, 12)
    assert passages.continuations.shape == (5, 40)
    continued = real_text(model, passages).texts
    for prompt, text in zip(passages.prompts.tolist(), continued, strict=True):
        read = model.tokenizer.decode(prompt)
        assert read[-2].isalpha()
        assert read[-1] == " "
        assert read + text in TEXT


def test_more_texts_than_there_is_room_for_are_refused(model: LanguageModel) -> None:
    with pytest.raises(ConfigurationError, match="texts = 100: must be fewer for a held-out text of 2680 characters"):
        take_passages(model, replace(SETTINGS, texts=100))


def test_greedy_text_is_what_the_network_itself_thinks_likeliest(model: LanguageModel) -> None:
    passages = take_passages(model, SETTINGS)
    written = write(model, passages, Sampler(temperature=0.0), uniforms())
    network = model.source.network()
    assert isinstance(network, CharLanguageModel)
    ids = [*passages.prompts[0].tolist(), *model.tokenizer.encode(written.texts[0]).ids]
    logits = network(torch.tensor([ids[:-1]]))[0][0, -SETTINGS.characters :, 1:]
    best = logits.max(dim=1).values - logits.gather(1, torch.tensor(ids[-SETTINGS.characters :])[:, None] - 1)[:, 0]
    assert float(best.max()) < 0.1  # int8 and fp32 may differ on a near tie
    assert written.texts == write(model, passages, Sampler(top_k=1), uniforms(1)).texts


def test_perplexity_is_that_of_the_untruncated_distribution(model: LanguageModel) -> None:
    passages = take_passages(model, SETTINGS)
    written = write(model, passages, Sampler(temperature=0.5, top_k=3), uniforms())
    again = np.array([model.tokenizer.encode(text).ids for text in written.texts], np.int64)
    assert written.nats == pytest.approx(real_text(model, replace(passages, continuations=again)).nats, abs=0.01)


def test_characters_that_the_model_does_not_know_are_not_scored(model: LanguageModel) -> None:
    passages = take_passages(model, SETTINGS)
    known = real_text(model, passages).nats
    spoiled = passages.continuations.copy()
    spoiled[:, -1] = 0
    first = real_text(model, replace(passages, continuations=passages.continuations[:, :-1])).nats
    assert real_text(model, replace(passages, continuations=spoiled)).nats == pytest.approx(first, rel=1e-6)
    assert first != known


def test_the_seed_decides_every_text_and_progress_ends_at_its_total(model: LanguageModel) -> None:
    seen: list[tuple[int, int]] = []
    first, again, other = (
        sample_all(model, replace(SETTINGS, seed=seed), lambda done, total: seen.append((done, total)))
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first.written[Sampler()].texts != other.written[Sampler()].texts
    assert first.written[Sampler(temperature=0.0)] == other.written[Sampler(temperature=0.0)]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)] * 3


def test_a_sweep_goes_from_strict_to_loose_and_ends_at_the_model_itself(model: LanguageModel) -> None:
    sampled = sample_all(model, SETTINGS, lambda done, total: None)
    assert [(point.label, point.value) for point in sampled.sweep("top-k", SETTINGS)] == [("1", 1), ("all", 62)]
    assert sampled.choices == 62
    assert [point.label for point in sampled.sweep("temperature", SETTINGS)] == ["0", "1"]
    assert all(
        sampled.sweep(control, SETTINGS)[-1].sampler == Sampler() for control in ("temperature", "top-k", "top-p")
    )
