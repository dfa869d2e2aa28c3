"""The networks compared: the project's recurrent layer, in four kinds, with a linear readout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from ostinato_models.lab.synthetic.tasks import Task
from ostinato_models.networks import Recurrent
from ostinato_models.networks.cells import GATES, CellName
from ostinato_models.networks.layers import KernelName

ArchitectureName: TypeAlias = Literal["rnn", "lstm", "gru", "bilstm"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """A kind of recurrent network.

    Attributes:
        cell: its equations.
        bidirectional: whether a second layer reads from the end.
        label: its name in figures and sentences.
    """

    cell: CellName
    bidirectional: bool
    label: str

    @property
    def directions(self) -> int:
        """How many directions it reads in, D."""
        return 2 if self.bidirectional else 1

    def parameters(self, inputs: int, hidden_size: int, outputs: int) -> int:
        """How many numbers are trained with `hidden_size` features a direction."""
        layer = GATES[self.cell] * hidden_size * (inputs + hidden_size + 2)
        return self.directions * layer + outputs * (self.directions * hidden_size + 1)

    def hidden_size(self, inputs: int, outputs: int, parameters: int) -> int:
        """Features a direction with which the count comes nearest to `parameters`."""
        size = 1
        while self.parameters(inputs, size + 1, outputs) <= parameters:
            size += 1
        return min((size, size + 1), key=lambda near: abs(self.parameters(inputs, near, outputs) - parameters))


ARCHITECTURES: Mapping[ArchitectureName, Architecture] = MappingProxyType(
    {
        "rnn": Architecture("rnn", bidirectional=False, label="RNN"),
        "lstm": Architecture("lstm", bidirectional=False, label="LSTM"),
        "gru": Architecture("gru", bidirectional=False, label="GRU"),
        "bilstm": Architecture("lstm", bidirectional=True, label="BiLSTM"),
    }
)


class Answerer(nn.Module):
    """Reads a sequence and answers, either once after all of it or at each of its last steps."""

    def __init__(
        self,
        architecture: Architecture,
        hidden_size: int,
        *,
        inputs: int,
        outputs: int,
        answers: int,
        kernel: KernelName = "fused",
    ) -> None:
        """Make fresh weights; `answers` is that of a `Task`."""
        super().__init__()
        self.answers = answers
        self.recurrent = Recurrent(
            architecture.cell, inputs, hidden_size, bidirectional=architecture.bidirectional, kernel=kernel
        )
        self.output = nn.Linear(hidden_size * architecture.directions, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Answer: (B, T, I) to (B, A, O), or to (B, O) when there is one answer after all steps."""
        outputs, state = self.recurrent(inputs)
        read = outputs[:, -self.answers :] if self.answers else state[0].flatten(1)
        answered: Tensor = self.output(read)
        return answered


def build(architecture: Architecture, task: Task, parameters: int, seed: int, kernel: KernelName = "fused") -> Answerer:
    """A network for `task` with about `parameters` parameters; leaves torch's generator as it was."""
    hidden_size = architecture.hidden_size(task.inputs, task.outputs, parameters)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Answerer(
            architecture,
            hidden_size,
            inputs=task.inputs,
            outputs=task.outputs,
            answers=task.answers,
            kernel=kernel,
        )
