"""Lists on the command line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from ostinato_bench.commands.load import generate
from ostinato_bench.options import concurrency_option, input_option, numbers


@click.command()
@concurrency_option("1,16", "…")
@click.option("--rate", callback=numbers)
@input_option
def shown(concurrency: tuple[int, ...], rate: tuple[float, ...], texts: tuple[str, ...]) -> None:
    click.echo(f"{concurrency} {rate} {texts}")


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(shown, arguments)
    return done.exit_code, done.output


def test_lists_have_commas_between_their_numbers() -> None:
    assert run() == (0, "(1, 16) () ()\n")
    assert run("--concurrency", "4", "--rate", "20,0.5") == (0, "(4,) (20.0, 0.5) ()\n")


@pytest.mark.parametrize(
    "arguments",
    [("--concurrency", "0"), ("--concurrency", "1,x"), ("--rate", "-1"), ("--rate", "nan"), ("--rate", "1,inf")],
)
def test_what_is_no_such_list_is_told(arguments: tuple[str, str]) -> None:
    code, output = run(*arguments)
    assert code == 2
    assert arguments[1] in output


def test_texts_are_the_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "texts"
    path.write_text("one\n\ntwo\n")
    assert run("--input", str(path)) == (0, "(1, 16) () ('one', 'two')\n")
    path.write_text(" \n")
    assert "no line with text" in run("--input", str(path))[1]
    path.write_bytes(b"\xff")
    assert "not UTF-8" in run("--input", str(path))[1]


def test_texts_are_the_lines_of_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "texts"
    path.write_bytes("\ufeffone\r\n\r\ntwo".encode())
    with path.open() as stdin:
        monkeypatch.setattr("ostinato_client.cli.standard_input.sys", SimpleNamespace(stdin=stdin))
        assert run("--input", "-") == (0, "(1, 16) () ('one', 'two')\n")


def test_standard_input_takes_the_place_of_one_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "texts").write_text("one\n")
    with (tmp_path / "texts").open() as stdin:
        monkeypatch.setattr("ostinato_client.cli.standard_input.sys", SimpleNamespace(stdin=stdin))
        done = CliRunner().invoke(generate, ["--prompt", "-", "--input", "-"])
    assert done.exit_code == 2
    assert "standard input can be read only once: give - once" in done.stderr
