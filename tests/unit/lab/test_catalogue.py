"""The catalogue names experiments that exist, and no others."""

from __future__ import annotations

import pytest

from ostinato_models.errors import ModelsError
from ostinato_models.lab.catalogue import CATALOGUE, load_experiment
from ostinato_models.lab.errors import UnknownExperimentError


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_every_experiment_has_both_presets(name: str) -> None:
    assert set(load_experiment(name).presets) == {"quick", "full"}


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownExperimentError, match="'perpetual-motion' is no experiment; there is gradient-flow"):
        load_experiment("perpetual-motion")
    assert issubclass(UnknownExperimentError, ModelsError)
