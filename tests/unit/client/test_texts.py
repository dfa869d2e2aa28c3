"""Values that are not texts are refused with their index before they are sent."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tests.unit.client.fake_server import FakeServer

from ostinato_client import AsyncClient, Client, InvalidRequest

NO_TEXTS = [None, math.nan, np.float64("nan"), 7, b"bytes", ["text"]]


class Column:
    """What a column of a data frame is to its reader: an iterable with a length, labels in place of positions."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __getitem__(self, label: int) -> Any:
        raise KeyError(label)


ONE_TEXT: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "generate": (lambda client, text: client.generate(text), "prompt"),
    "stop": (lambda client, text: client.generate("a", stop=["b", text]), r"stopping\.stop\[1\]"),
    "translate": (lambda client, text: client.translate(text), "text"),
    "model": (lambda client, text: client.generate("a", model=text), "model"),
}
AWAITED: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "classify": (lambda client, text: client.classify(text), "text"),
    "classify_batch": (lambda client, text: client.classify_batch(["a", text, "b"]), r"texts\[1\]"),
    "model": (lambda client, text: client.model(text), "model"),
    "load_model": (lambda client, text: client.load_model(text), "model"),
}


@pytest.mark.parametrize("value", NO_TEXTS)
@pytest.mark.parametrize("method", [*ONE_TEXT, *AWAITED])
def test_what_is_not_a_text_is_refused_by_the_field(
    client: Client, fake: FakeServer, method: str, value: object
) -> None:
    call, field = {**AWAITED, **ONE_TEXT}[method]
    with pytest.raises(InvalidRequest, match=rf"{field}: must be a text \(got "):
        call(client, value)
    assert not fake.requests


@pytest.mark.parametrize("value", NO_TEXTS)
async def test_what_is_not_a_text_is_refused_by_the_field_awaited(
    async_client: AsyncClient, fake: FakeServer, value: object
) -> None:
    for call, field in ONE_TEXT.values():
        with pytest.raises(InvalidRequest, match=rf"{field}: must be a text \(got "):
            call(async_client, value)
    for call, field in AWAITED.values():
        with pytest.raises(InvalidRequest, match=rf"{field}: must be a text \(got "):
            await call(async_client, value)
    assert not fake.requests


@pytest.mark.parametrize("value", NO_TEXTS)
def test_a_turn_that_is_not_a_text_is_refused_and_the_session_lives(client: Client, value: Any) -> None:
    with client.session() as session:
        for _ in range(2):
            with pytest.raises(InvalidRequest, match=r"turn\.text: must be a text \(got "):
                session.send(value)


@pytest.mark.parametrize("value", NO_TEXTS)
async def test_a_turn_that_is_not_a_text_is_refused_awaited(async_client: AsyncClient, value: Any) -> None:
    async with async_client.session() as session:
        with pytest.raises(InvalidRequest, match=r"turn\.text: must be a text \(got "):
            session.send(value)


@pytest.mark.parametrize("value", NO_TEXTS)
def test_a_stream_gives_the_scores_before_what_is_not_a_text(client: Client, fake: FakeServer, value: Any) -> None:
    scores = client.classify_stream(["good", "bad", value, "good"])
    assert [next(scores).text, next(scores).text] == ["good", "bad"]
    for _ in range(2):
        with pytest.raises(InvalidRequest, match=r"texts\[2\]: must be a text \(got "):
            next(scores)


@pytest.mark.parametrize("value", NO_TEXTS)
async def test_a_stream_gives_the_scores_before_what_is_not_a_text_awaited(
    async_client: AsyncClient, value: Any
) -> None:
    async def texts() -> AsyncIterator[Any]:
        for text in ("good", "bad", value, "good"):
            yield text

    scores = async_client.classify_stream(texts())
    assert [(await anext(scores)).text, (await anext(scores)).text] == ["good", "bad"]
    with pytest.raises(InvalidRequest, match=r"texts\[2\]: must be a text \(got "):
        await anext(scores)


def test_a_typed_text_that_is_not_one_is_refused_with_its_index(client: Client) -> None:
    texts: list[Any] = [None]
    with pytest.raises(InvalidRequest, match=r"texts\[0\]: must be a text \(got None\)"):
        list(client.classify_incremental(texts))


async def test_a_typed_text_that_is_not_one_is_refused_with_its_index_awaited(async_client: AsyncClient) -> None:
    texts: list[Any] = [math.nan]
    with pytest.raises(InvalidRequest, match=r"texts\[0\]: must be a text \(got nan, of type float\)"):
        _ = [score async for score in async_client.classify_incremental(texts)]


@pytest.mark.parametrize(
    "texts",
    [
        np.array(["good", "bad"]),
        np.array(["good", "bad"], dtype=object),
        Column(["good", "bad"]),
        ("good", "bad"),
        iter(["good", "bad"]),
        dict.fromkeys(["good", "bad"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_texts_come_in_any_iterable(client: Client, texts: Any) -> None:
    assert [score.text for score in client.classify_batch(texts)] == ["good", "bad"]


def test_an_index_counts_items_and_not_labels(client: Client, fake: FakeServer) -> None:
    texts: Any = Column(["good", math.nan])
    with pytest.raises(InvalidRequest, match=r"texts\[1\]: must be a text \(got nan, of type float\)"):
        client.classify_batch(texts)
    assert not fake.requests


@pytest.mark.parametrize("texts", [None, 7, b"bytes", "one text"])
def test_what_holds_no_texts_is_refused(client: Client, fake: FakeServer, texts: Any) -> None:
    with pytest.raises(InvalidRequest, match="texts: must be a list of texts"):
        client.classify_batch(texts)
    with pytest.raises(InvalidRequest, match="texts: must be a list of texts"):
        client.classify_stream(texts)
    assert not fake.requests


@pytest.mark.parametrize("texts", [None, 7, b"bytes", "one text"])
async def test_what_holds_no_texts_is_refused_awaited(async_client: AsyncClient, fake: FakeServer, texts: Any) -> None:
    with pytest.raises(InvalidRequest, match="texts: must be a list of texts"):
        await async_client.classify_batch(texts)
    with pytest.raises(InvalidRequest, match="texts: must be a list of texts"):
        async_client.classify_stream(texts)
    assert not fake.requests


def test_numbers_of_the_wrong_type_are_refused_by_the_field(client: Client, fake: FakeServer) -> None:
    wrong: Any = "hot"
    with pytest.raises(InvalidRequest, match=r"sampling\.temperature: must be a number"):
        client.generate("a", temperature=wrong)
    with pytest.raises(InvalidRequest, match=r"stopping\.max_tokens: must be a whole number"):
        client.generate("a", max_chars=wrong)
    with pytest.raises(InvalidRequest, match=r"sampling\.seed: must be a whole number \(got nan"):
        client.generate("a", seed=math.nan)  # type: ignore[arg-type]
    assert not fake.requests
