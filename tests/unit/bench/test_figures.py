"""Pictures of runs."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from ostinato_bench.figures import draw_latency, draw_overload
from ostinato_bench.overloading import point
from ostinato_bench.recording import Recording
from ostinato_bench.refusals import Ending
from ostinato_bench.statistics import Result, summarise


def result(concurrency: int) -> Result:
    recording = Recording(1.0)
    recording.arrived(0.1, 1, first=0.01 * concurrency)
    recording.arrived(0.2, 1, gap=0.001 * concurrency)
    recording.done(0.2, 0.2)
    return summarise(recording, task="generate", concurrency=concurrency)


def test_latency_and_throughput_are_labelled_with_their_units(tmp_path: Path) -> None:
    draw_latency([result(16), result(1)], "characters", tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text()
    labels = ("Time to first token", "Between tokens", "milliseconds", "characters a second", "requests in flight")
    assert [label for label in (*labels, "p50", "p99", ">16<") if label not in svg] == []


def test_overload_shows_goodput_and_refusals(tmp_path: Path) -> None:
    recording = Recording(1.0)
    recording.done(0.5, 0.1)
    recording.ended(Ending(True, "RESOURCE_EXHAUSTED", 1.0), 0.01)
    points = [point(recording, factor=factor, rate=factor, deadline=1.0, task="generate") for factor in (0.5, 2, 10)]
    draw_overload(points, 1.0, tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text()
    assert [label for label in ("within 1 s", "aim: 50 ms", "goodput", ">10x<") if label not in svg] == []


def test_an_ending_that_is_no_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match=r"a\.nothing"):
        draw_latency([result(1)], "characters", tmp_path / "a.nothing")
