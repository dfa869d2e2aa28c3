"""Everything the client raises, one tree.

Catch the branch that you can do something about::

    try:
        print(client.classify("a fine film").sentiment)
    except ostinato_client.Overloaded as error:
        print(f"try again in {error.retry_after_seconds:g} s")

The tree::

    OstinatoError
     ├─ InvalidRequest        a field or the message is out of its limits; the request will never work as it is
     ├─ ModelNotFound         the server has no such model or version
     ├─ Unauthenticated       the server wants a token, or another one
     ├─ PermissionDenied      the token's role does not go that far, or the server allows it to nobody
     ├─ Refused               the server will not do it: the model's bundle is not sound or too large
     ├─ Overloaded            the server or this caller is at its limit until the deadline; says when to come back
     ├─ Unavailable           the server is draining, or not ready
     │   └─ ConnectionFailed  nobody answers, or the connection broke
     ├─ DeadlineExceeded      the time allowed for the call ran out
     ├─ Cancelled             the call was cancelled: by ``cancel()``, by closing the client, or by the server
     └─ ServerError           the server failed, or broke its own contract
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Cancelled",
    "ConnectionFailed",
    "DeadlineExceeded",
    "FieldViolation",
    "InvalidRequest",
    "ModelNotFound",
    "OstinatoError",
    "Overloaded",
    "PermissionDenied",
    "Refused",
    "ServerError",
    "Unauthenticated",
    "Unavailable",
]


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field of a request that is out of its limits.

    Attributes:
        field: Path of the field in the request message, ``"sampling.temperature"`` for instance.
        description: What is wrong with its value.
    """

    field: str
    description: str

    def __str__(self) -> str:
        return f"{self.field}: {self.description}" if self.field else self.description


class OstinatoError(Exception):
    """Anything that went wrong with a call.

    Attributes:
        message: What went wrong, in a sentence.
        reason: The server's own constant for the cause (``google.rpc.ErrorInfo``), empty where it gave none.
    """

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class InvalidRequest(OstinatoError):
    """A field of the request is out of its limits.

    Raised by the server's word, or before the call where a value cannot even be sent (a negative count, a text that is
    not Unicode).

    Attributes:
        violations: Every field at fault; empty where the server named none.
    """

    def __init__(self, message: str, *, violations: tuple[FieldViolation, ...] = (), reason: str = "") -> None:
        super().__init__(message, reason=reason)
        self.violations = violations


class ModelNotFound(OstinatoError):
    """The server has no such model or version."""


class Unauthenticated(OstinatoError):
    """The server wants a token and got none, or one that it does not know."""


class PermissionDenied(OstinatoError):
    """The token's role does not go that far, or the server runs in a mode that allows it to nobody."""


class Refused(OstinatoError):
    """The server will not do it: a bundle is not sound or too large, nothing is there to unload, or another limit."""


class Overloaded(OstinatoError):
    """The server's queue is full, or this caller has as many calls under way as it may.

    The client has waited as the server asked; the next wait would pass the deadline.

    Attributes:
        retry_after_seconds: When to come back, by the server's estimate.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None, reason: str = "") -> None:
        super().__init__(message, reason=reason)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(OstinatoError):
    """The server does not take requests now: it is draining or not ready."""


class ConnectionFailed(Unavailable):
    """Nobody answers at the target, or the connection broke."""


class DeadlineExceeded(OstinatoError):
    """The time allowed for the call ran out, on this side or on the server's."""


class Cancelled(OstinatoError):
    """The call was cancelled: by ``cancel()`` or by closing the client here, or by the server."""


class ServerError(OstinatoError):
    """The server failed, or broke its own contract.

    Attributes:
        code: Name of the gRPC status, ``"INTERNAL"`` for instance.
    """

    def __init__(self, message: str, *, code: str = "UNKNOWN", reason: str = "") -> None:
        super().__init__(message, reason=reason)
        self.code = code
