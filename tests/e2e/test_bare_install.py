"""The wheel without extras in a fresh environment: the client works, and what is missing is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

IMPORT_EVERYTHING = """
import importlib, importlib.util, pkgutil, ostinato_client
from ostinato_client import *
for module in pkgutil.walk_packages(ostinato_client.__path__, "ostinato_client."):
    if module.name not in ("ostinato_client.__main__", "ostinato_client.cli.plot"):
        importlib.import_module(module.name)
import ostinato_bench.cli
print([name for name in ("torch", "onnxruntime", "tokenizers", "matplotlib") if importlib.util.find_spec(name)])
"""


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment that holds the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("bare")
    built = run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    made = run(sys.executable, "-m", "venv", folder / "venv")
    assert made.returncode == 0, made.stderr
    commands = folder / "venv" / "bin"
    pip = (commands / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    installed = run(*pip, "-c", ROOT / "constraints.txt", wheel)
    assert installed.returncode == 0, installed.stderr
    return commands


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_client_and_its_commands_need_no_extra(bare: Path) -> None:
    imported = run(bare / "python", "-W", "error", "-c", IMPORT_EVERYTHING)
    assert (imported.returncode, imported.stdout) == (0, "[]\n"), imported.stderr
    assert "translate" in run(bare / "ostinato", "--help").stdout
    unheard = run(bare / "ostinato", "generate", "x", "--target", "127.0.0.1:1")
    assert unheard.returncode == 1
    assert unheard.stderr.startswith("error: 127.0.0.1:1: cannot connect: ")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("command", "extra"), [("serve", "server"), ("train", "train"), ("data", "train")])
def test_a_command_that_needs_an_extra_names_it(bare: Path, command: str, extra: str) -> None:
    done = run(bare / "ostinato", command)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"pip install 'ostinato[{extra}]'" in done.stderr
    assert done.stderr.count("\n") == 1
