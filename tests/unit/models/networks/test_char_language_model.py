"""The language model reads text in pieces as it reads it whole."""

from __future__ import annotations

import pytest
import torch

from ostinato_models.networks import CharLanguageModel, CharLanguageModelConfig
from ostinato_models.networks.cells import CellName


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_reading_in_pieces_with_the_state_carried_equals_reading_whole(cell: CellName) -> None:
    torch.manual_seed(0)
    model = CharLanguageModel(CharLanguageModelConfig(vocabulary_size=11, cell=cell, hidden_size=16, embedding_size=5))
    tokens = torch.randint(11, (3, 10))

    whole, final = model(tokens)
    first, state = model(tokens[:, :4])
    second, state = model(tokens[:, 4:], state)

    torch.testing.assert_close(torch.cat((first, second), dim=1), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(state, final, rtol=0, atol=1e-6)
    assert whole.shape == (3, 10, 11)


def test_a_prediction_depends_on_no_later_character() -> None:
    torch.manual_seed(0)
    model = CharLanguageModel(CharLanguageModelConfig(vocabulary_size=11, hidden_size=16, embedding_size=5))
    tokens = torch.randint(11, (1, 6))
    before, _ = model(tokens)

    tokens[0, 4] = (tokens[0, 4] + 1) % 11
    after, _ = model(tokens)

    assert torch.equal(after[:, :4], before[:, :4])
    assert not torch.equal(after[:, 4], before[:, 4])
