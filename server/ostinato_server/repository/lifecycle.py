"""Models come and go: loads, swaps and unloads them while requests run, each of which ends on the model it began on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ostinato_bundle import BundleError, Fingerprint
from ostinato_server import garbage, heap
from ostinato_server.errors import BundleNotFound, ModelRefused, ModelTooLarge, NoRepository, StartupError
from ostinato_server.metrics import ServerMetrics
from ostinato_server.repository.catalog import Catalog
from ostinato_server.repository.index import Entry, Key, Repository, Scan, Shelf, State
from ostinato_server.repository.model import LoadedModel
from ostinato_server.repository.shortage import MemoryShortage
from ostinato_server.repository.versions import VersionPolicies

logger = logging.getLogger(__name__)

T = TypeVar("T")

_STOP_SECONDS = 5.0
"""Time for an engine to end its last step."""

_KEPT = (
    "Nothing is unloaded for want of a listing: remove a model's folder while others remain, or use explicit control"
)
"""What to do where an empty listing is meant."""


class Served(NamedTuple):
    """A model that requests find, and the state of the files that it was loaded from."""

    model: LoadedModel
    files: Fingerprint


class Refusal(NamedTuple):
    """Why a bundle was refused, and the state of the files that were."""

    reason: str
    files: Fingerprint


class Lifecycle:
    """Changes what the catalog serves, one change at a time; used on the event loop.

    A version is verified, opened and warmed on a thread before any request finds it; then one assignment swaps it in.
    What it replaces drains: requests that have it keep it, and its engine ends with the last of them. A bundle that is
    refused changes nothing.

    Args:
        repository: Where the bundles come from.
        policies: Which versions of a model to serve.
        load_bundle: Turns the bundle in a folder into a model whose engine runs; blocks, and is called on a thread.
            Raises BundleError when it refuses the bundle, StartupError when this installation cannot serve it.
        catalog: Where requests find models; this is the only one who changes it.
        metrics: Told what is loaded, refused and unloaded.
        announce: Told the names of the models that are served, after every change.
    """

    def __init__(
        self,
        repository: Repository,
        policies: VersionPolicies,
        load_bundle: Callable[[Path], LoadedModel],
        catalog: Catalog,
        metrics: ServerMetrics,
        announce: Callable[[Collection[str]], Awaitable[None]],
    ) -> None:
        self._repository = repository
        self._policies = policies
        self._load_bundle = load_bundle
        self._catalog = catalog
        self._metrics = metrics
        self._announce = announce
        self._served: dict[Key, Served] = {}
        self._refusals: dict[Key, Refusal] = {}
        self._missing: set[Key] = set()
        self._skipped: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._draining: dict[LoadedModel, asyncio.Task[None]] = {}
        self._changes: set[asyncio.Task[Any]] = set()
        self._one_at_a_time = asyncio.Lock()
        self._closing = False

    async def start(self, *, strict: bool) -> None:
        """Loads what the policies choose.

        Args:
            strict: Whether a bundle that is refused, and a policy for what the repository does not hold, are errors, or
                are left out like what comes later.

        Raises:
            BundleError: A bundle is refused, when strict.
            NoRepository: The repository cannot be read.
            StartupError: This installation cannot serve a bundle as configured, or a policy names what the repository
                does not hold, when strict.
        """
        found = (await self._scan()).bundles
        held = {name: versions for name, versions in found.items() if versions}
        unknown = self._policies.unknown(held) if held else []  # an empty repository has an error of its own
        if unknown and strict:
            raise StartupError("; ".join(unknown))
        for each in unknown:
            logger.warning("%s; the policy applies when the repository holds it", each)
        for name, versions in found.items():
            refused = await self._follow_policy(name, versions)
            cause = refused.__cause__ if refused is not None else None
            if cause is not None and (strict or isinstance(cause, StartupError)):
                await self.close()
                raise cause

    async def load(self, name: str, version: int | None = None) -> list[LoadedModel]:
        """Loads a version beside those that are served, or, when none is named, brings a model to its policy.

        A version that is loaded already is loaded again only if its files have changed.

        Returns:
            The versions of the model that are served now.

        Raises:
            BundleNotFound: The repository has no such bundle.
            NoRepository: The repository cannot be read.
            ModelRefused: The bundle is refused; what was served before still is.
        """
        return await self._change(self._load(name, version))

    async def unload(self, name: str, version: int | None = None) -> list[LoadedModel]:
        """Stops serving a version, or all of a model when none is named; its requests run to their ends.

        Returns:
            The versions of the model that are served now.

        Raises:
            ModelNotFound: It is not served.
        """
        return await self._change(self._unload(name, version))

    async def refresh(self) -> None:
        """Brings every model to its policy, as the repository is now; what is refused is logged, once.

        A version is unloaded only when its folder was missing the last time too: a writer that replaces a bundle moves
        the old one away first. Nothing is unloaded because a repository, or the folder of a model, shows nothing: that
        is what an unmounted volume looks like.

        Raises:
            NoRepository: The repository cannot be read; nothing has changed.
        """
        await self._change(self._refresh())

    async def poll(self, seconds: float) -> None:
        """Refreshes for ever, with so many seconds between."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.refresh()
            except NoRepository as error:
                self._warn("", f"{error}; what is served stays")
            except Exception:
                logger.exception("unexpected error while looking for models; what is served stays")

    async def index(self) -> list[Entry]:
        """Every version that the repository has or that is in memory, sorted by name, then version.

        Raises:
            NoRepository: The repository cannot be read.
        """
        keys = (await self._scan()).keys
        draining = {(model.name, model.version) for model in self._draining}
        return [self._entry(key, draining) for key in sorted(keys | draining | self._served.keys())]

    def in_memory(self) -> list[LoadedModel]:
        """The versions that are served, and those that drain."""
        return [*(each.model for each in self._served.values()), *self._draining]

    async def drained(self) -> None:
        """Waits until nothing drains: what was unloaded is out of memory."""
        await asyncio.gather(*self._draining.values())

    async def close(self) -> None:
        """Ends every engine; what still runs is given up."""
        self._repository.close()
        while self._changes:
            await asyncio.gather(*self._changes, return_exceptions=True)
        self._closing = True
        served, self._served = self._served, {}
        self._catalog.replace(())
        for each in served.values():
            self._retire(each.model)
        for model in self._draining:
            model.uses.abandon()
        await self.drained()

    async def _change(self, change: Coroutine[Any, Any, T]) -> T:
        """Makes a change to its end, even if nobody waits for it any more: half of one would leave an engine behind."""

        async def alone() -> T:
            async with self._one_at_a_time:
                return await change

        task = asyncio.create_task(alone())
        self._changes.add(task)
        task.add_done_callback(self._changed)
        return await asyncio.shield(task)

    def _changed(self, task: asyncio.Task[Any]) -> None:
        self._changes.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may be gone; asyncio need not say that nobody looked

    async def _load(self, name: str, version: int | None) -> list[LoadedModel]:
        found = await self._scan()
        versions = found.bundles.get(name, {})
        for entry in (name, f"{name}/{version}"):
            if entry in found.skipped:
                raise NoRepository(f"{self._repository}: {entry}: {found.skipped[entry]}")
        if not versions or version not in (None, *versions):
            raise BundleNotFound(name, version, tuple(versions))
        for known in [key for key in self._refusals if key[0] == name]:
            del self._refusals[known]  # whoever asks wants another try
        if version is None:
            refused = await self._follow_policy(name, versions)
            if refused is not None:
                raise refused
        else:
            added = await self._obtain(name, version, versions[version])
            others = [each for each in self._served_as(name) if each.model.version != version]
            await self._swap(name, [*others, added])
        return [each.model for each in self._served_as(name)]

    async def _unload(self, name: str, version: int | None) -> list[LoadedModel]:
        self._catalog.get(name, version)
        kept = [each for each in self._served_as(name) if version not in (None, each.model.version)]
        await self._swap(name, kept)
        return [each.model for each in kept]

    async def _refresh(self) -> None:
        found = await self._scan()
        if not found.keys and self._served:
            self._warn("", f"{self._repository}: lists no model; what is served stays. {_KEPT}")
            return
        hidden = {key for key in self._served.keys() - found.keys if found.hides(*key)}
        empty = {name for name, _ in hidden if found.bundles.get(name) == {}}
        self._told = {subject: text for subject, text in self._told.items() if subject in empty}
        for name in sorted(empty):
            self._warn(name, f"{self._repository}: {name}: lists no version; what is served stays. {_KEPT}")
        missing = self._served.keys() - found.keys - hidden
        spared, gone, self._missing = hidden | (missing - self._missing), missing & self._missing, missing
        self._refusals = {key: refusal for key, refusal in self._refusals.items() if key in found.keys | hidden}
        for name in sorted({*found.bundles, *(name for name, _ in self._served)}):
            with suppress(ModelRefused):  # told when it was found out
                await self._follow_policy(
                    name, found.bundles.get(name, {}), _versions_of(name, spared), _versions_of(name, gone)
                )

    async def _scan(self) -> Scan:
        """What the repository holds; entries that are newly skipped are logged in one warning.

        Raises:
            NoRepository: The repository cannot be read.
        """
        found = await asyncio.to_thread(self._repository.scan)
        new = [f"{entry} {reason}" for entry, reason in found.skipped.items() if self._skipped.get(entry) != reason]
        self._skipped = found.skipped
        if new:
            logger.warning("%s: skipped what is not a model or cannot be read: %s", self._repository, "; ".join(new))
        return found

    def _warn(self, subject: str, text: str) -> None:
        """Logs a warning of a model, or of the repository (""), unless it is the last one of that subject."""
        if self._told.get(subject) != text:
            self._told[subject] = text
            logger.warning("%s", text)

    async def _follow_policy(
        self, name: str, versions: Shelf, spared: Collection[int] = (), gone: Collection[int] = ()
    ) -> ModelRefused | None:
        """Serves what a model's policy chooses; gives the refusal of the newest version that was refused.

        A refused version gives way to the next older one, but never to the loss of one that is served, unless that one
        is gone. Where all others are refused, the newest one that is served stays even so.

        Args:
            name: Name of the model.
            versions: What the repository has of it.
            spared: Versions that are served and stay though the repository does not have them.
            gone: Versions that are served and that were removed from the repository.
        """
        policy = self._policies.of(name)
        chosen: dict[int, Served] = {}
        refused: ModelRefused | None = None
        for version in policy.candidates({*versions, *spared}):
            if len(chosen) == policy.latest:
                break
            present = self._served.get((name, version))
            try:
                if present is not None and version in spared:
                    chosen[version] = present
                else:
                    chosen[version] = await self._obtain(name, version, versions[version])
            except ModelRefused as error:
                refused = refused or error
                if present is not None:
                    chosen[version] = present
        if refused is not None and len(chosen) != policy.latest:
            served = {each.model.version: each for each in self._served_as(name)}
            there = {version: each for version, each in served.items() if version not in gone}
            chosen = there | chosen or dict(list(served.items())[-1:])
        await self._swap(name, chosen.values())
        return refused

    async def _obtain(self, name: str, version: int, path: Path) -> Served:
        """The version as its files are now: the one that is served, or a new one.

        Raises:
            ModelRefused: The bundle is refused, now or before as the same files.
        """
        key = name, version
        try:
            files = await asyncio.to_thread(self._repository.bring, name, version, path)
        except BundleError as error:
            raise self._refuse(key, error, ()) from error
        present, refusal = self._served.get(key), self._refusals.get(key)
        if present is not None and present.files == files:
            self._refusals.pop(key, None)
            return present
        if refusal is not None and refusal.files == files:
            raise ModelRefused(name, version, refusal.reason)
        try:
            model = await asyncio.to_thread(self._load_bundle, path)
        except MemoryShortage as error:  # not the files' fault: they are tried again as they are
            raise self._refuse(key, error, ()) from error
        except (BundleError, StartupError) as error:
            raise self._refuse(key, error, files) from error
        self._refusals.pop(key, None)
        return Served(model, files)

    def _refuse(self, key: Key, error: Exception, files: Fingerprint) -> ModelRefused:
        """Notes a refusal, and tells it unless it is the one that was told last."""
        name, version = key
        known, self._refusals[key] = self._refusals.get(key), Refusal(str(error), files)
        if known != self._refusals[key]:
            self._metrics.model_refused(name)
            logger.warning("refused %s version %d: %s", name, version, error)
        kind = ModelTooLarge if isinstance(error, MemoryShortage) else ModelRefused
        return kind(name, version, str(error))

    async def _swap(self, name: str, serving: Iterable[Served]) -> None:
        """Serves these versions of a model and no others from now on."""
        before = self._served_as(name)
        after = {(name, each.model.version): each for each in serving}
        self._served = {key: each for key, each in self._served.items() if key[0] != name} | after
        self._catalog.replace(each.model for each in self._served.values())
        for gone in [each.model for each in before if each not in after.values()]:
            self._retire(gone)
        for model in [each.model for each in after.values() if each not in before]:
            self._metrics.model_loaded(model.info, model.load_seconds)
            logger.info("loaded %s (%s, %s) in %.2f s", model, model.runtime, model.device, model.load_seconds)
        await self._announce({name for name, _ in self._served})

    def _retire(self, model: LoadedModel) -> None:
        """Lets a model's requests end, then the model."""
        self._metrics.model_draining(model.info)
        logger.info("unloading %s; requests that run to their ends: %d", model, model.uses.count)
        self._draining[model] = asyncio.create_task(self._drain(model))

    async def _drain(self, model: LoadedModel) -> None:
        await model.uses.ended()
        try:
            await asyncio.to_thread(model.close, _STOP_SECONDS)
        finally:
            del self._draining[model]
        self._metrics.model_unloaded(model.info)
        logger.info("unloaded %s", model)
        del model  # the last that has it, as a rule
        if not self._closing:  # the process takes all of it along
            await asyncio.to_thread(_reclaim)

    def _served_as(self, name: str) -> list[Served]:
        return [each for key, each in sorted(self._served.items(), key=lambda item: item[0]) if key[0] == name]

    def _entry(self, key: Key, draining: Collection[Key]) -> Entry:
        refusal = self._refusals.get(key)
        if key in self._served:
            state = State.LOADED
        elif key in draining:
            state = State.DRAINING
        else:
            state = State.AVAILABLE if refusal is None else State.REFUSED
        return Entry(*key, state, "" if refusal is None else refusal.reason)


def _versions_of(name: str, keys: Iterable[Key]) -> set[int]:
    return {version for model, version in keys if model == name}


def _reclaim() -> None:
    """Hands what a model has left behind back to the system."""
    garbage.settle_again()
    heap.give_back()
