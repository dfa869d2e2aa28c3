"""The command as a whole: its table, its help, its errors and exit codes."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_client import (
    ConnectionFailed,
    FieldViolation,
    InvalidRequest,
    ModelNotFound,
    OstinatoError,
    Overloaded,
    ServerError,
)
from ostinato_client.cli.failures import describe, explain
from ostinato_client.cli.lazy import CommandReference, LazyGroup
from ostinato_client.cli.main import COMMANDS, run


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_the_commands_are_those_of_the_design() -> None:
    client_side = {"generate", "sentiment", "translate", "models", "bench"}
    assert set(COMMANDS) == client_side | {"serve", "train", "distill", "evaluate", "export", "lab", "data"}


def test_every_reference_names_a_package_of_this_project() -> None:
    for reference in COMMANDS.values():
        assert find_spec(reference.location.partition(".")[0]) is not None


def test_help_lists_every_command_and_imports_none() -> None:
    code = (
        "import sys; from ostinato_client.cli.main import run; code = run(['--help']);"
        "print(code, [name for name in ('grpc', 'numpy', 'rich', 'ostinato_server', 'torch') if name in sys.modules])"
    )
    lines = python(code).splitlines()
    assert lines[-1] == "0 []"
    assert [name for name in COMMANDS if not any(line.split()[:1] == [name] for line in lines)] == []


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"ostinato {version('ostinato')}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus"], "No such command 'bogus'. (see 'ostinato --help')"),
        (["generate"], "Missing argument 'PROMPT'. (see 'ostinato generate --help')"),
        (["generate", "x", "--max-chars", "-1"], "'--max-chars': -1 is not in the range"),
        (["generate", "x", "--temperature", "nan"], "'--temperature': nan is not a finite number."),
        (["generate", "x", "--temperature", "-0.1"], "'--temperature': -0.1 is not in the range"),
        (["generate", "x", "--top-p", "0"], "'--top-p': 0.0 is not in the range"),
        (["generate", "x", "--seed", str(2**64)], "'--seed'"),
        (["translate", "x", "--beam-size", "0"], "'--beam-size': 0 is not in the range"),
        (["sentiment"], "Missing argument"),
        (["models", "--model-version", "1"], "--model-version needs the NAME of a model."),
    ],
)
def test_wrong_usage_exits_2_with_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_a_missing_dependency_names_the_extra_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    reference = CommandReference("no_such_package.cli:train", "Train.", "train")
    group = LazyGroup(commands={"train": reference}, name="ostinato")
    with pytest.raises(click.ClickException) as caught:
        group.main(["train"], standalone_mode=False)
    line, code = explain(caught.value)
    assert line == "error: train: no_such_package is not installed; install it with: pip install 'ostinato[train]'"
    assert code == 1


def test_a_dependency_that_is_missed_only_when_the_command_runs_is_told_the_same_way() -> None:
    group = LazyGroup(commands={"late": CommandReference(f"{__name__}:late", "Late.", "plot")}, name="ostinato")
    sys.modules.setdefault(__name__, sys.modules[test_version.__module__])
    with pytest.raises(click.ClickException, match=r"no_such_package is not installed; .*ostinato\[plot\]"):
        group.main(["late"], standalone_mode=False)


@click.command()
def late() -> None:
    import no_such_package  # type: ignore[import-not-found]  # noqa: F401


def test_errors_say_what_and_where() -> None:
    violations = (FieldViolation("sampling.temperature", "must be from 0 to 100 (got 101)"), FieldViolation("x", "y"))
    assert describe(InvalidRequest("bad", violations=violations)) == (
        "temperature: must be from 0 to 100 (got 101); x: y"
    )
    assert describe(InvalidRequest("bad"), "host:1") == "bad"
    assert describe(ModelNotFound("no model x"), "host:1") == "host:1: no model x"
    assert describe(ConnectionFailed("refused"), "host:1") == "host:1: cannot connect: refused"
    assert describe(Overloaded("full", retry_after_seconds=0.5), "host:1") == "host:1: full; try again in 0.5 s"
    assert explain(FileNotFoundError(2, "No such file", "a.txt")) == ("error: a.txt: No such file", 1)
    assert explain(KeyError("x")) == ("error: internal: KeyError: 'x'; OSTINATO_TRACEBACK=1 shows where", 1)


@given(st.text(), st.sampled_from([OstinatoError, ServerError, Overloaded, click.ClickException, ValueError, OSError]))
def test_an_explanation_is_always_one_line_and_exit_code_1(message: str, kind: type[Exception]) -> None:
    line, code = explain(kind(message))
    assert len(line.splitlines()) == 1
    assert line.startswith("error: ")
    assert code == 1


def test_interrupting_is_quiet_and_exits_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ostinato_client.cli.main.cli.main", interrupted)
    assert run([]) == 130
    assert capsys.readouterr() == ("", "")
