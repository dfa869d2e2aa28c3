from __future__ import annotations

import io
import json
import logging
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.logs import FIELDS, LineFormatter, ObjectFormatter, formatter

texts = st.text(st.characters(codec="utf-8"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def record(message: str, *arguments: object, fields: dict[str, object] | None = None) -> logging.LogRecord:
    made = logging.LogRecord("ostinato_server.requests", logging.INFO, __file__, 1, message, arguments, None)
    if fields is not None:
        setattr(made, FIELDS, fields)
    return made


@given(text=texts, value=texts)
def test_an_object_is_one_line_that_gives_back_what_went_in(text: str, value: str) -> None:
    line = ObjectFormatter().format(record("%s", text, fields={"model": value, "output_tokens": 3}))
    assert not re.search(r"[\r\n]", line)
    read = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", read.pop("time"))
    assert read == {
        "level": "INFO",
        "logger": "ostinato_server.requests",
        "message": text,
        "model": value,
        "output_tokens": 3,
    }


@pytest.mark.parametrize("value", ["\ud800", 2**70, {1, 2}])
def test_an_object_is_written_whatever_is_in_it(value: object) -> None:
    read = json.loads(ObjectFormatter().format(record("said", fields={"value": value})))
    assert read["value"] == (str(value) if isinstance(value, set) else value)
    assert read["message"] == "said"


def test_an_object_holds_the_traceback_of_an_error() -> None:
    failed = record("unexpected error")
    try:
        raise ValueError("broken")
    except ValueError:
        failed.exc_info = sys.exc_info()
    read = json.loads(ObjectFormatter().format(failed))
    assert read["exc_info"].endswith("ValueError: broken")


def test_a_line_for_people_has_the_facts_behind_the_message_and_no_line_break() -> None:
    line = LineFormatter().format(record("Generate %s", "OK", fields={"model": "char-lm", "wording": ["a\nb"]}))
    assert line.endswith(r" INFO ostinato_server.requests: Generate OK model='char-lm' wording=['a\nb']")
    assert LineFormatter().format(record("stopping")).endswith(" INFO ostinato_server.requests: stopping")


@pytest.mark.parametrize(
    ("form", "stream", "expected"),
    [
        (None, Terminal(), LineFormatter),
        (None, io.StringIO(), ObjectFormatter),
        ("json", Terminal(), ObjectFormatter),
        ("text", io.StringIO(), LineFormatter),
    ],
)
def test_people_get_lines_and_programs_get_objects(form: str | None, stream: io.StringIO, expected: type) -> None:
    assert type(formatter(form, stream)) is expected
