"""A text's score is its own: neither padding nor its neighbours in the batch change it."""

from __future__ import annotations

import pytest
import torch

from ostinato_models.networks import SentimentClassifier, SentimentClassifierConfig
from ostinato_models.networks.cells import CellName
from ostinato_models.networks.sentiment_classifier import Pooling, pool

LENGTHS = torch.tensor([2, 7, 4])


def classifier(pooling: Pooling, cell: CellName = "lstm", *, bidirectional: bool = True) -> SentimentClassifier:
    torch.manual_seed(0)
    return SentimentClassifier(
        SentimentClassifierConfig(
            vocabulary_size=20,
            cell=cell,
            embedding_size=6,
            hidden_size=5,
            num_layers=2,
            pooling=pooling,
            bidirectional=bidirectional,
        )
    ).eval()


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_never_leaks_into_the_result(pooling: Pooling, bidirectional: bool) -> None:
    model = classifier(pooling, bidirectional=bidirectional)
    tokens = torch.randint(20, (3, 7))
    logits = model(tokens, LENGTHS)

    changed = tokens.clone()
    changed[0, 2:] = 19
    changed[2, 4:] = 18
    alone = torch.cat(
        [model(tokens[row : row + 1, :length], LENGTHS[row : row + 1]) for row, length in enumerate([2, 7, 4])]
    )

    assert torch.equal(model(changed, LENGTHS), logits)
    torch.testing.assert_close(alone, logits, rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_last_pooling_takes_each_directions_own_last_state(cell: CellName) -> None:
    model = classifier("last", cell)
    tokens = torch.randint(20, (3, 7))

    outputs, _ = model.recurrent(model.embedding(tokens), None, LENGTHS)
    rows = torch.arange(3)
    pooled = torch.cat((outputs[rows, LENGTHS - 1, :5], outputs[:, 0, 5:]), dim=-1)

    torch.testing.assert_close(model(tokens, LENGTHS), model.output(pooled), rtol=0, atol=1e-6)


def test_pooling_counts_valid_steps_only() -> None:
    outputs = torch.tensor([[[1.0], [3.0], [100.0]], [[-1.0], [-2.0], [-6.0]]])
    lengths = torch.tensor([2, 3])

    assert pool(outputs, lengths, "mean").tolist() == [[2.0], [-3.0]]
    assert pool(outputs, lengths, "max").tolist() == [[3.0], [-1.0]]
