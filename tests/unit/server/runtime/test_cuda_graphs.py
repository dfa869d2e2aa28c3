"""Torch's streams come round again; a recording takes none on which graphs of a living table were recorded."""

from itertools import cycle

import pytest

from ostinato_server.runtime.cuda_graphs import first_untaken


def test_stream_that_comes_round_again_is_passed_over() -> None:
    streams = cycle(range(32))
    assert first_untaken(lambda: next(streams), int, frozenset({0, 1, 2})) == 3
    assert first_untaken(lambda: next(streams), int, frozenset(range(4, 32))) == 0


def test_no_stream_left_is_told() -> None:
    streams = cycle(range(32))
    with pytest.raises(RuntimeError, match="32 step graphs are loaded on this device"):
        first_untaken(lambda: next(streams), int, frozenset(range(32)))
