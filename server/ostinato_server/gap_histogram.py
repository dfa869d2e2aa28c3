"""A histogram that takes a whole step's observations at once, and outlives the engines that fill it."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class GapSeries:
    """What one engine has observed.

    Args:
        edges: Upper edges of the buckets in seconds, ascending.
    """

    def __init__(self, edges: NDArray[np.float64]) -> None:
        self._edges = edges
        self.counts = np.zeros(len(edges) + 1, np.int64)
        self.sum = 0.0

    def observe(self, values: NDArray[np.float64]) -> None:
        """Takes observations; called by one engine only, so that no lock is needed."""
        places = np.searchsorted(self._edges, values, side="left")
        self.counts += np.bincount(places, minlength=len(self._edges) + 1)
        self.sum += float(values.sum())

    def add(self, other: GapSeries) -> None:
        """Takes over what another series holds."""
        self.counts += other.counts
        self.sum += other.sum


class GapHistogram(Collector):
    """The gaps of every model, summed over its engines: while a model is swapped, two of them run.

    The engine sees one gap per stream and step, tens of thousands a second. The library's own histogram takes a lock
    and a search for each: 1.3 µs against 0.08 µs, measured in steps of 64 streams.

    Args:
        name: Name of the metric.
        help_text: What it measures.
        buckets: Upper edges in seconds, ascending.
    """

    def __init__(self, name: str, help_text: str, buckets: tuple[float, ...]) -> None:
        self._name = name
        self._help = help_text
        self._edges = np.array(buckets)
        self._lock = Lock()
        self._ended: dict[str, GapSeries] = {}
        self._running: dict[str, list[GapSeries]] = {}

    def open(self, model: str) -> GapSeries:
        """A series for an engine that starts."""
        series = GapSeries(self._edges)
        with self._lock:
            self._ended.setdefault(model, GapSeries(self._edges))
            self._running.setdefault(model, []).append(series)
        return series

    def close(self, model: str, series: GapSeries) -> None:
        """Keeps what an engine observed that has ended."""
        with self._lock:
            self._running[model].remove(series)
            self._ended[model].add(series)

    def collect(self) -> Iterable[Metric]:
        """Gives the histogram of every model."""
        family = HistogramMetricFamily(self._name, self._help, labels=["model"])
        names = [*map(floatToGoString, self._edges), "+Inf"]
        with self._lock:
            for model, ended in self._ended.items():
                total = GapSeries(self._edges)
                for series in (ended, *self._running[model]):
                    total.add(series)
                buckets = list(zip(names, np.cumsum(total.counts).tolist(), strict=True))
                family.add_metric([model], buckets, total.sum)
        yield family
