"""The models compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from ostinato_models.networks.cells import CellName

ModelName: TypeAlias = Literal["bag-of-words", "rnn", "lstm", "gru", "bilstm"]


@dataclass(frozen=True, slots=True)
class Contender:
    """A kind of model.

    Attributes:
        label: its name in figures and sentences.
        cell: of its recurrent layer; None for the bag of words.
        bidirectional: whether a second layer reads from the end.
    """

    label: str
    cell: CellName | None
    bidirectional: bool = False


CONTENDERS: Mapping[ModelName, Contender] = MappingProxyType(
    {
        "bag-of-words": Contender("bag of words", None),
        "rnn": Contender("RNN", "rnn"),
        "lstm": Contender("LSTM", "lstm"),
        "gru": Contender("GRU", "gru"),
        "bilstm": Contender("BiLSTM", "lstm", bidirectional=True),
    }
)
NETWORKS: tuple[ModelName, ...] = tuple(name for name, contender in CONTENDERS.items() if contender.cell is not None)
