"""How the server does against the goals that it has: the bare step, and the loads that the goals are stated for.

    python -m ostinato_bench.goals                        # or: make bench-goals
    python -m ostinato_bench.goals --device cuda          # or: make bench-gpu

Needs ``make bundles`` first: the shipped bundles have int8 files only. On a GPU it needs the ``server`` and ``torch``
extras with CUDA builds (docs/gpu.md). Goals that are ratios to other servers are `make bench-peers`'.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click

from ostinato_bench.commands.load import in_flight, run
from ostinato_bench.fleet import Fleet, fleet
from ostinato_bench.generator import Load
from ostinato_bench.goal_lines import Line, Measured, lines
from ostinato_bench.metrics import Metrics
from ostinato_bench.report import document, plain_table, publish
from ostinato_bench.repository import repository_option
from ostinato_bench.served import served
from ostinato_bench.statistics import Result
from ostinato_bench.table_steps import time_table
from ostinato_bench.texts import PROMPTS, SENTENCES, TEXTS
from ostinato_bench.workloads import Generation, Sentiment, Translation, Workload
from ostinato_bundle import Artifact, Bundle, BundleError, discover, open_bundle
from ostinato_client.cli.options import Connection
from ostinato_server.errors import StartupError
from ostinato_server.runtime.select import cuda_runtimes

MODELS = ("char-lm", "sentiment", "translation-en-fr")
CALL_SECONDS = 600.0
BATCH_CALLS = 4
"""Calls in flight that bring many texts each: enough that the next one is there when one is done."""


class Setting(NamedTuple):
    """How a server runs its models.

    Attributes:
        runtime: ``onnx-int8``, ``onnx`` or ``torchscript``.
        threads: Threads that share the rows of a step on a CPU.
    """

    runtime: str
    threads: int = 1


SETTINGS: Mapping[str, Sequence[Setting]] = {
    "cpu": (Setting("onnx-int8"), Setting("onnx-int8", 2), Setting("onnx", 2)),
    "cuda": (Setting("torchscript"), Setting("onnx")),
}
"""What is measured, by device."""


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
    device: str = "cpu"
    seconds: float = 10.0
    slots: int = 64
    crowd: int = 1024
    characters: int = 500


def measure(plan: Plan, setting: Setting) -> Measured:
    """Measures one setting, with a server of its own.

    Raises:
        click.ClickException: The server does not start, or does not answer.
        StartupError: The runtime or the device cannot be had.
        BundleError: A bundle does not hold.
    """
    bundle = next(
        found for path in discover(plan.repository) if (found := open_bundle(path)).manifest.name == MODELS[0]
    )
    bare = time_table(bundle, plan.device, setting.runtime, setting.threads, (1, plan.slots), plan.seconds / 2)
    peak_share = _peak_share(bundle, plan, setting)
    flags = ["--device", plan.device, "--runtime", setting.runtime, "--threads", str(setting.threads)]
    flags += ["--max-concurrency", str(plan.slots)]
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
                peak_share=peak_share,
                streams=loads.run(streams, plan.slots),
                alone=loads.run(streams, 1),
                crowd=loads.run(streams, plan.crowd),
                texts=loads.run(Sentiment(texts=TEXTS), plan.slots),
                batches=loads.run(Sentiment(texts=TEXTS, batch=plan.slots), BATCH_CALLS),
                sentences=loads.run(sentences, plan.slots),
                sentence=loads.run(sentences, 1),
                start_seconds=server.start_seconds,
                resident_bytes=resident,
            )


def _peak_share(bundle: Bundle, plan: Plan, setting: Setting) -> float | None:
    """Part of the machine's own matrix-product peak that a step reaches; none where that is not measured."""
    if plan.device != "cpu" or setting.threads > 1 or setting.runtime not in ("onnx-int8", "onnx"):
        return None
    from ostinato_bench.micro import Case, time_steps  # needs the package onnx, which a GPU server may lack

    artifact: Artifact = "onnx" if setting.runtime == "onnx" else "onnx-int8"
    return time_steps(Case(bundle, "step", artifact, plan.slots), plan.seconds / 4, setting.threads).peak_share


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


def missing(plan: Plan) -> str:
    """What cannot be measured: models that are absent or lack the file of a runtime; empty if nothing.

    Raises:
        BundleError: A bundle does not hold.
    """
    bundles = {bundle.manifest.name: bundle for bundle in map(open_bundle, discover(plan.repository))}
    absent = [name for name in MODELS if name not in bundles]
    if absent:
        return f"{plan.repository} has no {', '.join(absent)}"
    wanted = {setting.runtime for setting in SETTINGS[plan.device]}
    lacking = [name for name in MODELS if not wanted <= bundles[name].manifest.artifacts()]
    if lacking:
        return f"{plan.repository} lacks files of {', '.join(lacking)} for {', '.join(sorted(wanted))}: make bundles"
    return ""


def report(plan: Plan, found: Mapping[Setting, Measured]) -> tuple[dict[str, Any], list[Any]]:
    """All figures as a document, and a table a setting."""
    tables = []
    for setting, measured in found.items():
        threads = f", threads: {setting.threads}" if plan.device == "cpu" else ""
        table = plain_table(f"{setting.runtime} on {plan.device}{threads}", "found", "to reach", "")
        for line in lines(measured):
            table.add_row(line.what, line.found, line.goal, _verdict(line))
        tables.append(table)
    plain = {**dataclasses.asdict(plan), "repository": str(plan.repository)}
    figures = [{**setting._asdict(), **dataclasses.asdict(measured)} for setting, measured in found.items()]
    return document(plain, found=figures), tables


def _verdict(line: Line) -> str:
    return {None: "", True: "reached", False: "missed"}[line.reached]


@click.command()
@repository_option
@click.option("--device", type=click.Choice(list(SETTINGS)), default="cpu", show_default=True, help="Where models run.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True, help="A load.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path, allow_dash=True), help="Write all figures; - prints them."
)
def main(repository: Path, device: str, seconds: float, json_path: Path | None) -> None:
    """Measure the server against the goals that it has."""
    settings, usable = SETTINGS[device], cuda_runtimes()
    if device == "cuda" and not usable:
        raise click.ClickException(
            "this needs a CUDA device, and a CUDA build of torch or onnxruntime-gpu that sees it; neither does "
            "here (docs/gpu.md says how to install them)"
        )
    blind = [setting for setting in settings if device == "cuda" and setting.runtime not in usable]
    plan = Plan(repository=repository, device=device, seconds=seconds)
    try:
        if wanting := missing(plan):
            raise click.ClickException(wanting)
        found = {setting: measure(plan, setting) for setting in settings if setting not in blind}
    except (BundleError, StartupError) as error:
        raise click.ClickException(str(error)) from error
    figures, tables = report(plan, found)
    skipped = [f"not measured: {setting.runtime} sees no CUDA device" for setting in blind]
    publish(figures, json_path, *tables, notes=skipped)


if __name__ == "__main__":
    main()
