"""Loading a bundle: verify, open its graphs, warm them, start its engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ostinato_bundle import TOKENIZER, Bundle, BundleError, Limits, Manifest, open_bundle
from ostinato_server.config import ServerConfig
from ostinato_server.engine.admission import Admission
from ostinato_server.engine.batch import Batch
from ostinato_server.engine.classify import ClassifyClient, ClassifyEngine
from ostinato_server.engine.decode import DecodeEngine
from ostinato_server.engine.observer import EngineObserver
from ostinato_server.engine.outbox import Outbox
from ostinato_server.engine.preparation import Preparation, PromptReading, SourceEncoding
from ostinato_server.engine.stream import DecodeClient
from ostinato_server.errors import StartupError
from ostinato_server.repository.codec import TextCodec
from ostinato_server.repository.model import ClassifyModel, DecodeModel, LoadedModel
from ostinato_server.repository.shortage import MemoryShortage, is_shortage
from ostinato_server.repository.warming import in_one_line, warm_classifier, warm_encoder, warm_prefill, warm_step
from ostinato_server.runtime.base import Backend
from ostinato_server.runtime.select import open_backend

Clock = Callable[[], float]


class Loader:
    """Turns bundles into served models.

    Args:
        config: The server's configuration.
        observe: Gives the observer of an engine, from the model's name and version.
        loop: The event loop that reads the streams.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        config: ServerConfig,
        observe: Callable[[str, int], EngineObserver],
        loop: asyncio.AbstractEventLoop,
        clock: Clock = time.monotonic,
    ) -> None:
        self._config = config
        self._observe = observe
        self._loop = loop
        self._clock = clock

    def load(self, path: Path) -> LoadedModel:
        """Loads the bundle in a folder; its engine runs when this returns.

        Raises:
            BundleError: The bundle is refused; MemoryShortage where another time it may not be.
            StartupError: No runtime of this installation can serve it as configured.
        """
        try:
            return self._load(path)
        except StartupError:
            raise
        except Exception as error:
            if is_shortage(error):
                raise MemoryShortage(path, "there is not enough memory to load it") from error
            if isinstance(error, BundleError):
                raise
            # A library's, which did not expect what it was given.
            raise BundleError(path, f"cannot be loaded: {in_one_line(error)}") from error

    def _load(self, path: Path) -> LoadedModel:
        started = self._clock()
        bundle = open_bundle(path)
        manifest = bundle.manifest
        if (manifest.name, str(manifest.version)) != (path.parent.name, path.name):
            raise BundleError(path, f"the manifest is that of {manifest.name} version {manifest.version}")
        backend = open_backend(bundle, self._config.device, self._config.runtime, self._config.threads)
        codec = self._codec(bundle)
        make = self._classifier if manifest.task == "sentiment" else self._decoder
        return make(bundle, backend, codec, started)

    def _decoder(self, bundle: Bundle, backend: Backend, codec: TextCodec, started: float) -> DecodeModel:
        manifest = bundle.manifest
        capacity = max(self._config.max_concurrency, manifest.limits.max_beam_size)
        table = backend.step_table("step", capacity)
        prepares = self._prompt_reading if manifest.task == "generation" else self._source_encoding
        preparation, warm_preparation = prepares(bundle, backend)

        def warm() -> None:
            warm_preparation()
            warm_step(bundle, table)

        warm()
        client = DecodeClient(self._admission(manifest, capacity), self._config.window, self._clock)
        observer = self._observe(manifest.name, manifest.version)
        engine = DecodeEngine(
            manifest.name,
            Batch(table, manifest.tokenizer.vocabulary_size),
            preparation,
            capacity,
            Outbox(),
            client.deliver,
            observer,
            warm,
            self._clock,
        )
        client.connect(engine, self._loop)
        engine.start()
        return DecodeModel(
            manifest=manifest,
            limits=self._decoder_limits(manifest),
            codec=codec,
            runtime=backend.runtime,
            device=backend.device,
            worker=engine,
            observer=observer,
            load_seconds=self._clock() - started,
            client=client,
        )

    def _classifier(self, bundle: Bundle, backend: Backend, codec: TextCodec, started: float) -> ClassifyModel:
        manifest = bundle.manifest
        classifier = backend.graph("classifier")
        warm = partial(warm_classifier, bundle, classifier)
        warm()
        client = ClassifyClient(self._admission(manifest, self._config.max_concurrency), self._clock)
        observer = self._observe(manifest.name, manifest.version)
        engine = ClassifyEngine(
            manifest.name,
            classifier,
            self._config.max_concurrency,
            manifest.tokenizer.padding_id or 0,
            client.deliver,
            observer,
            warm,
            self._clock,
        )
        client.connect(engine, self._loop)
        engine.start()
        return ClassifyModel(
            manifest=manifest,
            limits=manifest.limits,
            codec=codec,
            runtime=backend.runtime,
            device=backend.device,
            worker=engine,
            observer=observer,
            load_seconds=self._clock() - started,
            client=client,
        )

    @staticmethod
    def _codec(bundle: Bundle) -> TextCodec:
        try:
            return TextCodec(bundle.read(TOKENIZER), bundle.manifest.tokenizer)
        except Exception as error:  # the library has no error of its own
            raise BundleError(bundle.tokenizer_path, f"is no tokenizer of this model: {in_one_line(error)}") from error

    def _decoder_limits(self, manifest: Manifest) -> Limits:
        """The bundle's limits; its streams are at most as long as the server allows."""
        most = self._config.max_new_tokens
        declared = manifest.limits.max_new_tokens or most
        return manifest.limits.model_copy(update={"max_new_tokens": min(declared, most)})

    def _admission(self, manifest: Manifest, slots: int) -> Admission:
        return Admission(manifest.name, slots, self._config.max_queue, self._clock)

    def _prompt_reading(self, bundle: Bundle, backend: Backend) -> tuple[Preparation, Callable[[], None]]:
        """What reads prompts, and a run of it that nobody asked for."""
        graphs = bundle.manifest.graphs
        prefill = backend.graph("prefill") if "prefill" in graphs else None

        def warm() -> None:
            if prefill is not None:
                warm_prefill(bundle, prefill)

        shapes = tuple(tensor.shape[1:] for tensor in graphs["step"].state)
        return PromptReading(prefill, shapes, bundle.manifest.tokenizer.start_id, self._clock), warm

    @staticmethod
    def _source_encoding(bundle: Bundle, backend: Backend) -> tuple[Preparation, Callable[[], None]]:
        """What encodes sentences, and a run of it that nobody asked for."""
        step, tokenizer = bundle.manifest.graphs["step"], bundle.manifest.tokenizer
        if tokenizer.start_id is None or tokenizer.end_id is None:
            raise BundleError(bundle.path, "a translation model needs start_id and end_id in its tokenizer facts")
        encoder = backend.graph("encoder")
        encoding = SourceEncoding(
            encoder, len(step.memory), len(step.state), tokenizer.start_id, tokenizer.padding_id or 0
        )
        return encoding, partial(warm_encoder, bundle, encoder)
