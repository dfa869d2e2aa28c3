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
JUDGED = {
    True: [
        "not bad at all",
        "I can't recommend this enough",
        "I cannot recommend it highly enough!",
        "sooooo good",
        "loved it :)",
        "<p>Great&nbsp;product, &quot;five&quot; stars<br/></p>",
        "The battery lasts all day.",
        "works like a charm",
        "i dont regret buying this",
        "It never lets me down.",
        "NOT BAD",
        "\U0001f60d",
    ],
    False: [
        "Meh.",
        "meh",
        "I can't recommend this",
        "dont buy this",
        "It stopped working after two days.",
        "not good at all",
        "sooo bad",
        "waste of money :(",
        "I want my money back",
        "it doesnt work",
        "The screen is far from sharp.",
        "\U0001f44e",
    ],
}


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


@pytest.mark.parametrize("positive", [True, False])
def test_negations_idioms_and_typing_do_not_mislead(client: Client, positive: bool) -> None:
    texts = JUDGED[positive]
    scores = client.classify_batch(texts)
    assert {text for text, score in zip(texts, scores, strict=True) if score.positive_probability > 0.5} == (
        set(texts) if positive else set()
    )


def test_a_review_of_two_thousand_words_is_scored_whole(client: Client) -> None:
    praise = "The phone works great and the battery lasts all day, I would buy it again. "
    blame = "It stopped working after a week and nobody answered my calls, a waste of money. "
    for text, positive in ((praise, True), (blame, False)):
        (score,) = client.classify_batch([text * 140])
        assert (score.positive_probability > 0.5) is positive
