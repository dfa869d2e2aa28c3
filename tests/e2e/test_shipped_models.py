"""The shipped models, served, on text as people type it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.conftest import start_server, stop_server

from ostinato_client import Client
from ostinato_models.evaluation.typing import is_runaway

SHIPPED = Path(__file__).parents[2] / "models" / "pretrained"
TYPINGS = {
    "Je t'aime.": [
        "I love you.",
        "I love you",
        "i love you",
        "I LOVE YOU.",
        "I LOVE YOU",
        "I love you.  ",
        "\tI love you\n",
    ],
    "Où est la gare ?": [
        "Where is the station?",
        "where is the station",
        "WHERE IS THE STATION?",
        "Where is the station???",
    ],
    "Je ne sais pas quoi faire.": [
        "I don't know what to do.",
        "i dont know what to do",
        "I don\u2019t know what to do\u2026",
    ],
    "Bonjour.": ["hello", "Hello.", "HELLO"],
}
STRANGE = (
    "12:30",
    "lol",
    "asdf qwer",
    "www.example.com",
    "Je t'aime.",
    "a",
    "I love you \U0001f600",
    "100 %",
    "(no)",
    "the book cost \u20ac20",
    "\u201cCome in,\u201d he said",
    "TOM!!!!!!!!!!",
    "no no no no no no no no",
    "x" * 60,
    "my name is sarah and i live in london and i work in a small shop and i have two cats and a dog",
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    server = start_server(SHIPPED, tmp_path_factory.mktemp("log") / "log")
    try:
        with Client(server.target) as client:
            yield client
    finally:
        stop_server(server)


@pytest.mark.parametrize("french", TYPINGS)
def test_a_sentence_is_translated_the_same_however_it_is_typed(client: Client, french: str) -> None:
    assert {text: client.translate(text).result().text for text in TYPINGS[french]} == dict.fromkeys(
        TYPINGS[french], french
    )


def test_no_text_runs_away(client: Client) -> None:
    outputs = {text: client.translate(text).result().text for text in STRANGE}
    assert {text: output for text, output in outputs.items() if is_runaway(text, output)} == {}
