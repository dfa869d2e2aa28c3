"""The sentiment task: labels follow their texts, accuracy counts, odd texts are defined."""

from __future__ import annotations

import pytest
import torch

from ostinato_models.data.examples import LabelledText, SentimentCorpus
from ostinato_models.networks import SentimentClassifier, SentimentClassifierConfig
from ostinato_models.tokenization import UNKNOWN_ID, train_english_tokenizer
from ostinato_models.training.configuration import TrainingConfig
from ostinato_models.training.sentiment_task import SentimentTask

ROWS = [LabelledText("good film", 1), LabelledText("bad film", 0), LabelledText("a very good film indeed", 1)]


def task(bias: float = 0.0) -> SentimentTask:
    tokenizer = train_english_tokenizer((row.text for row in ROWS), 100)
    torch.manual_seed(0)
    model = SentimentClassifier(
        SentimentClassifierConfig(vocabulary_size=tokenizer.get_vocab_size(), embedding_size=6, hidden_size=5)
    )
    with torch.no_grad():
        model.output.bias.copy_(torch.tensor([0.0, bias]))
    corpus = SentimentCorpus("tiny", {}, ROWS, ROWS, [*ROWS, LabelledText("", 1)])
    return SentimentTask(model, tokenizer, corpus, TrainingConfig(epochs=1), torch.device("cpu"))


@torch.no_grad()
def test_accuracy_is_the_share_of_right_classes() -> None:
    assert task(bias=100.0).evaluate()["valid_accuracy"] == pytest.approx(2 / 3)
    assert task(bias=-100.0).evaluate()["valid_accuracy"] == pytest.approx(1 / 3)
    assert task(bias=100.0).report()["accuracy"] == pytest.approx(3 / 4)


def test_batches_keep_texts_with_their_labels() -> None:
    trained = task()
    trained.batches(0)
    trained.model.eval()
    rows = torch.tensor([1, 0, 2])

    together, terms = trained.loss(rows, 0.0)
    alone = [trained.loss(rows[index : index + 1], 0.0)[0] for index in range(3)]

    assert terms == 3
    torch.testing.assert_close(together, torch.stack(alone).mean())


def test_a_text_without_tokens_is_one_unknown_token() -> None:
    assert task()._test[-1] == [UNKNOWN_ID]
