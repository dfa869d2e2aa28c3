"""Whose turn it is when there are more streams than slots."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import grpc
import pytest
from tests.integration.harness import CALL_SECONDS, RunningServer, fold, serving, together, violation

from ostinato.v1 import generation_pb2 as pb
from ostinato.v1 import translation_pb2

CHARACTERS = 200

Waiter = tuple[str, pb.Priority.ValueType]
"""Who waits, and its class."""


class Cancellable(Protocol):
    """A call that can be given up."""

    def cancel(self) -> object: ...


def named(client: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a client with a name, or of one without."""
    return (("ostinato-client-id", client),) if client else ()


@contextmanager
def full(repository: Path) -> Iterator[tuple[RunningServer, Cancellable]]:
    """A server whose only slot is taken, and the call that takes it."""
    with serving(repository, max_concurrency=1, window=20_000) as server:
        holder = server.generation.Generate(
            ask(pb.PRIORITY_NORMAL, 10_000), timeout=CALL_SECONDS, metadata=named("holder")
        )
        next(holder)
        try:
            yield server, holder
        finally:
            holder.cancel()


def ask(priority: pb.Priority.ValueType, characters: int = CHARACTERS) -> pb.GenerateRequest:
    return pb.GenerateRequest(
        model="char-lm",
        prompt="ROMEO:",
        priority=priority,
        sampling=pb.SamplingParameters(seed=1),
        stopping=pb.StoppingParameters(max_tokens=characters),
    )


def order_of_service(server: RunningServer, holder: Cancellable, waiters: Sequence[Waiter]) -> list[int]:
    """Queues one stream per waiter, in order, and frees the slot; the waiters by the end of their streams."""
    ended: list[int] = []
    calls = []
    for queued, (client, priority) in enumerate(waiters, 1):
        calls.append(server.generation.Generate(ask(priority), timeout=CALL_SECONDS, metadata=named(client)))
        await_waiting(server, queued)

    def read(index: int) -> None:
        assert len(fold(calls[index]).text) == CHARACTERS
        ended.append(index)

    holder.cancel()
    together([lambda index=index: read(index) for index in range(len(calls))])  # type: ignore[misc]
    return ended


def await_waiting(server: RunningServer, count: int) -> None:
    """Returns once so many streams wait for a slot."""
    end = time.monotonic() + CALL_SECONDS
    while server.scrape()[("ostinato_requests_waiting", (("model", "char-lm"),))] < count:
        assert time.monotonic() < end


def test_higher_class_goes_first_whenever_it_came(repository: Path) -> None:
    with full(repository) as (server, holder):
        waiters = [("", pb.PRIORITY_LOW), ("", pb.PRIORITY_UNSPECIFIED), ("", pb.PRIORITY_HIGH)]
        assert order_of_service(server, holder, waiters) == [2, 1, 0]


def test_same_class_and_client_go_in_the_order_of_arrival(repository: Path) -> None:
    with full(repository) as (server, holder):
        assert order_of_service(server, holder, [("", pb.PRIORITY_NORMAL)] * 3) == [0, 1, 2]


def test_client_that_holds_the_slot_waits_behind_another(repository: Path) -> None:
    with serving(repository, max_concurrency=2, window=20_000) as server:
        holders = [
            server.generation.Generate(ask(pb.PRIORITY_NORMAL, 10_000), timeout=CALL_SECONDS, metadata=named("crowd"))
            for _ in range(2)
        ]
        for each in holders:
            next(each)
        waiters = [("crowd", pb.PRIORITY_NORMAL), ("newcomer", pb.PRIORITY_NORMAL)]
        assert order_of_service(server, holders[0], waiters) == [1, 0]
        holders[1].cancel()


def test_unknown_class_is_refused_by_both_tasks(server: RunningServer) -> None:
    calls = (
        server.generation.Generate(ask(7), timeout=CALL_SECONDS),  # type: ignore[arg-type]
        server.translation.Translate(
            translation_pb2.TranslateRequest(model="translation-en-fr", text="Hello.", priority=7),  # type: ignore[arg-type]
            timeout=CALL_SECONDS,
        ),
    )
    for call in calls:
        with pytest.raises(grpc.RpcError) as caught:
            list(call)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert violation(caught.value) == (
            "priority",
            "must be PRIORITY_HIGH, PRIORITY_NORMAL or PRIORITY_LOW, not 7",
        )


def test_endless_client_name_is_refused(server: RunningServer) -> None:
    call = server.generation.Generate(ask(pb.PRIORITY_HIGH), timeout=CALL_SECONDS, metadata=named("x" * 129))
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    assert violation(caught.value) == ("metadata ostinato-client-id", "must have at most 128 characters, not 129")
