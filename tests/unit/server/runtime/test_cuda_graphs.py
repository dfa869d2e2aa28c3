"""Torch's streams come round again; a recording takes none on which graphs of another table were recorded."""

from itertools import cycle

import pytest

from ostinato_server.runtime.cuda_graphs import StreamsApart


def test_stream_that_comes_round_again_is_passed_over() -> None:
    drawn = cycle([0, 1, 0, 2])
    streams = StreamsApart(lambda: next(drawn), int)
    assert [streams.take() for _ in range(3)] == [0, 1, 2]


def test_stream_that_was_given_back_comes_before_new_ones() -> None:
    drawn = cycle(range(32))
    streams = StreamsApart(lambda: next(drawn), int)
    assert [streams.take() for _ in range(3)] == [0, 1, 2]
    streams.give_back(1)
    assert [streams.take(), streams.take()] == [1, 3]


def test_no_stream_left_is_told() -> None:
    drawn = cycle(range(32))
    streams = StreamsApart(lambda: next(drawn), int)
    assert len({streams.take() for _ in range(32)}) == 32
    with pytest.raises(RuntimeError, match="32 step graphs are loaded on this device"):
        streams.take()
    streams.give_back(7)
    assert streams.take() == 7
