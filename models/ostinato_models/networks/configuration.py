"""What every model configuration shares: checks on construction and a way to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from ostinato_models.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Sizes and kinds of one network; enough to build it again."""

    vocabulary_size: int

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build a configuration from `to_dict`'s result.

        Raises:
            ConfigurationError: a field is unknown, missing or outside its domain.
        """
        known = {field.name for field in fields(cls)}
        for name in values:
            if name not in known:
                raise ConfigurationError(name, values[name], f"a field of {cls.__name__}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ConfigurationError(cls.__name__, dict(values), f"complete ({error})") from error


def require_positive(**values: int) -> None:
    """Check that every value is at least 1.

    Raises:
        ConfigurationError: one is not.
    """
    for field, value in values.items():
        if value < 1:
            raise ConfigurationError(field, value, "at least 1")


def require_probability(**values: float) -> None:
    """Check that every value is in [0, 1).

    Raises:
        ConfigurationError: one is not.
    """
    for field, value in values.items():
        if not 0.0 <= value < 1.0:
            raise ConfigurationError(field, value, "in [0, 1)")


def require_one_of(field: str, value: str, allowed: tuple[str, ...]) -> None:
    """Check that `value` is one of `allowed`.

    Raises:
        ConfigurationError: it is not.
    """
    if value not in allowed:
        raise ConfigurationError(field, value, " or ".join(allowed))
