"""Truncated back-propagation: every character is a target once, the state goes on, gradients stop."""

from __future__ import annotations

import math
import string
from typing import Any

import pytest
import torch
from torch import Tensor

from ostinato_models.networks import CharLanguageModel, CharLanguageModelConfig
from ostinato_models.tokenization import build_character_tokenizer
from ostinato_models.training.char_lm_task import UNKNOWN_CHARACTER, CharLanguageModelTask, to_streams, window
from ostinato_models.training.configuration import TrainingConfig

TEXT = (string.ascii_lowercase + " ") * 20


def task(valid: str = TEXT[:200], **training: Any) -> CharLanguageModelTask:
    tokenizer = build_character_tokenizer(TEXT)
    torch.manual_seed(0)
    config = CharLanguageModelConfig(
        vocabulary_size=tokenizer.get_vocab_size(), embedding_size=8, hidden_size=12, num_layers=1
    )
    values: dict[str, Any] = {"epochs": 1, "batch_size": 3, "bptt_steps": 7, **training}
    return CharLanguageModelTask(
        CharLanguageModel(config), tokenizer, TEXT, valid, TrainingConfig(**values), torch.device("cpu")
    )


def test_windows_of_a_stream_cover_every_following_character_once() -> None:
    streams = to_streams(torch.arange(32), 3)  # (3, 10); the last two characters are left over
    windows = [window(streams, start, 4) for start in range(0, 9, 4)]

    assert torch.cat([inputs for inputs, _ in windows], dim=1).tolist() == streams[:, :-1].tolist()
    assert torch.cat([targets for _, targets in windows], dim=1).tolist() == streams[:, 1:].tolist()


def test_the_state_of_a_window_starts_the_next_one_without_its_history() -> None:
    trained = task()
    starts = list(trained.batches(0))
    trained.begin_epoch()
    received: list[tuple[Tensor, ...] | None] = []
    trained.model.recurrent.register_forward_pre_hook(lambda module, inputs: received.append(inputs[1]))

    trained.loss(starts[0], 0.0)
    carried = trained.carried()
    trained.loss(starts[1], 0.0)

    assert received[0] is None
    assert received[1] is not None
    for given, kept in zip(received[1], carried, strict=True):
        assert torch.equal(given, kept)
        assert not given.requires_grad
        assert given.abs().max() > 0


def test_two_windows_score_as_one_long_one() -> None:
    pieces, whole = task(bptt_steps=5), task(bptt_steps=10)
    starts, _ = list(pieces.batches(0)), whole.batches(0)

    losses = [pieces.loss(start, 0.0) for start in starts[:2]]
    expected, terms = whole.loss(0, 0.0)

    assert sum(count for _, count in losses) == terms == 30
    mean = sum(loss * count for loss, count in losses) / 30
    torch.testing.assert_close(mean, expected)


def test_an_epoch_starts_elsewhere_in_the_text_and_repeats_with_its_number() -> None:
    trained = task()
    shifts = []
    for epoch in (0, 1, 0):
        trained.batches(epoch)
        shifts.append(trained._streams[0, :5].tolist())

    assert shifts[0] == shifts[2] != shifts[1]


def test_unknown_characters_are_inputs_and_never_targets() -> None:
    trained = task(unknown_rate=0.5)
    seen: list[Tensor] = []
    trained.model.embedding.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))

    trained.batches(0)
    trained.loss(0, 0.0)

    share = float((seen[0] == UNKNOWN_CHARACTER).float().mean())
    assert 0.2 < share < 0.8
    assert not (window(trained._streams, 0, 7)[1] == UNKNOWN_CHARACTER).any()


def test_validation_counts_nats_per_character() -> None:
    trained = task()
    with torch.no_grad():
        for parameter in trained.model.output.parameters():
            parameter.zero_()
        measured = trained.evaluate()["valid_loss"]

    assert measured == pytest.approx(math.log(28), abs=1e-5)  # 27 characters and <unk>, all alike


def test_validation_does_not_score_characters_that_training_never_saw() -> None:
    trained = task(valid="ab\u2019cd" * 40)
    trained.model.output.register_forward_hook(
        lambda module, inputs, logits: logits.masked_fill(torch.arange(28) == UNKNOWN_CHARACTER, -1000.0)
    )
    with torch.no_grad():
        measured = trained.report()
    assert measured["nats_per_char"] < 10  # one unknown character alone costs 1000 nats here
    assert measured["unknown_tokens"] == 40
