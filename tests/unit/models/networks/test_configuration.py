"""A configuration is checked when it is made, and survives the way to JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostinato_models.errors import ConfigurationError
from ostinato_models.networks import CharLanguageModelConfig, SentimentClassifierConfig, Seq2SeqConfig
from ostinato_models.networks.configuration import ModelConfig

CONFIGS = [
    CharLanguageModelConfig(vocabulary_size=66, cell="gru", dropout=0.3),
    SentimentClassifierConfig(vocabulary_size=7000, pooling="max", bidirectional=False),
    Seq2SeqConfig(vocabulary_size=6000, attention=None),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_a_configuration_comes_back_from_json_equal(config: ModelConfig) -> None:
    assert type(config).from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        (CharLanguageModelConfig, {"vocabulary_size": 0}, "vocabulary_size"),
        (CharLanguageModelConfig, {"cell": "cnn"}, "cell"),
        (CharLanguageModelConfig, {"dropout": -0.1}, "dropout"),
        (SentimentClassifierConfig, {"pooling": "first"}, "pooling"),
        (SentimentClassifierConfig, {"hidden_size": 0}, "hidden_size"),
        (Seq2SeqConfig, {"attention": "self"}, "attention"),
        (Seq2SeqConfig, {"layers": 2}, "layers"),
    ],
)
def test_a_value_outside_its_domain_is_refused_by_name(
    kind: type[ModelConfig], changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        kind.from_dict({"vocabulary_size": 10, **changes})

    assert caught.value.field == field


def test_a_missing_field_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="vocabulary_size"):
        Seq2SeqConfig.from_dict({})
