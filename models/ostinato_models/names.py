"""The names that options take; apart from what they name, so that a shell completes them without PyTorch."""

from __future__ import annotations

from typing import Literal, TypeAlias

TaskName: TypeAlias = Literal["char-lm", "sentiment", "translation"]
PresetName: TypeAlias = Literal["quick", "full"]
CellName: TypeAlias = Literal["rnn", "lstm", "gru"]
AttentionName: TypeAlias = Literal["additive", "general", "dot"]

TASKS: tuple[TaskName, ...] = ("char-lm", "sentiment", "translation")
