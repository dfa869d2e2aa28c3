"""What can go wrong with a request, as facts; ``rpc.status`` maps each to a gRPC status.

    ServerError
    ├── Unauthenticated     the call brings no token, or one that is unknown
    ├── PermissionDenied    the caller's role does not go that far
    ├── TooManyCalls        the caller has as many calls under way as it may
    ├── TooManySessions     the server has as many sessions open as it may
    ├── SessionExpired      a session's client sent nothing for too long
    ├── InvalidArgument     a field of the request is out of its limits
    ├── ModelNotFound       no model of that name and version is loaded
    ├── BundleNotFound      the repository has no bundle of that name and version
    ├── ModelRefused        the bundle is not what its manifest says, or cannot be served here
    │   └── ModelTooLarge   there is not the memory for it
    ├── NoRepository        the folder of the bundles cannot be read
    ├── ControlDisabled     models are not loaded and unloaded on request
    ├── WrongTask           the model exists but does something else
    ├── Overloaded          the queue is full; come back after a while
    ├── DeadlineUnreachable the queue is longer than the request's deadline allows
    ├── Draining            the server is shutting down
    ├── DeadlineExpired     the request's deadline passed before its end
    ├── EngineFault         the model's runtime failed; nothing the caller did
    ├── EngineUnavailable   the model's engine cannot work for now; another server can
    └── StartupError        the server cannot start as configured
        └── DeviceUnavailable

Each carries the facts that a caller needs: the field, the limit, the time to wait.
"""

from __future__ import annotations


class ServerError(Exception):
    """The root of all errors that the server raises on purpose."""


class Unauthenticated(ServerError):
    """The call brings no token, or one that is unknown; its message never holds the token."""


class PermissionDenied(ServerError):
    """The caller's role does not go that far."""

    def __init__(self, method: str, needed: str, role: str) -> None:
        super().__init__(f"{method} needs the role {needed}; the token has {role}")
        self.method = method


class TooManyCalls(ServerError):
    """The caller has as many calls under way as it may.

    Attributes:
        limit: How many those are.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"the caller has {limit} calls under way, its limit; retry when one has ended")
        self.limit = limit


class TooManySessions(ServerError):
    """The server has as many sessions open as it may.

    Attributes:
        limit: How many those are.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"the server has {limit} sessions open, its limit; retry when one has ended")
        self.limit = limit


class SessionExpired(ServerError):
    """A session's client sent nothing for too long."""

    def __init__(self, idle_seconds: float) -> None:
        super().__init__(f"the session expired: nothing came from the client for {idle_seconds:g} s")
        self.idle_seconds = idle_seconds


class InvalidArgument(ServerError):
    """A field of the request is out of its limits.

    Attributes:
        field: Path of the field in the request message, ``sampling.temperature`` for instance.
        description: The limit and the value given.
    """

    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}")
        self.field = field
        self.description = description


class ModelNotFound(ServerError):
    """No model of that name and version is loaded."""

    def __init__(self, model: str, version: int | None, available: tuple[str, ...]) -> None:
        wanted = repr(model) if version is None else f"{model!r} version {version}"
        loaded = ", ".join(available) or "none"
        super().__init__(f"no model {wanted}; loaded: {loaded}")
        self.model = model
        self.version = version


class BundleNotFound(ServerError):
    """The repository has no bundle of that name and version."""

    def __init__(self, model: str, version: int | None, available: tuple[int, ...]) -> None:
        wanted = repr(model) if version is None else f"{model!r} version {version}"
        versions = f"; it has version {', '.join(map(str, available))}" if available else ""
        super().__init__(f"the repository has no model {wanted}{versions}")
        self.model = model
        self.version = version


class ModelRefused(ServerError):
    """A bundle is not what its manifest says, or cannot be served here.

    Attributes:
        reason: The file or folder at fault and what is wrong with it, in one line.
    """

    def __init__(self, model: str, version: int, reason: str) -> None:
        super().__init__(f"model {model} version {version} is refused: {reason}")
        self.model = model
        self.version = version
        self.reason = reason


class ModelTooLarge(ModelRefused):
    """There is not enough memory for a model now; what is served stays."""


class NoRepository(ServerError):
    """The folder of the bundles cannot be read; what is served stays."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the repository cannot be read: {reason}")


class ControlDisabled(ServerError):
    """Models are not loaded and unloaded on request."""

    def __init__(self, mode: str) -> None:
        super().__init__(f"the server runs with --model-control {mode}; loading and unloading need explicit")
        self.mode = mode


class WrongTask(ServerError):
    """The model exists but does something else."""

    def __init__(self, model: str, task: str, wanted: str) -> None:
        super().__init__(f"model {model} does {task}, not {wanted}")
        self.model = model


class Overloaded(ServerError):
    """The queue is full.

    Attributes:
        limit: Slots that may run and be waited for at once.
        retry_after_seconds: When a place is expected to be free.
    """

    def __init__(self, model: str, limit: int, retry_after_seconds: float) -> None:
        super().__init__(f"model {model} is at its limit of {limit} slots in use and waited for; retry later")
        self.model = model
        self.limit = limit
        self.retry_after_seconds = retry_after_seconds


class DeadlineUnreachable(ServerError):
    """The request would have to wait, and its deadline would pass before it is done.

    Attributes:
        retry_after_seconds: When the same deadline is expected to be met.
    """

    def __init__(self, model: str, wait_seconds: float, remaining_seconds: float, retry_after_seconds: float) -> None:
        super().__init__(
            f"model {model} is expected to begin this request in {wait_seconds:.2g} s, too late for its deadline in "
            f"{remaining_seconds:.2g} s; retry later, or allow more time"
        )
        self.retry_after_seconds = retry_after_seconds


class Draining(ServerError):
    """The server is shutting down and takes no new requests."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down")


class DeadlineExpired(ServerError):
    """The request's deadline passed before its end."""

    def __init__(self) -> None:
        super().__init__("the deadline passed before the request was finished")


class EngineFault(ServerError):
    """The model's runtime failed; nothing the caller did."""

    def __init__(self, model: str) -> None:
        super().__init__(f"the runtime of model {model} failed on this request; the server has logged why")
        self.model = model


class EngineUnavailable(ServerError):
    """The model's engine cannot work for now.

    Attributes:
        fault: Why, in a word.
    """

    def __init__(self, model: str, fault: str) -> None:
        super().__init__(f"the engine of model {model} cannot work at present ({fault}); retry, or ask another server")
        self.model = model
        self.fault = fault


class StartupError(ServerError):
    """The server cannot start as configured."""


class DeviceUnavailable(StartupError):
    """A device was asked for that this machine, or this installation, does not have."""
