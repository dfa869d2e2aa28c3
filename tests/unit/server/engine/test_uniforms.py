import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.engine.uniforms import keyed_uniforms

KEYS = st.integers(0, 2**64 - 1)


def draw(seed: int, position: int) -> float:
    return float(keyed_uniforms(np.array([seed], np.uint64), np.array([position], np.uint64))[0])


def test_known_values_never_change_so_that_old_seeds_keep_their_text() -> None:
    drawn = keyed_uniforms(np.array([0, 0, 1, 2**64 - 1], np.uint64), np.array([0, 1, 0, 7], np.uint64))
    assert drawn.tolist() == [0.6524484753608704, 0.7012121081352234, 0.3681895136833191, 0.7238582372665405]


@given(KEYS, st.integers(0, 2**32))
def test_number_lies_in_the_unit_interval(seed: int, position: int) -> None:
    assert 0.0 <= draw(seed, position) < 1.0


@given(st.lists(st.tuples(KEYS, st.integers(0, 10_000)), min_size=1, max_size=50))
def test_number_does_not_depend_on_its_neighbours(pairs: list[tuple[int, int]]) -> None:
    seeds, positions = (np.array(column, np.uint64) for column in zip(*pairs, strict=True))
    assert keyed_uniforms(seeds, positions).tolist() == [draw(*pair) for pair in pairs]


def test_numbers_of_a_stream_are_uniform_and_uncorrelated() -> None:
    count = 100_000
    positions = np.arange(count, dtype=np.uint64)
    first = keyed_uniforms(np.full(count, 1, np.uint64), positions).astype(np.float64)
    second = keyed_uniforms(np.full(count, 2, np.uint64), positions).astype(np.float64)
    histogram = np.histogram(first, bins=20, range=(0, 1))[0]
    # Chi-squared with 19 degrees of freedom exceeds 43.8 once in a thousand.
    assert ((histogram - count / 20) ** 2 / (count / 20)).sum() < 43.8
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.015
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.015
