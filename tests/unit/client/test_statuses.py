"""From statuses to exceptions."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf import duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.client.fake_server import status_with

from ostinato_client import (
    Cancelled,
    ConnectionFailed,
    DeadlineExceeded,
    FieldViolation,
    InvalidRequest,
    ModelNotFound,
    OstinatoError,
    Overloaded,
    PermissionDenied,
    Refused,
    ServerError,
    Unauthenticated,
    Unavailable,
)
from ostinato_client.statuses import DETAILS_KEY, error_from_status

texts = st.text(st.characters(codec="utf-8"), max_size=40)
failures = st.sampled_from([code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])


def packed(code: grpc.StatusCode, *details: Message) -> list[tuple[str, str | bytes]]:
    return [("other", "value"), (DETAILS_KEY, status_with(code, "x", *details).SerializeToString())]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequest),
        (grpc.StatusCode.OUT_OF_RANGE, InvalidRequest),
        (grpc.StatusCode.NOT_FOUND, ModelNotFound),
        (grpc.StatusCode.FAILED_PRECONDITION, Refused),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Refused),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded),
        (grpc.StatusCode.CANCELLED, Cancelled),
        (grpc.StatusCode.INTERNAL, ServerError),
        (grpc.StatusCode.UNIMPLEMENTED, ServerError),
        (grpc.StatusCode.UNAUTHENTICATED, Unauthenticated),
        (grpc.StatusCode.PERMISSION_DENIED, PermissionDenied),
    ],
)
def test_each_code_has_its_exception(code: grpc.StatusCode, kind: type[OstinatoError]) -> None:
    assert type(error_from_status(code, "message")) is kind


@pytest.mark.parametrize("side", ["SERVER", "CLIENT"])
def test_a_message_over_the_size_limit_is_an_invalid_request(side: str) -> None:
    text = f"{side}: Received message larger than max (5000013 vs. 4194304)"
    error = error_from_status(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
    assert (type(error), error.message) == (InvalidRequest, text)


def test_a_limit_that_waiting_does_not_change_is_not_an_overload() -> None:
    info = error_details_pb2.ErrorInfo(reason="MODEL_TOO_LARGE", domain="ostinato")
    error = error_from_status(grpc.StatusCode.RESOURCE_EXHAUSTED, "x", packed(grpc.StatusCode.RESOURCE_EXHAUSTED, info))
    assert (type(error), error.reason) == (Refused, "MODEL_TOO_LARGE")


def test_unavailable_is_a_failed_connection_unless_the_server_said_it() -> None:
    code = grpc.StatusCode.UNAVAILABLE
    info = error_details_pb2.ErrorInfo(reason="DRAINING", domain="ostinato")
    said = error_from_status(code, "draining", packed(code, info))
    assert (type(said), said.reason) == (Unavailable, "DRAINING")
    assert type(error_from_status(code, "failed to connect")) is ConnectionFailed


def test_a_server_error_keeps_the_name_of_its_code() -> None:
    error = error_from_status(grpc.StatusCode.DATA_LOSS, "")
    assert isinstance(error, ServerError)
    assert (error.code, error.message) == ("DATA_LOSS", "data loss")


@given(failures, texts)
def test_every_failure_becomes_an_error_with_its_message(code: grpc.StatusCode, message: str) -> None:
    error = error_from_status(code, message)
    assert error.message == (message or code.name.replace("_", " ").lower())
    assert str(error) == error.message


@given(st.lists(st.tuples(texts, texts), max_size=5))
def test_violations_come_through_whole_and_in_order(fields: list[tuple[str, str]]) -> None:
    code = grpc.StatusCode.INVALID_ARGUMENT
    violation = error_details_pb2.BadRequest.FieldViolation
    detail = error_details_pb2.BadRequest(field_violations=[violation(field=f, description=d) for f, d in fields])
    info = error_details_pb2.ErrorInfo(reason="BAD_FIELD")
    error = error_from_status(code, "x", packed(code, info, detail))
    assert isinstance(error, InvalidRequest)
    assert error.violations == tuple(FieldViolation(f, d) for f, d in fields)
    assert error.reason == "BAD_FIELD"


@given(st.integers(0, 10**6), st.integers(0, 999_999_999))
def test_the_retry_delay_is_told_in_seconds(seconds: int, nanos: int) -> None:
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    delay = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=seconds, nanos=nanos))
    error = error_from_status(code, "x", packed(code, delay))
    assert isinstance(error, Overloaded)
    assert error.retry_after_seconds == pytest.approx(seconds + nanos / 1e9, abs=1e-9)


@given(failures, st.binary(max_size=60))
def test_malformed_details_never_hide_the_status(code: grpc.StatusCode, noise: bytes) -> None:
    assert error_from_status(code, "message", [(DETAILS_KEY, noise)]).message == "message"
