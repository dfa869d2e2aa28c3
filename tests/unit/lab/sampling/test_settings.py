"""Settings that cannot be measured are refused, and presets are ones that can."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ostinato_models.errors import ConfigurationError
from ostinato_models.lab.sampling.settings import PRESETS
from ostinato_models.lab.sampling.writing import Sampler, samplers


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperatures": (0.0, 0.5)}, "temperatures = .*with 0 and 1 among them"),
        ({"temperatures": (-1.0, 0.0, 1.0)}, "temperatures = .*0 or more"),
        ({"top_ks": (1, 5)}, "top_ks = .*with 0 among them"),
        ({"top_ps": (0.0, 1.0)}, "top_ps = .*above 0"),
        ({"top_ps": (0.5,)}, "top_ps = .*with 1 among them"),
        ({"prompt_characters": 1}, "prompt_characters = 1: must be at least 2"),
        ({"texts": 0}, "texts = 0"),
        ({"training_epochs": 0}, "training_epochs = 0"),
    ],
)
def test_a_value_out_of_its_domain_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        replace(PRESETS["quick"], **change)


def test_every_sampler_is_tried_once() -> None:
    tiny = replace(PRESETS["quick"], temperatures=(0.0, 1.0), top_ks=(2, 0), top_ps=(0.5, 1.0))
    assert samplers(tiny) == (Sampler(temperature=0.0), Sampler(), Sampler(top_k=2), Sampler(top_p=0.5))
