"""The wheel: without extras in a fresh environment, and with the server's libraries but away from a checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
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
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the source distribution, and of the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("distributions")
    built = run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    (made,) = distributions.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment that holds the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("bare")
    made = run(sys.executable, "-m", "venv", folder / "venv")
    assert made.returncode == 0, made.stderr
    commands = folder / "venv" / "bin"
    pip = (commands / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    installed = run(*pip, "-c", ROOT / "constraints.txt", wheel)
    assert installed.returncode == 0, installed.stderr
    return commands


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_source_distribution_holds_the_packages_and_nothing_else(distributions: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    beside = {".gitignore", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}

    (archive,) = distributions.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        names = [name.partition("/")[2] for name in source.getnames()]

    assert beside <= set(names)
    allowed = tuple(f"{package}/" for package in packages)
    assert [name for name in names if name not in beside and not name.startswith(allowed)] == []


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


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables with which this interpreter runs the packages of the wheel, not those of the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
    done = run(*pip, "--target", folder, wheel)
    assert done.returncode == 0, done.stderr
    inherited = {name: value for name, value in os.environ.items() if name != "OSTINATO_REPOSITORY"}
    return {**inherited, "PYTHONPATH": str(folder)}


SERVE = (sys.executable, "-P", "-m", "ostinato_client", "serve", "--port", "0", "--metrics-port", "0", "--json")


@pytest.mark.slow
def test_serving_without_models_names_the_flag_and_where_models_come_from(
    installed: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(SERVE, cwd=tmp_path, env=installed, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: no models to serve: {tmp_path} holds neither repository/ nor models/pretrained; pass --repository DIR "
        "(or OSTINATO_REPOSITORY): a checkout of Ostinato ships models in models/pretrained, and `ostinato export` "
        "makes bundles of others\n"
    )


@pytest.mark.slow
def test_an_installed_server_serves_the_models_of_the_checkout_that_it_is_started_in(
    installed: dict[str, str], tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "models" / "pretrained", tmp_path / "models" / "pretrained")

    with subprocess.Popen(SERVE, cwd=tmp_path, env=installed, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        server.terminate()

    assert set(json.loads(line)) == {"address", "metrics"}
    assert server.returncode == 0
