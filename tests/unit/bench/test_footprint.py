"""Memory a stream, and the metrics that tell it."""

from __future__ import annotations

import click
import pytest

from ostinato_bench.commands.memory import refused
from ostinato_bench.footprint import Level, kibibytes_a_stream
from ostinato_bench.metrics import Metrics, sums
from ostinato_bench.recording import Recording
from ostinato_bench.refusals import Ending


def test_memory_a_stream_is_the_slope_over_streams_held() -> None:
    levels = [Level(held, min(held, 64), max(held - 64, 0), 0, 1e8 + 20 * 1024 * held) for held in (64, 1000, 4000)]
    assert kibibytes_a_stream(levels) == pytest.approx(20)
    assert kibibytes_a_stream(levels[:1]) is None


def test_a_metric_is_summed_over_its_labels() -> None:
    text = '# HELP a b\na{model="x"} 2.0\na{model="y"} 3\na_total 9\nb 1e6\n'
    assert sums(text, ("a", "b", "c")) == {"a": 5.0, "b": 1e6, "c": 0.0}


def test_only_addresses_of_http_are_read() -> None:
    with pytest.raises(click.BadParameter, match="no http://"):
        Metrics("file:///etc/passwd")


def test_a_server_that_refuses_is_answered_with_the_flags_to_raise() -> None:
    recording = Recording(1.0)
    refused(recording, 100)
    recording.ended(Ending(True, "RESOURCE_EXHAUSTED (TOO_MANY_CALLS)", 1.0), 0.01)
    with pytest.raises(click.ClickException, match=r"1 RESOURCE_EXHAUSTED.*--max-queue 100.*--max-requests-per-caller"):
        refused(recording, 100)
