"""Everything that decides how a training runs, in one flat record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias

from ostinato_models.errors import ConfigurationError

Precision: TypeAlias = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How long, how fast and on how much at once; fields a task has no use for are ignored."""

    epochs: int
    seed: int = 1

    # Batches: streams (char-lm) or texts; token budgets keep the work of a step even.
    batch_size: int = 64
    tokens_per_batch: int = 4096  # padded tokens of a bucketed batch (sentiment, translation)
    bptt_steps: int = 128  # characters that a gradient flows back over (char-lm)
    max_tokens: int = 64  # longer sources are left out (sentiment: cut)

    # AdamW with a linear warm-up and a cosine decay to a share of the peak.
    learning_rate: float = 1e-3
    final_learning_rate_ratio: float = 0.02
    warmup_steps: int = 100
    weight_decay: float = 0.01
    average_decay: float = 0.0  # of a moving average of the weights, which is what is kept; 0 keeps the last
    clip_norm: float = 1.0  # global norm; exploding gradients are the recurrent failure

    label_smoothing: float = 0.0
    distillation_temperature: float = 2.0  # softens a teacher's labels (sentiment)
    typed_share: float = 0.0  # chance that a source is typed otherwise than the corpus has it (data/variants.py)
    unknown_rate: float = 0.0  # inputs replaced by <unk>, so that its embedding means something
    teacher_forcing: float = 1.0  # chance that the decoder is fed the true token, at the start
    final_teacher_forcing: float = 1.0  # and at the end; linear between (Bengio et al., 2015)

    precision: Precision = "fp32"
    patience: int = 0  # epochs without improvement before stopping; 0 never stops early
    checkpoint_every_steps: int = 500
    threads: int = 0  # 0 leaves torch's own choice

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConfigurationError: one is outside its domain.
        """
        for field in (
            "epochs",
            "batch_size",
            "tokens_per_batch",
            "bptt_steps",
            "max_tokens",
            "checkpoint_every_steps",
        ):
            if getattr(self, field) < 1:
                raise ConfigurationError(field, getattr(self, field), "at least 1")
        for field in ("seed", "warmup_steps", "weight_decay", "patience", "threads"):
            if getattr(self, field) < 0:
                raise ConfigurationError(field, getattr(self, field), "at least 0")
        for field in ("learning_rate", "clip_norm", "distillation_temperature"):
            if not getattr(self, field) > 0:
                raise ConfigurationError(field, getattr(self, field), "above 0")
        for field in (
            "final_learning_rate_ratio",
            "average_decay",
            "label_smoothing",
            "typed_share",
            "unknown_rate",
            "teacher_forcing",
            "final_teacher_forcing",
        ):
            if not 0.0 <= getattr(self, field) <= 1.0:
                raise ConfigurationError(field, getattr(self, field), "in [0, 1]")
        if self.precision not in ("fp32", "bf16", "fp16"):
            raise ConfigurationError("precision", self.precision, "fp32, bf16 or fp16")

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """Build a configuration from `to_dict`'s result.

        Raises:
            ConfigurationError: a field is unknown or outside its domain.
        """
        known = {field.name for field in fields(cls)}
        for name in values:
            if name not in known:
                raise ConfigurationError(name, values[name], "a field of TrainingConfig")
        return cls(**values)
