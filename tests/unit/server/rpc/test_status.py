import grpc
import pytest
from google.rpc import error_details_pb2

from ostinato_server import errors
from ostinato_server.rpc.status import code_of, status_of


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (errors.Unauthenticated("no token"), grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
        (errors.PermissionDenied("/x", "admin", "infer"), grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"),
        (errors.TooManyCalls(3), grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS"),
        (errors.InvalidArgument("text", "must not be empty"), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
        (errors.ModelNotFound("m", 3, ("a", "b")), grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"),
        (errors.BundleNotFound("m", None, ()), grpc.StatusCode.NOT_FOUND, "BUNDLE_NOT_FOUND"),
        (errors.ModelRefused("m", 3, "why"), grpc.StatusCode.FAILED_PRECONDITION, "MODEL_REFUSED"),
        (errors.NoRepository("why"), grpc.StatusCode.FAILED_PRECONDITION, "NO_REPOSITORY"),
        (errors.ControlDisabled("poll"), grpc.StatusCode.PERMISSION_DENIED, "CONTROL_DISABLED"),
        (errors.WrongTask("m", "sentiment", "generation"), grpc.StatusCode.INVALID_ARGUMENT, "WRONG_TASK"),
        (errors.Overloaded("m", 10, 1.5), grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
        (
            errors.DeadlineUnreachable("m", 2.0, 1.0, 1.5),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "DEADLINE_UNREACHABLE",
        ),
        (errors.Draining(), grpc.StatusCode.UNAVAILABLE, "DRAINING"),
        (errors.DeadlineExpired(), grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXPIRED"),
        (errors.EngineFault("m"), grpc.StatusCode.INTERNAL, "ENGINE_FAULT"),
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


@pytest.mark.parametrize("error", [errors.Overloaded("m", 10, 1.5), errors.DeadlineUnreachable("m", 2.0, 1.0, 1.5)])
def test_overload_tells_when_to_come_back(error: errors.ServerError) -> None:
    detail = error_details_pb2.RetryInfo()
    assert status_of(error).details[1].Unpack(detail)
    assert detail.retry_delay.ToNanoseconds() == 1_500_000_000


def test_a_caller_with_too_many_calls_is_told_to_wait() -> None:
    detail = error_details_pb2.RetryInfo()
    assert status_of(errors.TooManyCalls(3)).details[1].Unpack(detail)
    assert detail.retry_delay.ToNanoseconds() == 1_000_000_000
