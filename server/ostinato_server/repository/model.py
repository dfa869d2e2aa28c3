"""A loaded model: a verified bundle, its tokenizer and the engine that runs it."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato_bundle import Limits, Manifest
from ostinato_server.engine.classify import ClassifyClient
from ostinato_server.engine.stream import DecodeClient
from ostinato_server.engine.worker import Worker
from ostinato_server.repository.codec import TextCodec


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is being served.

    Attributes:
        manifest: What its bundle says of it.
        codec: Its tokenizer.
        runtime: ``onnx-int8``, ``onnx`` or ``torchscript``.
        device: ``cpu`` or ``cuda``.
        worker: The engine's thread.
    """

    manifest: Manifest
    codec: TextCodec
    runtime: str
    device: str
    worker: Worker

    @property
    def name(self) -> str:
        """Name that requests ask for."""
        return self.manifest.name

    @property
    def version(self) -> int:
        """Version of the bundle."""
        return self.manifest.version

    @property
    def limits(self) -> Limits:
        """What a request must keep to."""
        return self.manifest.limits


@dataclass(frozen=True, slots=True)
class DecodeModel(LoadedModel):
    """A model that streams tokens: generation or translation."""

    client: DecodeClient


@dataclass(frozen=True, slots=True)
class ClassifyModel(LoadedModel):
    """A model that scores texts."""

    client: ClassifyClient
