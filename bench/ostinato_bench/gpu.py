"""How the server does on a GPU: the bare step of each runtime, and the loads that the goals are stated for.

    python -m ostinato_bench.gpu --repository repository          # or: make bench-gpu

Needs the ``server`` and ``torch`` extras with CUDA builds (docs/gpu.md), and ``make bundles`` first: the shipped
bundles have int8 files only, which run on a CPU. Lines whose goal is a ratio to another server have none here.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ostinato_bench.commands.load import in_flight, run
from ostinato_bench.fleet import Fleet, fleet
from ostinato_bench.generator import Load
from ostinato_bench.gpu_lines import Line, Measured, lines
from ostinato_bench.metrics import Metrics
from ostinato_bench.report import document, plain_table, publish
from ostinato_bench.repository import repository_option
from ostinato_bench.served import served
from ostinato_bench.statistics import Result
from ostinato_bench.table_steps import time_table
from ostinato_bench.texts import PROMPTS, SENTENCES, TEXTS
from ostinato_bench.workloads import Generation, Sentiment, Translation, Workload
from ostinato_bundle import BundleError, discover, open_bundle
from ostinato_client.cli.options import Connection
from ostinato_server.errors import StartupError
from ostinato_server.runtime.select import cuda_runtimes

RUNTIMES = ("torchscript", "onnx")
MODELS = ("char-lm", "sentiment", "translation-en-fr")
CALL_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured.

    Attributes:
        repository: Where the bundles are.
        device: Where they run.
        seconds: How long requests are begun, a load; the bare steps take half as long for each batch size.
        slots: Streams that the server advances together, and requests in flight in most loads.
        crowd: Streams in flight in the load that has many more than that.
        characters: Length of a stream.
    """

    repository: Path
    device: str = "cuda"
    seconds: float = 10.0
    slots: int = 64
    crowd: int = 1024
    characters: int = 500


def measure(plan: Plan, runtime: str) -> Measured:
    """Measures one runtime, with a server of its own.

    Raises:
        click.ClickException: The server does not start, or does not answer.
        StartupError: The runtime or the device cannot be had.
        BundleError: A bundle does not hold.
    """
    bundle = next(
        found for path in discover(plan.repository) if (found := open_bundle(path)).manifest.name == MODELS[0]
    )
    bare = time_table(bundle, plan.device, runtime, (1, plan.slots), plan.seconds / 2)
    flags = ["--device", plan.device, "--runtime", runtime, "--max-concurrency", str(plan.slots)]
    flags += ["--max-queue", str(plan.crowd), "--max-requests-per-caller", str(2 * plan.crowd)]
    with served(plan.repository, flags) as server:
        resident = Metrics(server.metrics).resident()
        connection = Connection(
            target=server.target,
            timeout=CALL_SECONDS,
            tls=False,
            tls_ca=None,
            tls_cert=None,
            tls_key=None,
            token_file=None,
            insecure_token=False,
        )
        with fleet(connection) as generators:
            loads = _Loads(plan, connection, generators)
            streams = Generation(prompts=PROMPTS, max_chars=plan.characters)
            sentences = Translation(sentences=SENTENCES, attention=False)
            return Measured(
                bare=bare,
                streams=loads.run(streams, plan.slots),
                alone=loads.run(streams, 1),
                crowd=loads.run(streams, plan.crowd),
                texts=loads.run(Sentiment(texts=TEXTS), plan.slots),
                sentences=loads.run(sentences, plan.slots),
                sentence=loads.run(sentences, 1),
                start_seconds=server.start_seconds,
                resident_bytes=resident,
            )


@dataclass(frozen=True, slots=True)
class _Loads:
    plan: Plan
    connection: Connection
    generators: Fleet

    def run(self, workload: Workload, concurrency: int) -> Result:
        """A closed loop.

        Raises:
            click.ClickException: No request finished.
        """
        load = in_flight(Load(workload=workload, duration=self.plan.seconds, warm_up=4), concurrency, self.connection)
        result = run(self.generators, load)
        if not result.done or not result.tokens_per_second:
            reasons = ", ".join(result.reasons) or "none within the time of the load"
            raise click.ClickException(f"{workload.task} with {concurrency} in flight: no request finished: {reasons}")
        return result


def missing(repository: Path) -> str:
    """What of a repository cannot be measured: its models without the file of a runtime; empty if nothing.

    Raises:
        BundleError: A bundle does not hold.
    """
    bundles = {bundle.manifest.name: bundle for bundle in map(open_bundle, discover(repository))}
    absent = [name for name in MODELS if name not in bundles]
    if absent:
        return f"{repository} has no {', '.join(absent)}"
    lacking = [name for name in MODELS if not set(RUNTIMES) <= bundles[name].manifest.artifacts()]
    if lacking:
        return f"{repository} has no TorchScript and fp32 ONNX files of {', '.join(lacking)}: make bundles"
    return ""


def report(plan: Plan, found: dict[str, Measured]) -> tuple[dict[str, Any], list[Any]]:
    """All figures as a document, and a table a runtime."""
    tables = []
    for runtime, measured in found.items():
        table = plain_table(f"{runtime} on {plan.device}", "found", "to reach", "")
        for line in lines(measured):
            table.add_row(line.what, line.found, line.goal, _verdict(line))
        tables.append(table)
    settings = {**dataclasses.asdict(plan), "repository": str(plan.repository)}
    return document(settings, runtimes={name: dataclasses.asdict(each) for name, each in found.items()}), tables


def _verdict(line: Line) -> str:
    return {None: "", True: "reached", False: "missed"}[line.reached]


@click.command()
@repository_option
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True, help="A load.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path, allow_dash=True), help="Write all figures; - prints them."
)
def main(repository: Path, seconds: float, json_path: Path | None) -> None:
    """Measure the server on a GPU against the goals that it has."""
    usable = cuda_runtimes()
    if not usable:
        raise click.ClickException(
            "bench-gpu needs a CUDA device, and a CUDA build of torch or onnxruntime-gpu that sees it; neither does "
            "here (docs/gpu.md says how to install them)"
        )
    plan = Plan(repository=repository, seconds=seconds)
    try:
        if wanting := missing(plan.repository):
            raise click.ClickException(wanting)
        found = {runtime: measure(plan, runtime) for runtime in RUNTIMES if runtime in usable}
    except (BundleError, StartupError) as error:
        raise click.ClickException(str(error)) from error
    figures, tables = report(plan, found)
    skipped = [f"not measured: {name} sees no CUDA device" for name in RUNTIMES if name not in usable]
    publish(figures, json_path, *tables, notes=skipped)


if __name__ == "__main__":
    main()
