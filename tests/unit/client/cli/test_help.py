"""The help of every command at the widths of terminals, and what a shell completes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ostinato_client.cli.main import COMMANDS, cli


def every_command(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield from every_command(below, (*path, name))


def help_of(command: click.Command, path: tuple[str, ...], columns: int) -> str:
    context = command.make_context(" ".join(path), ["--help"], resilient_parsing=True, terminal_width=columns)
    return command.get_help(context)


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_no_line_of_any_help_breaks_inside_an_option_or_an_example(columns: int) -> None:
    seen = 0
    for path, command in every_command(cli, ("ostinato",)):
        text = help_of(command, path, columns)
        assert not re.search(r"--[a-z-]*-$", text, re.MULTILINE), (path, text)
        examples = [line.strip() for line in (command.epilog or "").splitlines() if "ostinato " in line]
        assert [line for line in examples if line not in text] == []
        assert all(len(line) <= 76 for line in examples)
        seen += len(examples)
    assert seen >= 8


def test_an_option_and_its_value_are_one_word_in_the_text_of_other_options() -> None:
    for path, command in every_command(cli, ("ostinato",)):
        assert not re.search(r"--model-control (none|poll|explicit)", help_of(command, path, 500)), path


def complete(words: str, shell: str = "bash", **variables: str) -> subprocess.CompletedProcess[str]:
    position = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    return subprocess.run(
        (sys.executable, "-m", "ostinato_client"),
        env={**os.environ, "_OSTINATO_COMPLETE": f"{shell}_complete", **position, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_command_is_completed_without_importing_one(tmp_path: Path) -> None:
    for module in ("grpc", "numpy", "torch", "ostinato_server", "ostinato_models", "ostinato_bench"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    done = complete("ostinato ", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == list(COMMANDS)
    assert complete("ostinato tra", PYTHONPATH=str(tmp_path)).stdout.split() == ["plain,translate", "plain,train"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_options_are_completed_in_every_shell(shell: str) -> None:
    done = (
        complete("ostinato serve --metr", shell)
        if shell != "fish"
        else complete("ostinato serve --metr", shell, COMP_CWORD="--metr")
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--metrics-port" in done.stdout


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "bench"])
def test_options_are_completed_without_torch(tmp_path: Path, command: str) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    done = complete(f"ostinato {command} --", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "plain,--help" in done.stdout


@pytest.mark.parametrize("command", ["serve", "train", "lab", "evaluate"])
def test_a_command_whose_extra_is_not_installed_is_completed_in_silence(tmp_path: Path, command: str) -> None:
    for module in ("ostinato_server", "ostinato_models"):
        (tmp_path / f"{module}.py").write_text("raise ModuleNotFoundError(name='torch')", encoding="utf-8")
    for words in (f"ostinato {command} ", f"ostinato {command} --"):
        done = complete(words, PYTHONPATH=str(tmp_path))
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_every_shell_is_written_in_silence(shell: str) -> None:
    done = complete("", _OSTINATO_COMPLETE=f"{shell}_source")
    assert (done.returncode, done.stderr) == (0, "")
    assert "_OSTINATO_COMPLETE" in done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    command = tmp_path / "ostinato"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ostinato_client "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    script = """
        eval "$(_OSTINATO_COMPLETE=bash_source ostinato)"
        COMP_WORDS=(ostinato sent) COMP_CWORD=1
        _ostinato_completion ostinato
        echo "${COMPREPLY[@]}"
    """
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ("bash", "--norc", "-c", script),
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("sentiment\n", "")
