"""Whether and when a failed call is made again; no test waits."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.client.fake_server import retry_after, status_with

from ostinato_client.retries import (
    JITTER,
    LONGEST_PAUSE_SECONDS,
    LOST_CODES,
    PATIENCE_SECONDS,
    Failure,
    Retries,
    failure_of,
)
from ostinato_client.statuses import DETAILS_KEY, REQUEST_ID_KEY

BY_SERVER = (REQUEST_ID_KEY, "call-7")
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
FULL = grpc.StatusCode.RESOURCE_EXHAUSTED


def failed(
    code: grpc.StatusCode, *trailers: tuple[str, str | bytes], details: str = "why", info: Message | None = None
) -> grpc.aio.AioRpcError:
    if info is not None:
        trailers = (*trailers, (DETAILS_KEY, status_with(code, "x", info).SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailers), details)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def retries(
    clock: Clock, *, attempts: int = 3, timeout: float | None = 60.0, jitter: float = 0.0, idempotent: bool = True
) -> Retries:
    return Retries(attempts, timeout, idempotent=idempotent, clock=clock, jitter=lambda: jitter)


@pytest.mark.parametrize("code", sorted(LOST_CODES, key=str))
@pytest.mark.parametrize("details", ["Received RST_STREAM with error code 2", "Stream removed", "", "HTTP status 500"])
def test_a_reset_without_the_servers_metadata_is_a_loss(code: grpc.StatusCode, details: str) -> None:
    assert failure_of(failed(code, details=details))[0] is Failure.LOST
    assert failure_of(failed(code, ("server", "envoy"), details=details))[0] is Failure.LOST


@pytest.mark.parametrize("code", sorted(LOST_CODES, key=str))
def test_the_same_code_from_the_server_is_final(code: grpc.StatusCode) -> None:
    assert failure_of(failed(code, BY_SERVER))[0] is Failure.FINAL
    info = error_details_pb2.ErrorInfo(reason="DEADLINE_EXPIRED")
    assert failure_of(failed(code, info=info))[0] is Failure.FINAL


@pytest.mark.parametrize(
    "details",
    ["", "upstream connect error or disconnect/reset before headers", "no healthy upstream", "GOAWAY received"],
)
def test_unavailable_is_unavailable_whoever_says_so(details: str) -> None:
    assert failure_of(failed(UNAVAILABLE, details=details))[0] is Failure.UNAVAILABLE
    assert failure_of(failed(UNAVAILABLE, BY_SERVER, details=details, info=retry_after(5)))[0] is Failure.UNAVAILABLE


@pytest.mark.parametrize("details", ["Exception deserializing response!", "Exception iterating requests!"])
def test_a_failure_in_this_process_is_final(details: str) -> None:
    assert failure_of(failed(grpc.StatusCode.INTERNAL, details=details))[0] is Failure.FINAL


def test_only_a_refusal_with_a_retry_delay_is_waited_for() -> None:
    assert failure_of(failed(FULL, info=retry_after(250))) == (Failure.BUSY, 0.25)
    assert failure_of(failed(FULL, details="Received message larger than max"))[0] is Failure.FINAL
    assert failure_of(failed(FULL, info=error_details_pb2.ErrorInfo(reason="MODEL_TOO_LARGE")))[0] is Failure.FINAL


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
    ],
)
def test_what_another_call_would_meet_again_is_final(code: grpc.StatusCode) -> None:
    assert failure_of(failed(code))[0] is Failure.FINAL


def test_a_full_server_is_waited_for_as_it_asks_until_the_deadline() -> None:
    clock = Clock()
    calls = retries(clock, timeout=1.0)
    full = failed(FULL, info=retry_after(300))
    pauses = []
    while (pause := calls.pause(full)) is not None:
        pauses.append(pause)
        clock.now += pause
    assert pauses == pytest.approx([0.3, 0.3, 0.3])
    assert calls.cause(full) is full


def test_a_full_server_is_waited_for_no_longer_than_patience_without_a_deadline() -> None:
    clock = Clock()
    calls = retries(clock, attempts=2, timeout=None)
    start, full = clock.now, failed(FULL, info=retry_after(999))
    while (pause := calls.pause(full)) is not None:
        clock.now += pause
    assert clock.now - start == pytest.approx(2 * PATIENCE_SECONDS, abs=1.0)


def test_a_delay_that_passes_the_deadline_is_not_waited_for() -> None:
    assert retries(Clock(), timeout=1.0).pause(failed(FULL, info=retry_after(999))) == pytest.approx(0.999)
    assert retries(Clock(), timeout=0.9).pause(failed(FULL, info=retry_after(999))) is None


@given(st.floats(0, 1), st.integers(0, 999), st.floats(0.01, 2.0))
def test_jitter_extends_the_servers_delay_and_never_passes_the_deadline(
    jitter: float, milliseconds: int, timeout: float
) -> None:
    pause = retries(Clock(), timeout=timeout, jitter=jitter).pause(failed(FULL, info=retry_after(milliseconds)))
    if pause is not None:
        assert milliseconds / 1000 <= pause <= timeout + 1e-9
        assert pause <= max(milliseconds / 1000, 0.01) * (1 + JITTER) + 1e-9


@pytest.mark.parametrize("error", [failed(UNAVAILABLE), failed(grpc.StatusCode.INTERNAL)])
def test_a_call_that_brought_nothing_is_repeated_as_often_as_the_client_retries(error: grpc.RpcError) -> None:
    calls = retries(Clock(), attempts=3, timeout=None)
    assert [calls.pause(error) for _ in range(4)] == pytest.approx([0.1, 0.2, 0.4, None])


def test_a_call_that_may_have_been_served_is_repeated_only_if_that_changes_nothing() -> None:
    assert retries(Clock(), idempotent=False).pause(failed(grpc.StatusCode.INTERNAL)) is None
    assert retries(Clock(), idempotent=False).pause(failed(UNAVAILABLE)) is not None
    assert retries(Clock(), idempotent=False).pause(failed(FULL, info=retry_after(1))) is not None


@pytest.mark.parametrize("timeout", [None, 25.0])
@pytest.mark.parametrize("error", [failed(UNAVAILABLE), failed(grpc.StatusCode.CANCELLED)])
def test_a_stream_that_has_begun_is_resumed_until_the_deadline_or_patience_ends(
    timeout: float | None, error: grpc.RpcError
) -> None:
    clock = Clock()
    calls = retries(clock, attempts=3, timeout=timeout)
    start, pauses = clock.now, []
    while (pause := calls.pause(error, begun=True)) is not None:
        pauses.append(pause)
        clock.now += pause
    assert pauses[:6] == pytest.approx([0.0, 0.2, 0.4, 0.8, 1.6, 2.0])
    assert max(pauses) <= LONGEST_PAUSE_SECONDS
    assert clock.now - start == pytest.approx(timeout or 3 * PATIENCE_SECONDS, abs=LONGEST_PAUSE_SECONDS)


def test_what_a_stream_brings_renews_patience() -> None:
    clock = Clock()
    calls = retries(clock, attempts=1, timeout=None)
    assert calls.pause(failed(UNAVAILABLE), begun=True) == 0.0
    clock.now += 2 * PATIENCE_SECONDS
    assert calls.pause(failed(UNAVAILABLE), begun=True) is None
    calls.progressed()
    assert calls.pause(failed(UNAVAILABLE), begun=True) == 0.0


def test_without_retries_nothing_is_repeated() -> None:
    for error in (failed(UNAVAILABLE), failed(FULL, info=retry_after(1)), failed(grpc.StatusCode.INTERNAL)):
        assert retries(Clock(), attempts=0).pause(error) is None
        assert retries(Clock(), attempts=0).pause(error, begun=True) is None


def test_a_deadline_that_passes_while_no_server_answers_is_the_failure_before_it() -> None:
    clock = Clock()
    calls = retries(clock)
    gone, late = failed(UNAVAILABLE), failed(grpc.StatusCode.DEADLINE_EXCEEDED)
    assert calls.cause(late) is late
    calls.pause(gone, begun=True)
    assert calls.cause(late) is gone
    assert calls.cause(failed(grpc.StatusCode.DEADLINE_EXCEEDED, BY_SERVER)) is not gone
    calls.progressed()
    assert calls.cause(late) is late


def test_each_call_has_what_is_left_of_the_deadline() -> None:
    clock = Clock()
    calls = retries(clock, timeout=10.0)
    clock.now += 4.0
    assert (calls.left(), calls.patience()) == (6.0, 6.0)
    clock.now += 7.0
    assert calls.left() == 0.001
    assert calls.patience() == 0.0
    assert retries(clock, timeout=None).left() is None
