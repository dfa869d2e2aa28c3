"""What attention can be told, and its two presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ostinato_models.lab.experiment import Settings
from ostinato_models.networks.configuration import require_positive
from ostinato_models.presets import PresetName
from ostinato_models.training.configuration import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionSettings(Settings):
    """Sizes of the experiment; both networks are trained alike.

    Attributes:
        dataset: sentence pairs to learn from and to test on.
        vocabulary_size: byte-pair tokens of both languages together.
        embedding_size: features of a token, E.
        encoder_size: features of a direction of the encoder, He.
        decoder_size: features of the decoder, Hd.
        dropout: probability of dropping a feature while training.
        epochs: passes over the training pairs.
        tokens_per_batch: padded tokens of a batch.
        learning_rate: peak of the schedule.
        precision: type of the products.
        lengths: longest source, in words, of every group but the last, which has all that are longer.
        aligner_iterations: rounds of the aligner's expectation maximisation.
        shown: source sentences whose alignment maps are drawn, this project's own.
    """

    dataset: str
    vocabulary_size: int
    embedding_size: int
    encoder_size: int
    decoder_size: int
    dropout: float
    epochs: int
    tokens_per_batch: int
    learning_rate: float
    precision: Precision
    lengths: tuple[int, ...]
    aligner_iterations: int
    shown: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check the sizes."""
        require_positive(
            vocabulary_size=self.vocabulary_size,
            epochs=self.epochs,
            lengths=min(self.lengths),
            aligner_iterations=self.aligner_iterations,
            shown=len(self.shown),
        )


PRESETS: Mapping[PresetName, AttentionSettings] = MappingProxyType(
    {
        "quick": AttentionSettings(
            dataset="generated-translation",
            vocabulary_size=400,
            embedding_size=32,
            encoder_size=32,
            decoder_size=64,
            dropout=0.1,
            epochs=6,
            tokens_per_batch=600,
            learning_rate=8e-3,
            precision="fp32",
            lengths=(4, 5, 6),
            aligner_iterations=5,
            shown=("She does not see the black cat.", "We look for the small green houses."),
        ),
        # Multi30k's captions run to 30 words; nine in ten of Tatoeba's sentences have fewer than ten.
        "full": AttentionSettings(
            dataset="multi30k-en-fr",
            vocabulary_size=4000,
            embedding_size=128,
            encoder_size=128,
            decoder_size=256,
            dropout=0.2,
            epochs=8,
            tokens_per_batch=1200,
            learning_rate=3e-3,
            precision="bf16",
            lengths=(9, 12, 15, 18),
            aligner_iterations=8,
            shown=(
                "A man in a blue shirt is playing the guitar.",
                "Two young girls are running through the green grass.",
                "An old woman reads a red book in front of a house.",
            ),
        ),
    }
)
