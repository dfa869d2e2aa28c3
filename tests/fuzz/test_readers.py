"""Damaged files, texts and tensors: a little of what ``make fuzz`` finds its way to."""

from __future__ import annotations

from random import Random

import pytest
from tests.fuzz.mutation import damaged
from tests.fuzz.readers import READERS

INPUTS = 300


@pytest.mark.parametrize("name", READERS)
def test_reader_understands_or_refuses_whatever_it_is_given(name: str) -> None:
    reader, random = READERS[name], Random(name)
    seeds = list(reader.seeds())
    for seed in seeds:
        reader.read(seed)
    for _ in range(INPUTS):
        reader.read(damaged(seeds, seeds, random))
