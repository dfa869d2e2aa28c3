"""Sessions through the clients."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.conversation import until
from tests.integration.harness import RunningServer, serving

from ostinato_client import AsyncClient, Client, DeadlineExceeded, FinishReason, InvalidRequest

TYPED = ["no", "not", "not good", "not goof", "", "fine"]


@pytest.fixture
def client(server: RunningServer) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


@pytest.fixture
async def async_client(server: RunningServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(server.address) as client:
        yield client


def ended_well(server: RunningServer) -> float:
    labels = (("code", "OK"), ("method", "/ostinato.v1.GenerationService/GenerateSession"))
    return server.scrape().get(("ostinato_rpc_duration_seconds_count", labels), 0)


def test_turns_follow_on_one_another(server: RunningServer, client: Client) -> None:
    before = ended_well(server)
    with client.session(logprobs=True) as session:
        first = session.send("The cat", max_chars=30, seed=1)
        chunks = list(first)
        assert "".join(chunk.text for chunk in chunks) == first.text() == first.summary.text
        assert sum(len(chunk.tokens) for chunk in chunks) == 30
        second = session.send(" and", max_chars=30, seed=2, temperature=0.5, top_k=5, top_p=0.9)
        expected = client.generate(
            "The cat" + first.text() + " and", max_chars=30, seed=2, temperature=0.5, top_k=5, top_p=0.9
        )
        assert second.text() == expected.text()
        assert second.summary.prompt_tokens == 4
    until(lambda: ended_well(server) == before + 1)


async def test_turns_follow_on_one_another_awaited(server: RunningServer, async_client: AsyncClient) -> None:
    before = ended_well(server)
    async with async_client.session(logprobs=True) as session:
        first = session.send("The cat", max_chars=30, seed=1)
        chunks = [chunk async for chunk in first]
        assert "".join(chunk.text for chunk in chunks) == await first.text()
        assert sum(len(chunk.tokens) for chunk in chunks) == 30
        second = session.send(" and", max_chars=30, seed=2)
        expected = async_client.generate("The cat" + await first.text() + " and", max_chars=30, seed=2)
        assert await second.text() == await expected.text()
    assert ended_well(server) == before + 1


def test_withheld_text_is_told(client: Client) -> None:
    whole = client.generate("The cat", max_chars=30, seed=1).text()
    with client.session() as session:
        summary = session.send("The cat", max_chars=30, seed=1, stop=whole[9:12]).summary
    assert summary.finish_reason is FinishReason.STOP
    assert summary.text + summary.withheld_text == whole[: whole.index(whole[9:12]) + 3]


def test_one_turn_at_a_time(client: Client) -> None:
    with client.session() as session:
        session.send("The cat", max_chars=2000)
        with pytest.raises(RuntimeError, match="the turn before must be read to its end first"):
            session.send("a")


async def test_one_turn_at_a_time_awaited(async_client: AsyncClient) -> None:
    async with async_client.session() as session:
        session.send("The cat", max_chars=2000)
        with pytest.raises(RuntimeError, match="the turn before must be read to its end first"):
            session.send("a")


def test_bad_turn_is_told_by_its_field(client: Client) -> None:
    with client.session() as session:
        assert session.send("The cat", max_chars=5).text()
        with pytest.raises(InvalidRequest) as caught:
            session.send("a", temperature=-1).text()
    assert [violation.field for violation in caught.value.violations] == ["turn.sampling.temperature"]


async def test_bad_turn_is_told_by_its_field_awaited(async_client: AsyncClient) -> None:
    async with async_client.session() as session:
        assert await session.send("The cat", max_chars=5).text()
        with pytest.raises(InvalidRequest) as caught:
            await session.send("a", temperature=-1).text()
    assert [violation.field for violation in caught.value.violations] == ["turn.sampling.temperature"]


def test_leaving_a_turn_in_the_middle_ends_the_session_on_the_server(repository: Path) -> None:
    with serving(repository) as server, Client(server.address) as client:
        with client.session() as session:
            next(session.send("The cat", max_chars=2000))
        until(lambda: server.scrape()["ostinato_sessions_open", ()] == 0)


def test_session_that_expired_says_so(repository: Path) -> None:
    with serving(repository, session_idle_seconds=0.05) as server, Client(server.address) as client:
        with client.session() as session:
            assert session.send("The cat", max_chars=5).text()
            until(lambda: server.scrape()["ostinato_sessions_open", ()] == 0)
            with pytest.raises(DeadlineExceeded, match="the session expired") as caught:
                session.send("a").text()
        assert caught.value.reason == "SESSION_EXPIRED"


def test_typed_text_is_scored_to_its_last_change(client: Client) -> None:
    scores = list(client.classify_incremental(TYPED))
    texts = [score.text for score in scores]
    assert texts[-1] == "fine"
    assert [text for text in TYPED if text in texts] == texts
    for score in scores:
        assert score == client.classify(score.text)


async def test_typed_text_is_scored_to_its_last_change_awaited(async_client: AsyncClient) -> None:
    scores = [score async for score in async_client.classify_incremental(TYPED)]
    assert scores[-1] == await async_client.classify("fine")
    assert "" not in [score.text for score in scores]


def test_typed_text_raises_what_its_source_raises(client: Client) -> None:
    def texts() -> Iterator[str]:
        yield "good"
        raise OSError("keyboard gone")

    with pytest.raises(OSError, match="keyboard gone"):
        list(client.classify_incremental(texts()))
