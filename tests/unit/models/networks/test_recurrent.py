"""The stacks give torch.nn's numbers: outputs, states and gradients, padded or not."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ostinato_models.errors import ConfigurationError
from ostinato_models.networks import Recurrent
from ostinato_models.networks.cells import CellName
from ostinato_models.networks.layers import KernelName

TORCH = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
TOLERANCE = 1e-5
# (batch, time, input, hidden, layers, both directions)
SIZES = [(1, 1, 3, 4, 1, False), (4, 7, 5, 6, 2, False), (3, 9, 8, 5, 1, True), (5, 12, 6, 16, 3, True)]

combinations = pytest.mark.parametrize(
    ("cell", "kernel", "sizes"), list(itertools.product(TORCH, ["fused", "reference"], SIZES))
)


def twins(cell: CellName, kernel: KernelName, sizes: tuple[Any, ...]) -> tuple[Recurrent, nn.RNNBase, Tensor]:
    """Our stack and torch's with the same weights, and random inputs for them."""
    torch.manual_seed(hash(sizes) % 1000)
    batch, time, width, hidden, layers, both = sizes
    theirs = TORCH[cell](width, hidden, layers, batch_first=True, bidirectional=both)
    ours = Recurrent(cell, width, hidden, layers, bidirectional=both, kernel=kernel)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs, torch.randn(batch, time, width)


def torch_state(cell: CellName, state: Any) -> tuple[Tensor, ...]:
    """torch's state as ours is laid out: a tuple, batch first."""
    parts = state if cell == "lstm" else (state,)
    return tuple(part.transpose(0, 1) for part in parts)


def assert_close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=TOLERANCE)


@combinations
def test_outputs_and_final_state_equal_torchs_from_a_given_state(
    cell: CellName, kernel: KernelName, sizes: tuple[Any, ...]
) -> None:
    ours, theirs, inputs = twins(cell, kernel, sizes)
    start = tuple(torch.randn_like(part) for part in ours.initial_state(sizes[0]))
    theirs_start = tuple(part.transpose(0, 1).contiguous() for part in start)

    outputs, state = ours(inputs, start)
    expected, expected_state = theirs(inputs, theirs_start if cell == "lstm" else theirs_start[0])

    assert_close(outputs, expected)
    for part, expected_part in zip(state, torch_state(cell, expected_state), strict=True):
        assert_close(part, expected_part)


@combinations
def test_rows_of_their_own_lengths_equal_torchs_packed_sequences(
    cell: CellName, kernel: KernelName, sizes: tuple[Any, ...]
) -> None:
    ours, theirs, inputs = twins(cell, kernel, sizes)
    lengths = torch.randint(1, sizes[1] + 1, (sizes[0],))

    outputs, state = ours(inputs, None, lengths)
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    expected_packed, expected_state = theirs(packed)
    expected, _ = pad_packed_sequence(expected_packed, batch_first=True, total_length=sizes[1])

    assert_close(outputs, expected)
    for part, expected_part in zip(state, torch_state(cell, expected_state), strict=True):
        assert_close(part, expected_part)


@combinations
def test_gradients_of_inputs_and_every_parameter_equal_torchs(
    cell: CellName, kernel: KernelName, sizes: tuple[Any, ...]
) -> None:
    ours, theirs, inputs = twins(cell, kernel, sizes)
    lengths = torch.randint(1, sizes[1] + 1, (sizes[0],))
    our_inputs, their_inputs = inputs.clone().requires_grad_(), inputs.clone().requires_grad_()

    outputs, _ = ours(our_inputs, None, lengths)
    packed = pack_padded_sequence(their_inputs, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(theirs(packed)[0], batch_first=True, total_length=sizes[1])
    outputs.square().sum().backward()
    expected.square().sum().backward()  # type: ignore[no-untyped-call]

    assert our_inputs.grad is not None
    assert their_inputs.grad is not None
    assert_close(our_inputs.grad, their_inputs.grad)
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-5, atol=TOLERANCE)


@pytest.mark.parametrize("cell", list(TORCH))
def test_parameter_names_and_shapes_are_torchs(cell: CellName) -> None:
    ours, theirs, _ = twins(cell, "fused", SIZES[3])

    assert {name: tuple(value.shape) for name, value in ours.state_dict().items()} == {
        name: tuple(value.shape) for name, value in theirs.state_dict().items()
    }


@pytest.mark.parametrize("kernel", ["fused", "reference"])
def test_padding_changes_nothing_and_its_outputs_are_zero(kernel: KernelName) -> None:
    stack = Recurrent("lstm", 4, 6, 2, bidirectional=True, kernel=kernel)
    inputs, lengths = torch.randn(3, 8, 4), torch.tensor([3, 8, 5])
    outputs, state = stack(inputs, None, lengths)

    inputs[0, 3:] = 1e6
    inputs[2, 5:] = float("nan")
    again, state_again = stack(inputs, None, lengths)

    torch.testing.assert_close(again, outputs, rtol=0, atol=0)
    torch.testing.assert_close(state_again, state, rtol=0, atol=0)
    assert outputs[0, 3:].eq(0).all()
    assert outputs[2, 5:].eq(0).all()


def test_forget_gates_start_open() -> None:
    stack = Recurrent("lstm", 4, 6)

    bias = stack.state_dict()["bias_ih_l0"]

    assert bias[6:12].tolist() == [1.0] * 6
    assert bias[:6].abs().max() <= 6**-0.5


def test_dropout_between_layers_acts_while_training_only() -> None:
    stack = Recurrent("gru", 4, 16, 2, dropout=0.5)
    inputs = torch.randn(2, 5, 4)

    training = [stack(inputs)[0] for _ in range(2)]
    stack.eval()
    evaluation = [stack(inputs)[0] for _ in range(2)]

    assert not torch.equal(*training)
    assert torch.equal(*evaluation)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cell": "mlp"}, "cell"),
        ({"hidden_size": 0}, "hidden_size"),
        ({"num_layers": 0}, "num_layers"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_a_value_outside_its_domain_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    arguments: dict[str, Any] = {"cell": "lstm", "input_size": 3, "hidden_size": 4, **changes}

    with pytest.raises(ConfigurationError) as caught:
        Recurrent(**arguments)

    assert caught.value.field == field


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_under_autocast_the_numbers_differ_by_bfloat16_rounding_only(cell: CellName) -> None:
    stack = Recurrent(cell, 6, 16, bidirectional=True)
    inputs = torch.rand(3, 7, 6, generator=torch.Generator().manual_seed(1))
    exact, exact_state = stack(inputs)
    lengths = torch.tensor([7, 2, 5])
    exact_packed, _ = stack(inputs, None, lengths)

    with torch.autocast("cpu", torch.bfloat16):
        rounded, rounded_state = stack(inputs.bfloat16(), tuple(torch.zeros_like(part) for part in exact_state))
        packed, _ = stack(inputs, None, lengths)
        rounded.sum().backward()

    assert {tensor.dtype for tensor in (rounded, packed, *rounded_state)} == {torch.float32}
    torch.testing.assert_close(rounded, exact, rtol=0, atol=0.02)
    torch.testing.assert_close(packed, exact_packed, rtol=0, atol=0.02)
    assert all(parameter.grad is not None for parameter in stack.parameters())
