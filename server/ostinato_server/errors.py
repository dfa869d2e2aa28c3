"""What can go wrong with a request, as facts; ``rpc.status`` maps each to a gRPC status.

    ServerError
    ├── InvalidArgument     a field of the request is out of its limits
    ├── ModelNotFound       no model of that name and version is loaded
    ├── WrongTask           the model exists but does something else
    ├── Overloaded          the queue is full; come back after a while
    ├── Draining            the server is shutting down
    ├── DeadlineExpired     the request's deadline passed before its end
    ├── EngineFault         the model's runtime failed; nothing the caller did
    ├── ModelControlUnavailable  models cannot be loaded or unloaded while the server runs
    └── StartupError        the server cannot start as configured
        └── DeviceUnavailable

Each carries the facts that a caller needs: the field, the limit, the time to wait.
"""

from __future__ import annotations


class ServerError(Exception):
    """The root of all errors that the server raises on purpose."""


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


class WrongTask(ServerError):
    """The model exists but does something else."""

    def __init__(self, model: str, task: str, wanted: str) -> None:
        super().__init__(f"model {model} does {task}, not {wanted}")
        self.model = model


class Overloaded(ServerError):
    """The queue is full.

    Attributes:
        limit: Requests that may run and wait at once.
        retry_after_seconds: When a place is expected to be free.
    """

    def __init__(self, model: str, limit: int, retry_after_seconds: float) -> None:
        super().__init__(f"model {model} has {limit} requests running and waiting, its limit; retry later")
        self.model = model
        self.limit = limit
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


class ModelControlUnavailable(ServerError):
    """Models cannot be loaded or unloaded while the server runs."""

    def __init__(self) -> None:
        super().__init__("models are loaded when the server starts and cannot be loaded or unloaded while it runs")


class StartupError(ServerError):
    """The server cannot start as configured."""


class DeviceUnavailable(StartupError):
    """A device was asked for that this machine, or this installation, does not have."""
