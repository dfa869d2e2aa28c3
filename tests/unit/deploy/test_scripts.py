"""The shell scripts, and what they and the images are given to install."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.deployed import ROOT

SHELL_SCRIPTS = sorted(
    path
    for path in [ROOT / ".ci" / "run", *(ROOT / "scripts").iterdir()]
    if path.is_file() and path.read_bytes().startswith(b"#!/usr/bin/env bash")
)
SHELLCHECK = Path(sys.executable).with_name("shellcheck")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("script", SHELL_SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    done = subprocess.run([SHELLCHECK, script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("script", SHELL_SCRIPTS, ids=lambda path: path.name)
def test_scripts_stop_at_the_first_failure(script: Path) -> None:
    assert "\nset -euo pipefail\n" in script.read_text(encoding="utf-8")


def requirements(extras: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "scripts/requirements", extras]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_requirements_of_the_server_image_bring_no_torch() -> None:
    lines = requirements("server").stdout.splitlines()

    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["server"]]
    assert lines == list(dict.fromkeys(wanted))
    assert not any(re.match("torch", line) for line in lines)


def test_requirements_refuse_an_extra_that_there_is_not() -> None:
    done = requirements("server,gpu")

    assert done.returncode == 2
    assert done.stderr.startswith("no such extra: gpu; there are ")


def test_every_named_requirement_is_pinned() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {_canonical(line.partition("==")[0]) for line in text.splitlines() if "==" in line}
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *(line for name in extras for line in extras[name])]
    named = {_canonical(re.split(r"[<>=!~;\[ ]", line)[0]) for line in wanted} - {"ostinato"}

    assert named - pinned == {"s3fs", "gcsfs"}, "stores in a cloud, which no test here can reach"
    assert "torch==2.13.0" in text.splitlines()


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_make_lists_its_targets() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)

    listed = {line.split()[0] for line in done.stdout.splitlines()}
    wanted = {"install", "bundles", "demo", "test", "check", "proto", "bench-micro", "profile", "images"}
    assert listed >= wanted | {"test-fresh", "test-versions"}
