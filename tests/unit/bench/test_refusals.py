"""What a status says to somebody who measures."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from ostinato_bench.refusals import Ending, ending


def error(code: grpc.StatusCode, *details: Message) -> grpc.aio.AioRpcError:
    status = status_pb2.Status(code=code.value[0])
    for detail in details:
        status.details.add().Pack(detail)
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers)


RETRY = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000))
INFO = error_details_pb2.ErrorInfo(reason="OVERLOADED")


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (error(grpc.StatusCode.RESOURCE_EXHAUSTED), Ending(True, "RESOURCE_EXHAUSTED", None)),
        (
            error(grpc.StatusCode.RESOURCE_EXHAUSTED, INFO, RETRY),
            Ending(True, "RESOURCE_EXHAUSTED (OVERLOADED)", 1.5),
        ),
        (error(grpc.StatusCode.UNAVAILABLE, RETRY), Ending(True, "UNAVAILABLE", 1.5)),
        (error(grpc.StatusCode.UNAVAILABLE), Ending(False, "UNAVAILABLE", None)),
        (error(grpc.StatusCode.DEADLINE_EXCEEDED), Ending(False, "DEADLINE_EXCEEDED", None)),
        (grpc.RpcError(), Ending(False, "UNKNOWN", None)),
    ],
)
def test_refusals_are_told_from_failures(failure: grpc.RpcError, expected: Ending) -> None:
    assert ending(failure) == expected


def test_spoilt_details_leave_the_status() -> None:
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", b"\xff\xff"))
    failure = grpc.aio.AioRpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.aio.Metadata(), trailers)
    assert ending(failure) == Ending(True, "RESOURCE_EXHAUSTED", None)
