"""What sampling can be told, and its two presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ostinato_models.errors import ConfigurationError
from ostinato_models.lab.experiment import Settings
from ostinato_models.networks.configuration import require_positive
from ostinato_models.presets import PresetName


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings(Settings):
    """Sizes and ranges of the experiment.

    Attributes:
        model: a character model of the repository; empty trains a small one first.
        training_epochs: passes over the text where a model is trained.
        texts: texts written with every setting of the sampler, R.
        prompt_characters: characters of held-out text that each text continues.
        characters: length of a text, L.
        temperatures: tried without truncation; 0 (greedy) and 1 (the model's own distribution) among them.
        top_ks: tried at temperature 1; 0 (every character) among them.
        top_ps: tried at temperature 1; 1 (every character) among them.
    """

    model: str
    training_epochs: int
    texts: int
    prompt_characters: int
    characters: int
    temperatures: tuple[float, ...]
    top_ks: tuple[int, ...]
    top_ps: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check every field."""
        require_positive(texts=self.texts, characters=self.characters)
        if not self.model:
            require_positive(training_epochs=self.training_epochs)
        if self.prompt_characters < 2:
            raise ConfigurationError("prompt_characters", self.prompt_characters, "at least 2")
        if not {0.0, 1.0} <= set(self.temperatures) or min(self.temperatures) < 0:
            raise ConfigurationError("temperatures", self.temperatures, "0 or more, with 0 and 1 among them")
        if 0 not in self.top_ks or min(self.top_ks) < 0:
            raise ConfigurationError("top_ks", self.top_ks, "0 or more, with 0 among them")
        if 1.0 not in self.top_ps or not all(0 < value <= 1 for value in self.top_ps):
            raise ConfigurationError("top_ps", self.top_ps, "above 0, at most 1, with 1 among them")


PRESETS: Mapping[PresetName, SamplingSettings] = MappingProxyType(
    {
        "quick": SamplingSettings(
            model="",
            training_epochs=5,
            texts=12,
            prompt_characters=64,
            characters=300,
            temperatures=(0.0, 0.3, 0.6, 1.0, 1.5),
            top_ks=(1, 3, 10, 0),
            top_ps=(0.3, 0.6, 0.9, 1.0),
        ),
        "full": SamplingSettings(
            model="char-lm",
            training_epochs=0,
            texts=64,
            prompt_characters=256,
            characters=500,
            temperatures=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5),
            top_ks=(1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 0),
            top_ps=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0),
        ),
    }
)
