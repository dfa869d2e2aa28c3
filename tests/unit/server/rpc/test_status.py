import grpc
import pytest
from google.rpc import error_details_pb2

from ostinato_server import errors
from ostinato_server.rpc.status import code_of, status_of


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (errors.InvalidArgument("text", "must not be empty"), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        (errors.ModelNotFound("m", 3, ("a", "b")), grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"),
        (errors.WrongTask("m", "sentiment", "generation"), grpc.StatusCode.INVALID_ARGUMENT, "WRONG_TASK"),
        (errors.Overloaded("m", 10, 1.5), grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
        (errors.Draining(), grpc.StatusCode.UNAVAILABLE, "DRAINING"),
        (errors.DeadlineExpired(), grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXPIRED"),
        (errors.EngineFault("m"), grpc.StatusCode.INTERNAL, "ENGINE_FAULT"),
        (errors.ModelControlUnavailable(), grpc.StatusCode.UNIMPLEMENTED, "MODEL_CONTROL_UNAVAILABLE"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_of_a_request_has_its_code_and_reason(
    error: errors.ServerError, code: grpc.StatusCode, reason: str
) -> None:
    status = status_of(error)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert code_of(error) == code
    assert (status.code, status.message) == (code.value[0], str(error))
    assert (info.reason, info.domain) == (reason, "ostinato")


def test_invalid_argument_names_the_field_in_a_bad_request() -> None:
    detail = error_details_pb2.BadRequest()
    assert status_of(errors.InvalidArgument("sampling.top_p", "must be at most 1")).details[1].Unpack(detail)
    assert [(v.field, v.description) for v in detail.field_violations] == [("sampling.top_p", "must be at most 1")]


def test_overload_tells_when_to_come_back() -> None:
    detail = error_details_pb2.RetryInfo()
    assert status_of(errors.Overloaded("m", 10, 1.5)).details[1].Unpack(detail)
    assert detail.retry_delay.ToNanoseconds() == 1_500_000_000
