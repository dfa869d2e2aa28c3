"""A stack of recurrent layers with the parameters of `torch.nn.RNN`, `LSTM` and `GRU`."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from ostinato_models.errors import ConfigurationError
from ostinato_models.networks.cells import GATES, STATES, CellName, State
from ostinato_models.networks.layers import (
    DirectionWeights,
    KernelName,
    fused_layer,
    reference_layer,
)


class Recurrent(nn.Module):
    """Stacked RNN, LSTM or GRU, in one direction or both, batch first.

    Parameter names, shapes and gate orders are those of `torch.nn`, so a state dictionary moves
    between the two unchanged. The state differs in one thing: it is batch first, (B, L*D, H),
    with layer 0 forward, layer 0 reverse, layer 1 forward, … along its second axis.

        >>> stack = Recurrent("lstm", input_size=8, hidden_size=16, num_layers=2)
        >>> outputs, (hidden, memory) = stack(torch.zeros(3, 5, 8))
        >>> outputs.shape, hidden.shape
        (torch.Size([3, 5, 16]), torch.Size([3, 2, 16]))
    """

    def __init__(
        self,
        cell: CellName,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
        kernel: KernelName = "fused",
    ) -> None:
        """Make the parameters.

        Args:
            cell: ``rnn``, ``lstm`` or ``gru``.
            input_size: features of an input, I.
            hidden_size: features of a direction's state, H.
            num_layers: layers, L.
            bidirectional: read in both directions (D = 2) or forward only (D = 1).
            dropout: probability of dropping a feature between two layers while training.
            kernel: ``fused`` (torch's kernels) or ``reference`` (the written-out equations).

        Raises:
            ConfigurationError: a value is outside its domain.
        """
        super().__init__()
        if cell not in GATES:
            raise ConfigurationError("cell", cell, "rnn, lstm or gru")
        for field, value in (
            ("input_size", input_size),
            ("hidden_size", hidden_size),
            ("num_layers", num_layers),
        ):
            if value < 1:
                raise ConfigurationError(field, value, "at least 1")
        if not 0.0 <= dropout < 1.0:
            raise ConfigurationError("dropout", dropout, "in [0, 1)")
        self.cell: CellName = cell
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.kernel: KernelName = kernel
        self.dropout = nn.Dropout(dropout)
        rows = GATES[cell] * hidden_size
        for layer in range(num_layers):
            width = input_size if layer == 0 else hidden_size * self.num_directions
            for suffix in self._suffixes(layer):
                self.register_parameter(f"weight_ih_{suffix}", _empty(rows, width))
                self.register_parameter(f"weight_hh_{suffix}", _empty(rows, hidden_size))
                self.register_parameter(f"bias_ih_{suffix}", _empty(rows))
                self.register_parameter(f"bias_hh_{suffix}", _empty(rows))
        self.reset_parameters()

    @property
    def num_directions(self) -> int:
        """How many directions a layer reads in, D."""
        return 2 if self.bidirectional else 1

    def reset_parameters(self) -> None:
        """Draw every parameter from U(-1/√H, 1/√H); open the LSTM's forget gates.

        The forget gate's input bias starts at 1 (Józefowicz et al., 2015), so that memory is
        kept until there is a reason to drop it.
        """
        bound = 1.0 / math.sqrt(self.hidden_size)
        for name, parameter in self.named_parameters():
            nn.init.uniform_(parameter, -bound, bound)
            if self.cell == "lstm" and name.startswith("bias_ih"):
                nn.init.ones_(parameter.data[self.hidden_size : 2 * self.hidden_size])

    def initial_state(self, batch: int) -> State:
        """The zero state for `batch` rows, each tensor (B, L*D, H)."""
        like = next(self.parameters())
        shape = (batch, self.num_layers * self.num_directions, self.hidden_size)
        return tuple(like.new_zeros(shape) for _ in range(STATES[self.cell]))

    def layer_weights(self, layer: int) -> list[DirectionWeights]:
        """The parameters of `layer`, the forward direction first."""
        return [
            DirectionWeights(
                *(
                    cast("Tensor", getattr(self, f"{kind}_{suffix}"))
                    for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                )
            )
            for suffix in self._suffixes(layer)
        ]

    def forward(
        self, inputs: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Run the stack over a batch of sequences.

        Args:
            inputs: shape (B, T, I).
            state: initial state, each tensor (B, L*D, H); zero when None.
            lengths: valid steps of every row, int64 (B,), each in 1…T; all T when None.

        Returns:
            The last layer's outputs (B, T, D*H), zero after a row's length, and the state after
            every row's last valid step, each tensor (B, L*D, H).
        """
        if state is None:
            state = self.initial_state(inputs.shape[0])
        if lengths is not None and int(lengths.min()) == inputs.shape[1]:
            lengths = None  # nothing is padded: the kernels are faster without packing
        run = fused_layer if self.kernel == "fused" else reference_layer
        width = self.num_directions
        finals: list[State] = []
        outputs = inputs
        for layer in range(self.num_layers):
            if layer:
                outputs = self.dropout(outputs)
            own = slice(layer * width, (layer + 1) * width)
            start = tuple(part[:, own].transpose(0, 1).contiguous() for part in state)  # (D, B, H)
            outputs, final = run(self.cell, outputs, start, self.layer_weights(layer), lengths)
            finals.append(final)
        return outputs, tuple(torch.cat(parts).transpose(0, 1) for parts in zip(*finals, strict=True))

    def extra_repr(self) -> str:
        """Sizes, for `print(model)`."""
        return (
            f"{self.cell}, {self.input_size} -> {self.hidden_size}, layers={self.num_layers}, "
            f"directions={self.num_directions}, kernel={self.kernel}"
        )

    def _suffixes(self, layer: int) -> list[str]:
        return [f"l{layer}", f"l{layer}_reverse"][: self.num_directions]


def _empty(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(*shape))
