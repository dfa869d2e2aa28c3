"""Versions of a tiny model, streams on them that are under way, and what each stream must say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from shutil import copytree

from tests.integration.harness import CALL_SECONDS, Generated, RunningServer, fold, together

from ostinato.v1 import generation_pb2
from ostinato_server.repository.index import State

STREAMS = 16
TOKENS = 400
"""With twenty alternatives a token, a stream is larger than what the transport takes before its reader reads."""

References = dict[tuple[int, int], str]
"""Text by version and seed."""


def ask(seed: int, version: int | None = None, tokens: int = TOKENS) -> generation_pb2.GenerateRequest:
    return generation_pb2.GenerateRequest(
        model="char-lm",
        version=version,
        prompt="The cat",
        top_alternatives=20,
        sampling=generation_pb2.SamplingParameters(seed=seed),
        stopping=generation_pb2.StoppingParameters(max_tokens=tokens),
    )


def put(store: Path, repository: Path, version: int) -> Path:
    return Path(copytree(store / "char-lm" / str(version), repository / "char-lm" / str(version)))


@contextmanager
def streams(server: RunningServer) -> Iterator[Callable[[], list[Generated]]]:
    """Begins streams and reads one message of each; the result reads them to their ends."""
    calls = [server.generation.Generate(ask(seed), timeout=CALL_SECONDS) for seed in range(STREAMS)]
    firsts = [next(call) for call in calls]

    def finish() -> list[Generated]:
        readers: list[Callable[[], Generated]] = [
            lambda first=first, call=call: fold(chain([first], call))  # type: ignore[misc]
            for first, call in zip(firsts, calls, strict=True)
        ]
        return together(readers)

    yield finish
    for call in calls:
        call.cancel()


def texts_of(version: int, references: References) -> list[str]:
    return [references[version, seed] for seed in range(STREAMS)]


def states(server: RunningServer) -> dict[int, State]:
    return {entry.version: entry.state for entry in server.wait(server.lifecycle.index())}
