"""Attention computes its papers' scores and never looks at padding."""

from __future__ import annotations

import pytest
import torch

from ostinato_models.errors import ConfigurationError
from ostinato_models.networks import AdditiveAttention, DotAttention, GeneralAttention, make_attention, source_mask
from ostinato_models.networks.attention import AttentionName

BATCH, TARGET, SOURCE, WIDTH = 2, 3, 5, 4
LENGTHS = torch.tensor([5, 2])


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(BATCH, TARGET, WIDTH), torch.randn(BATCH, SOURCE, WIDTH), source_mask(LENGTHS, SOURCE)


def test_mask_is_true_where_a_source_token_is() -> None:
    assert source_mask(torch.tensor([1, 3]), 3).tolist() == [[True, False, False], [True, True, True]]


@pytest.mark.parametrize("name", ["additive", "general", "dot"])
def test_weights_sum_to_one_and_are_exactly_zero_on_padding(name: AttentionName) -> None:
    query, memory, mask = inputs()

    context, weights = make_attention(name, WIDTH, WIDTH)(query, memory, mask)

    assert context.shape == (BATCH, TARGET, WIDTH)
    torch.testing.assert_close(weights.sum(-1), torch.ones(BATCH, TARGET))
    assert weights[1, :, 2:].eq(0).all()
    torch.testing.assert_close(context, torch.einsum("bts,bsm->btm", weights, memory))


@pytest.mark.parametrize("name", ["additive", "general", "dot"])
def test_padding_in_the_memory_has_no_influence(name: AttentionName) -> None:
    query, memory, mask = inputs()
    attention = make_attention(name, WIDTH, WIDTH)
    before = attention(query, memory, mask)

    memory[1, 2:] = 1e4

    torch.testing.assert_close(attention(query, memory, mask), before, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["additive", "general", "dot"])
def test_keys_made_once_give_the_same_result(name: AttentionName) -> None:
    query, memory, mask = inputs()
    attention = make_attention(name, WIDTH, WIDTH)

    torch.testing.assert_close(
        attention(query, memory, mask, attention.keys(memory)), attention(query, memory, mask), rtol=0, atol=0
    )


def test_general_score_is_the_query_times_w_times_the_memory() -> None:
    query, memory, mask = inputs()
    attention = GeneralAttention(WIDTH, WIDTH)
    weight = attention.projection.weight  # (Q, M)

    _, weights = attention(query, memory, mask)

    score = torch.stack([query[0, 1] @ weight @ memory[0, j] for j in range(SOURCE)])
    torch.testing.assert_close(weights[0, 1], score.softmax(0))


def test_dot_score_is_the_query_times_the_memory() -> None:
    query, memory, mask = inputs()

    _, weights = DotAttention(WIDTH, WIDTH)(query, memory, mask)

    score = torch.stack([query[1, 0] @ memory[1, j] for j in range(2)])
    torch.testing.assert_close(weights[1, 0, :2], score.softmax(0))


def test_additive_score_is_v_times_tanh_of_both_projections() -> None:
    query, memory, mask = inputs()
    attention = AdditiveAttention(WIDTH, WIDTH, size=7)

    _, weights = attention(query, memory, mask)

    score = torch.cat(
        [
            attention.score(torch.tanh(attention.query(query[0, 2]) + attention.memory(memory[0, j])))
            for j in range(SOURCE)
        ]
    )
    torch.testing.assert_close(weights[0, 2], score.softmax(0))


def test_dot_attention_of_different_widths_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="memory_size"):
        DotAttention(4, 5)
