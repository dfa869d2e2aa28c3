"""The bare step loop of each ONNX graph, without server or network: what the engine can hope for at most.

    python -m ostinato_bench.micro --repository models/pretrained

A step graph runs in a loop on its own outputs, as in a stream: the next token and the new state go back in. A
classifier runs on texts of a fixed length. Beside each step stands the machine's own limit, measured in the same run:
the fastest of the step's matrix products, alone, at the same batch. Needs the ``server`` and ``train`` extras.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ostinato_bench.alone import WARM_UP, open_alone, runs
from ostinato_bench.peaks import find_products, peak
from ostinato_bench.repository import repository_option
from ostinato_bundle import Artifact, Bundle, BundleError, Graph, discover, open_bundle
from ostinato_client.cli.output import console
from ostinato_client.cli.terminal import color_system, moves_cursor

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SOURCE_TOKENS = 12
"""Length of the sentence that a decoder attends to."""
TEXT_TOKENS = 24
"""Length of the texts that a classifier reads."""
ARTIFACTS: tuple[Artifact, ...] = ("onnx-int8", "onnx")
GRAPHS = ("step", "classifier")

Arrays = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A graph of a bundle, as one artifact, at one batch size."""

    bundle: Bundle
    graph: str
    artifact: Artifact
    batch: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """Median of the steps of one case.

    Attributes:
        model: Name and version.
        graph: "step" or "classifier".
        artifact: "onnx-int8" or "onnx".
        batch: Rows in a step.
        step_microseconds: Median duration of a step.
        steps_per_second: Its inverse.
        tokens_per_second: Tokens (a classifier's: texts) that so many steps a second make.
        steps: How many were timed.
        peak_gops: Billion operations a second of the fastest of its matrix products alone; none for a classifier.
        peak_share: Part of that rate that the whole step reaches, counting the operations of its products only.
    """

    model: str
    graph: str
    artifact: str
    batch: int
    step_microseconds: float
    steps_per_second: float
    tokens_per_second: float
    steps: int
    peak_gops: float | None
    peak_share: float | None


def make_inputs(graph: Graph, batch: int, vocabulary_size: int, source: np.random.Generator) -> Arrays:
    """Inputs as at the start of a stream: random tokens and memory, zero state, plain sampling."""
    length = SOURCE_TOKENS if graph.memory else TEXT_TOKENS
    inputs: Arrays = {}
    for tensor in graph.inputs:
        shape = (batch, *(length if size < 0 else size for size in tensor.shape[1:]))
        match tensor.name:
            case "token" | "tokens":
                inputs[tensor.name] = source.integers(0, vocabulary_size, shape)
            case "lengths":
                inputs[tensor.name] = np.full(shape, length, np.int64)
            case "temperature" | "top_p":
                inputs[tensor.name] = np.ones(shape, np.float32)
            case "uniform":
                inputs[tensor.name] = source.random(shape, np.float32)
            case name if name.startswith("memory_"):
                inputs[name] = source.standard_normal(shape, np.float32)
            case name:
                inputs[name] = np.zeros(shape, np.float32 if tensor.data_type == "float32" else np.int64)
    return inputs


def feed_back(inputs: Arrays, outputs: Mapping[str, Any]) -> None:
    """Puts the next token and the new state in place of the old ones."""
    for name, value in outputs.items():
        entry = name.removeprefix("next_")
        if entry != name and entry in inputs:
            inputs[entry] = value


def time_steps(case: Case, seconds: float, threads: int) -> Measurement:
    """Steps for so many seconds."""
    manifest = case.bundle.manifest
    path = case.bundle.graph_path(case.graph, case.artifact)
    session = open_alone(str(path), threads)
    names = [output.name for output in session.get_outputs()]
    inputs = make_inputs(
        manifest.graphs[case.graph], case.batch, manifest.tokenizer.vocabulary_size, np.random.default_rng(1)
    )
    durations: list[float] = []
    for _ in runs(seconds):
        start = time.perf_counter()
        outputs = session.run(names, inputs)
        durations.append(time.perf_counter() - start)
        feed_back(inputs, dict(zip(names, outputs, strict=True)))
    median = statistics.median(durations[WARM_UP:])
    highest, share = None, None
    products = find_products(path) if case.graph == "step" else []
    if products:
        highest = peak(products, case.batch, seconds / len(products), threads)
        share = sum(product.operations(case.batch) for product in products) / median / highest
    return Measurement(
        model=f"{manifest.name}/{manifest.version}",
        graph=case.graph,
        artifact=case.artifact,
        batch=case.batch,
        step_microseconds=median * 1e6,
        steps_per_second=1 / median,
        tokens_per_second=case.batch / median,
        steps=len(durations) - WARM_UP,
        peak_gops=None if highest is None else highest / 1e9,
        peak_share=share,
    )


def find_cases(repository: Path, batches: tuple[int, ...]) -> list[Case]:
    """Every ONNX artifact of every step and classifier in the repository, at every batch size.

    Raises:
        BundleError: A bundle does not hold.
    """
    bundles = [open_bundle(path) for path in discover(repository)]
    return [
        Case(bundle, graph, artifact, batch)
        for bundle in bundles
        for graph in GRAPHS
        for artifact in ARTIFACTS
        if graph in bundle.manifest.graphs and artifact in bundle.manifest.graphs[graph].artifacts
        for batch in batches
    ]


@click.command()
@repository_option
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=0.3, show_default=True, help="A case.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads that a step may use.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def main(repository: Path, seconds: float, threads: int, as_json: bool) -> None:
    """Time single steps of every ONNX graph at batch 1 to 256."""
    try:
        cases = find_cases(repository, BATCHES)
    except BundleError as error:
        raise click.ClickException(str(error)) from error
    screen = Console(stderr=True, color_system=color_system())
    waiting = track(cases, "stepping", console=screen, transient=True, disable=not moves_cursor(sys.stderr))
    found = [time_steps(case, seconds, threads) for case in waiting]
    if as_json:
        for each in found:
            click.echo(json.dumps(asdict(each)))
        return
    table = Table("model", "graph", "artifact", box=None, pad_edge=False)
    for heading in ("batch", "step, µs", "steps/s", "tokens/s", "product peak, GOP/s", "of it"):
        table.add_column(heading, justify="right")
    for each in found:
        figures = (each.step_microseconds, each.steps_per_second, each.tokens_per_second)
        limits = ("", "") if each.peak_gops is None else (f"{each.peak_gops:,.0f}", f"{each.peak_share:.0%}")
        row = (*(f"{figure:,.0f}" for figure in figures), *limits)
        table.add_row(each.model, each.graph, each.artifact, str(each.batch), *row)
    console().print(table)


if __name__ == "__main__":
    main()
