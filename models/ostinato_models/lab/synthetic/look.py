"""How an architecture looks in every figure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ostinato_models.lab.figures import BLUE, VERMILION
from ostinato_models.lab.synthetic.architectures import ArchitectureName

COLOURS: Mapping[ArchitectureName, str] = MappingProxyType(
    {"rnn": VERMILION, "lstm": BLUE, "gru": "#009e73", "bilstm": "#aa4499"}
)
MARKERS: Mapping[ArchitectureName, str] = MappingProxyType({"rnn": "o", "lstm": "s", "gru": "^", "bilstm": "D"})
"""For those who see no colours."""
