"""A stand-in for CUDA graphs on the CPU: what torch did is taped with the very tensors, and played back on them.

As in a CUDA graph, every number that Python knew and every address is frozen; what changes between two replays is
what lies in the buffers. Work that would wait for a device, or take something from the host, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

WARM_UP_RUNS = 3
WAITS = ("aten._local_scalar_dense", "aten.item", "aten.nonzero", "aten.equal", "aten.is_nonzero")


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every operation that runs within it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any], Any]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if str(func).startswith(WAITS):
            raise RuntimeError(f"operation not permitted when stream is capturing: {func}")
        result = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, result))
        return result

    def play(self) -> None:
        """Does it all again, into the same results."""
        for func, args, kwargs, noted in self.operations:
            results = func(*args, **kwargs)
            for old, new in zip(_tensors(noted), _tensors(results), strict=True):
                if old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class TapeLauncher:
    """Runs and records on the CPU.

    Attributes:
        launches: Replays so far.
        waits: How often somebody waited for the device.
    """

    def __init__(self) -> None:
        self.launches = self.waits = self.recordings = 0
        self._inside = False

    @contextmanager
    def _within(self) -> Iterator[None]:
        before, self._inside = self._inside, True
        yield
        self._inside = before

    def ordered(self) -> AbstractContextManager[object]:
        return self._within()

    def warm_up(self, work: Callable[[], None]) -> None:
        assert self._inside
        for _ in range(WARM_UP_RUNS):
            work()

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        assert self._inside
        with Tape() as tape:
            work()
        assert tape.operations
        self.recordings += 1

        def replay() -> None:
            assert self._inside
            self.launches += 1
            tape.play()

        return replay

    def wait(self) -> None:
        self.waits += 1


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [each for each in value if isinstance(each, torch.Tensor)] if isinstance(value, (tuple, list)) else []
