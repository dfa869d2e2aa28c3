"""The encoder-decoder: teacher forcing equals stepping, and sources keep to themselves."""

from __future__ import annotations

import pytest
import torch

from ostinato_models.networks import Seq2Seq, Seq2SeqConfig
from ostinato_models.networks.attention import AttentionName

LENGTHS = torch.tensor([3, 6])
ATTENTIONS = ["additive", "general", "dot", None]


def network(attention: AttentionName | None, layers: int = 1) -> Seq2Seq:
    torch.manual_seed(0)
    return Seq2Seq(
        Seq2SeqConfig(
            vocabulary_size=30,
            embedding_size=8,
            encoder_size=6,
            decoder_size=12,
            num_layers=layers,
            attention=attention,
        )
    ).eval()


def tokens() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randint(4, 30, (2, 6)), torch.randint(4, 30, (2, 5))


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("layers", [1, 2])
def test_stepping_token_by_token_equals_the_whole_target_at_once(attention: AttentionName | None, layers: int) -> None:
    model = network(attention, layers)
    source, target = tokens()
    whole = model(source, LENGTHS, target)

    memory, state = model.encode(source, LENGTHS)
    steps = []
    for time in range(target.shape[1]):
        logits, _, state = model.decode(target[:, time : time + 1], memory, state)
        steps.append(logits)

    assert whole.shape == (2, 5, 30)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_padding_of_a_source_has_no_influence(attention: AttentionName | None) -> None:
    model = network(attention)
    source, target = tokens()
    before = model(source, LENGTHS, target)

    source[0, 3:] = 29
    after = model(source, LENGTHS, target)
    alone = model(source[:1, :3], LENGTHS[:1], target[:1])

    assert torch.equal(after, before)
    torch.testing.assert_close(alone, before[:1], rtol=0, atol=1e-5)


def test_attention_rows_cover_the_source_and_nothing_else() -> None:
    model = network("general")
    source, target = tokens()

    memory, state = model.encode(source, LENGTHS)
    _, weights, _ = model.decode(target, memory, state)

    assert weights is not None
    assert weights.shape == (2, 5, 6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 5))
    assert weights[0, :, 3:].eq(0).all()


def test_without_attention_the_start_state_is_the_only_link() -> None:
    model = network(None)
    source, target = tokens()
    memory, state = model.encode(source, LENGTHS)
    before, weights, _ = model.decode(target, memory, state)

    blank = memory._replace(values=torch.zeros_like(memory.values), keys=torch.zeros_like(memory.keys))
    after, _, _ = model.decode(target, blank, state)
    moved, _, _ = model.decode(target, memory, tuple(part + 1 for part in state))

    assert weights is None
    assert torch.equal(after, before)
    assert not torch.allclose(moved, before)


def test_source_and_target_share_one_table_which_is_also_the_output_layer() -> None:
    model = network("general")

    shapes = [tuple(value.shape) for value in model.state_dict().values()]

    assert shapes.count((30, 8)) == 1
    assert tuple(model.output_bias.shape) == (30,)


def test_what_enters_a_matrix_product_is_bounded_or_an_embedding() -> None:
    model = network("general")
    seen: dict[str, float] = {}
    for name in ("bridge_hidden", "combine"):
        getattr(model, name).register_forward_hook(
            lambda module, inputs, output, name=name: seen.__setitem__(name, float(inputs[0].detach().abs().max()))
        )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(50)
        model(*tokens()[:1], LENGTHS, tokens()[1])

    assert seen.keys() == {"bridge_hidden", "combine"}
    assert max(seen.values()) <= 1.0
