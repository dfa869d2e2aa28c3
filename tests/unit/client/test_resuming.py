"""A broken stream is taken up with what it takes, as often as it brings something, and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest
from tests.unit.client.fake_server import FakeServer, generated, generation_end, refuse, retry_after

from ostinato.v1 import generation_pb2 as pb
from ostinato_client import AsyncClient, Client, DeadlineExceeded, InvalidRequest, OstinatoError, Unavailable

TEXT = "abcdefgh"


def origin() -> pb.StreamOrigin:
    return pb.StreamOrigin(version=3, seed=11)


class Breaking:
    """Writes TEXT, and breaks after so many characters of each call."""

    def __init__(self, *, each: int, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self.each = each
        self.code = code
        self.requests: list[pb.GenerateRequest] = []

    def __call__(self, request: Any, context: grpc.ServicerContext) -> Iterator[pb.GenerateResponse]:
        self.requests.append(request)
        start = request.resumption.position
        for position in range(start, min(start + self.each, len(TEXT))):
            message = generated(TEXT[position], position)
            if position == start:
                message.chunk.origin.CopyFrom(origin())
            yield message
        if start + self.each < len(TEXT):
            refuse(context, self.code, "gone", retry_after(1))
        yield generation_end(request, len(TEXT))


def test_a_stream_that_breaks_again_and_again_comes_whole(client: Client, fake: FakeServer) -> None:
    server = fake.generate = Breaking(each=3)
    stream = client.generate("x", temperature=0.5, stop=["!"], logprobs=True)

    assert [chunk.text for chunk in stream] == list(TEXT)
    assert stream.text() == TEXT
    first, *others = server.requests
    assert not first.HasField("resumption")
    assert not first.HasField("version")
    for number, request in enumerate(others, start=1):
        expected = pb.GenerateRequest()
        expected.CopyFrom(first)
        expected.version, expected.sampling.seed = 3, 11
        expected.resumption.text, expected.resumption.position = TEXT[: 3 * number], 3 * number
        assert request == expected


async def test_the_async_client_does_the_same(async_client: AsyncClient, fake: FakeServer) -> None:
    server = fake.generate = Breaking(each=3)
    stream: AsyncIterator[Any] = async_client.generate("x")
    assert [chunk.text async for chunk in stream] == list(TEXT)
    assert [request.resumption.position for request in server.requests] == [0, 3, 6]


@pytest.mark.parametrize(
    ("code", "error"),
    [(grpc.StatusCode.INTERNAL, OstinatoError), (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequest)],
)
def test_a_failure_of_the_servers_own_ends_a_stream(
    client: Client, fake: FakeServer, code: grpc.StatusCode, error: type[OstinatoError]
) -> None:
    server = fake.generate = Breaking(each=3, code=code)
    with pytest.raises(error):
        client.generate("x").text()
    assert len(server.requests) == 1


@pytest.mark.parametrize("build", [lambda: {"resume": False}, dict])
def test_opting_out_leaves_it_broken(fake: FakeServer, build: Callable[[], dict[str, bool]]) -> None:
    server = fake.generate = Breaking(each=3)
    choice = build()
    with Client(fake.target, timeout=10, retries=3 if choice else 0) as client:
        stream = client.generate("x", **choice)  # type: ignore[arg-type]
        with pytest.raises(Unavailable, match="gone"):
            stream.text()
    assert len(server.requests) == 1


def test_a_server_that_never_comes_back_is_told_as_such(fake: FakeServer) -> None:
    def begin(request: Any, context: grpc.ServicerContext) -> Iterator[pb.GenerateResponse]:
        message = generated("a", 0)
        message.chunk.origin.CopyFrom(origin())
        yield message
        while context.is_active():
            yield generated("b", 1)

    fake.generate = begin
    with Client(fake.target, timeout=1) as client:
        stream = client.generate("x")
        next(stream)
        fake.stop()
        with pytest.raises((Unavailable, DeadlineExceeded)) as caught:
            for _ in stream:
                pass
    assert isinstance(caught.value, Unavailable)
