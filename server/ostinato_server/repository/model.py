"""A loaded model: a verified bundle, its tokenizer and the engine that runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ostinato_bundle import Limits, Manifest
from ostinato_server.engine.classify import ClassifyClient
from ostinato_server.engine.observer import EngineObserver
from ostinato_server.engine.stream import DecodeClient
from ostinato_server.engine.worker import Worker
from ostinato_server.metrics import ModelInfo
from ostinato_server.repository.codec import TextCodec
from ostinato_server.repository.uses import Uses


class Requests(Protocol):
    """What a model asks of the event loop's side of its engine, whatever it does."""

    def suspend(self, why: Callable[[], Exception]) -> None:
        """Ends every request with an error and refuses new ones with it, until `resume`."""

    def resume(self) -> None:
        """Takes requests again."""

    def disconnect(self) -> None:
        """Lets go of the engine, so that its memory is free as soon as the model is forgotten."""


# A model is itself and no other: a bundle that is loaded twice makes two.
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LoadedModel:
    """A model that is being served.

    Attributes:
        manifest: What its bundle says of it.
        limits: What a request must keep to: the bundle's limits within the server's.
        codec: Its tokenizer.
        runtime: ``onnx-int8``, ``onnx`` or ``torchscript``.
        device: ``cpu`` or ``cuda``.
        worker: The engine's thread.
        observer: What the engine reports to.
        load_seconds: Time from the first byte read until it could serve.
        uses: The requests that it must stay for.
    """

    manifest: Manifest
    limits: Limits
    codec: TextCodec
    runtime: str
    device: str
    worker: Worker
    observer: EngineObserver
    load_seconds: float
    uses: Uses = field(default_factory=Uses)

    @property
    def name(self) -> str:
        """Name that requests ask for."""
        return self.manifest.name

    @property
    def version(self) -> int:
        """Version of the bundle."""
        return self.manifest.version

    @property
    def info(self) -> ModelInfo:
        """What metrics tell it by."""
        return ModelInfo(self.name, str(self.version), self.manifest.task, self.runtime, self.device)

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"

    def close(self, timeout_seconds: float) -> None:
        """Ends the engine; what it still runs is given up. Blocks until its thread is gone."""
        self.worker.stop(timeout_seconds)
        self.requests.disconnect()
        self.observer.ended()

    @property
    def requests(self) -> Requests:
        """The event loop's side of the engine."""
        raise NotImplementedError

    def suspend(self, why: Callable[[], Exception]) -> None:
        """Ends every request with an error and refuses new ones with it, until `resume`."""
        self.requests.suspend(why)

    def resume(self) -> None:
        """Takes requests again."""
        self.requests.resume()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class DecodeModel(LoadedModel):
    """A model that streams tokens: generation or translation."""

    client: DecodeClient

    @property
    def requests(self) -> Requests:
        """The event loop's side of the engine."""
        return self.client


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ClassifyModel(LoadedModel):
    """A model that scores texts."""

    client: ClassifyClient

    @property
    def requests(self) -> Requests:
        """The event loop's side of the engine."""
        return self.client
