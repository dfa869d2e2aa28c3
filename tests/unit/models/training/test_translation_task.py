"""Teacher forcing, scheduled sampling and greedy decoding of one small translator."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from ostinato_models.data.examples import ReferencedSentence, SentencePair, TranslationCorpus
from ostinato_models.networks import Memory, Seq2Seq, Seq2SeqConfig
from ostinato_models.networks.cells import State
from ostinato_models.tokenization import BEGIN_ID, END_ID, train_byte_pair_tokenizer
from ostinato_models.training.configuration import TrainingConfig
from ostinato_models.training.translation_task import (
    PHRASE_REPEATS,
    TranslationTask,
    greedy,
    scheduled_sampling,
    spread,
)

SOURCE, LENGTHS = torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([3, 2])
INPUTS = torch.tensor([[BEGIN_ID, 5, 6, 7], [BEGIN_ID, 8, 9, 4]])


def network() -> Seq2Seq:
    torch.manual_seed(0)
    return Seq2Seq(Seq2SeqConfig(vocabulary_size=12, embedding_size=6, encoder_size=5, decoder_size=8)).eval()


def fed(model: Seq2Seq, forcing: float) -> tuple[Tensor, Tensor]:
    """The logits of a pass, and the tokens that the decoder was fed."""
    seen: list[Tensor] = []
    decode = model.decode

    def watched(tokens: Tensor, memory: Memory, state: State) -> tuple[Tensor, Tensor | None, State]:
        seen.append(tokens)
        return decode(tokens, memory, state)

    model.decode = watched  # type: ignore[method-assign]
    return scheduled_sampling(model, SOURCE, LENGTHS, INPUTS, forcing), torch.cat(seen, dim=1)


def test_a_teacher_that_always_forces_is_teacher_forcing() -> None:
    model = network()

    logits, tokens = fed(model, 1.0)

    assert tokens.tolist() == INPUTS.tolist()
    torch.testing.assert_close(logits, network()(SOURCE, LENGTHS, INPUTS), rtol=0, atol=1e-5)


def test_a_teacher_that_never_forces_feeds_the_models_own_guesses() -> None:
    logits, tokens = fed(network(), 0.0)

    assert tokens[:, 0].tolist() == [BEGIN_ID, BEGIN_ID]
    assert tokens[:, 1:].tolist() == logits[:, :-1].argmax(dim=-1).tolist()


def test_greedy_takes_the_likeliest_token_until_the_end() -> None:
    model = network()
    with torch.no_grad():
        model.output_bias[7] = 100.0

    assert greedy(model, SOURCE, LENGTHS, max_tokens=4) == [[7] * 4, [7] * 4]

    with torch.no_grad():
        model.output_bias[END_ID] = 200.0

    assert greedy(model, SOURCE, LENGTHS, max_tokens=4) == [[], []]


def task(**training: Any) -> TranslationTask:
    train = [SentencePair("the cat " * count, "le chat " * count) for count in (1, 2, 30)]
    held_out = [ReferencedSentence("the cat ", ("le chat ", "un chat "))]
    tokenizer = train_byte_pair_tokenizer((text for pair in train for text in pair), 300)
    config = Seq2SeqConfig(vocabulary_size=tokenizer.get_vocab_size(), embedding_size=6, encoder_size=5, decoder_size=8)
    torch.manual_seed(0)
    return TranslationTask(
        Seq2Seq(config),
        tokenizer,
        TranslationCorpus("tiny", {}, "en", "fr", train, held_out, held_out),
        TrainingConfig(**{"epochs": 1, **training}),
        torch.device("cpu"),
    )


def test_pairs_over_the_length_limit_are_left_out() -> None:
    rows = [row for limit in (2, 1000) for row in [sum(len(batch) for batch in task(max_tokens=limit).batches(0))]]

    assert rows == [1, 3]  # spaces at the ends are no tokens: "le chat " is read as "le chat"


def test_the_loss_counts_every_target_token_and_its_end() -> None:
    trained = task(max_tokens=1000)
    tokenizer = trained._tokenizer
    trained.batches(0)

    _, terms = trained.loss(torch.tensor([0, 1]), 0.0)

    assert terms == sum(len(tokenizer.encode("le chat " * count).ids) + 1 for count in (1, 2))


def test_label_smoothing_changes_the_training_loss_and_not_the_measured_one() -> None:
    plain, smooth = task(), task(label_smoothing=0.2)
    plain.batches(0)
    smooth.batches(0)

    assert not torch.equal(plain.loss(torch.tensor([0]), 0.0)[0], smooth.loss(torch.tensor([0]), 0.0)[0])
    assert plain.evaluate()["valid_loss"] == smooth.evaluate()["valid_loss"]


def test_a_perfect_translation_scores_100_with_any_of_its_references(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = task()
    sentences = [
        ReferencedSentence("a", ("un grand chat noir dort ici .", "le gros chat noir dort ici .")),
        ReferencedSentence("b", ("nous voyons la petite maison verte .",)),
    ]
    outputs = ["le gros chat noir dort ici .", "nous voyons la petite maison verte ."]
    monkeypatch.setattr(trained, "translate", lambda texts: outputs[: len(texts)])

    assert trained._bleu(sentences) == pytest.approx(100.0)


def test_a_sample_of_the_rows_is_spread_evenly() -> None:
    rows = [ReferencedSentence(str(number), ()) for number in range(10)]

    assert [row.source for row in spread(rows, 3)] == ["0", "3", "6"]
    assert len(spread(rows, 100)) == 10


def test_every_epoch_types_the_sources_anew_and_the_same_when_repeated() -> None:
    trained, again = task(typed_share=1.0, max_tokens=1000), task(typed_share=1.0, max_tokens=1000)
    epochs = []
    for epoch in range(6):
        trained.batches(epoch)
        again.batches(epoch)
        assert trained._train == again._train
        epochs.append(tuple(tuple(source) for source, _ in trained._train))
    assert len(set(epochs)) > 1


def test_nothing_is_typed_otherwise_unless_asked() -> None:
    trained = task(max_tokens=1000)
    trained.batches(0)
    first = trained._train
    trained.batches(1)
    assert trained._train == first


def test_phrases_join_the_late_epochs() -> None:
    trained = task(max_tokens=1000, epochs=10)
    trained._phrases = [SentencePair("hello", "bonjour")]
    sizes = [sum(len(batch) for batch in trained.batches(epoch)) for epoch in (0, 2, 3, 9)]
    assert sizes == [3, 3, 3 + PHRASE_REPEATS, 3 + PHRASE_REPEATS]
