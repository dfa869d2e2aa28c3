"""Lets atheris search for what readers do not expect, led by the code it reaches: ``python -m tests.fuzz.guided``."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

CHILD = "--child"
RESIDENT_LIMIT_MIB = 2048
SLOW_SECONDS = 10

MISSING = (
    "atheris is not installed: it comes for Linux on x86-64 and Python before 3.14 only (pip install atheris); "
    "the readers are not fuzzed, and pytest tests/fuzz/test_readers.py sends them damaged files without it"
)


@click.command()
@click.argument("names", nargs=-1)
@click.option("--seconds", default=60, show_default=True, type=click.IntRange(1), help="Time for each reader.")
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--artifacts",
    default="runs/fuzz",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where what a reader fails on is kept.",
)
def main(names: tuple[str, ...], seconds: int, seed: int, artifacts: Path) -> None:
    """Fuzz the readers of bundles, texts and tensors (all, or those named) for so long each.

    Exits with 1 where one raised what it may not, crashed, hung or took too much memory.
    """
    if importlib.util.find_spec("atheris") is None:
        click.echo(MISSING, err=True)
        return
    from tests.fuzz.readers import READERS  # the child instruments it

    unknown = set(names) - READERS.keys()
    if unknown:
        raise click.UsageError(f"no reader {', '.join(sorted(unknown))}; there are {', '.join(READERS)}")
    artifacts.mkdir(parents=True, exist_ok=True)
    failed = False
    click.echo("| reader | inputs | inputs/s | peak memory, MiB | found |\n| --- | --- | --- | --- | --- |")
    for name in names or READERS:
        with TemporaryDirectory(prefix="ostinato-corpus-") as corpus:
            for number, content in enumerate(READERS[name].seeds()):
                (Path(corpus) / str(number)).write_bytes(content)
            told = _search(name, corpus, seconds, seed, artifacts)
        failed = failed or told.returncode != 0
        click.echo(f"| {name} | {_row(told)} |")
        if told.returncode:
            click.echo(told.stderr[-4000:], err=True)
    sys.exit(failed)


def _search(name: str, corpus: str, seconds: int, seed: int, artifacts: Path) -> subprocess.CompletedProcess[str]:
    """Runs libFuzzer in a process of its own: it ends the process that it runs in."""
    flags = (
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-rss_limit_mb={RESIDENT_LIMIT_MIB}",
        f"-timeout={SLOW_SECONDS}",
        f"-artifact_prefix={artifacts}/{name}-",
        "-print_final_stats=1",
    )
    command = (sys.executable, "-m", "tests.fuzz.guided", CHILD, name, corpus, *flags)
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _row(told: subprocess.CompletedProcess[str]) -> str:
    stats = dict(re.findall(r"stat::(\w+):\s+(\d+)", told.stderr))
    inputs, rate, memory = (
        f"{int(stats[key]):,}" if key in stats else "-"
        for key in ("number_of_executed_units", "average_exec_per_sec", "peak_rss_mb")
    )
    return f"{inputs} | {rate} | {memory} | {'a fault' if told.returncode else 'nothing'}"


def _child(name: str, arguments: list[str]) -> None:
    """Fuzzes one reader; does not return."""
    import atheris

    with atheris.instrument_imports(include=["ostinato_bundle", "ostinato_server", "pydantic", "zipfile", "json"]):
        from tests.fuzz.readers import READERS
    reader = READERS[name]
    list(reader.seeds())  # what is made once is made before the clock runs
    atheris.Setup([sys.argv[0], *arguments], reader.read)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        _child(sys.argv[2], sys.argv[3:])
    else:
        main()
