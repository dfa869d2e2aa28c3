"""A session as a client without a library holds it: messages go in when the test says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message
from tests.integration.harness import CALL_SECONDS, Generated, Stubs, fold

from ostinato.v1 import generation_pb2 as pb

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)


class Dialogue(Generic[Q, R]):
    """A bidirectional call that stays open until the test closes its side."""

    def __init__(self, method: Any) -> None:
        self._outgoing: SimpleQueue[Q | None] = SimpleQueue()
        self.call: Any = method(iter(self._outgoing.get, None), timeout=CALL_SECONDS)

    def send(self, message: Q) -> None:
        self._outgoing.put(message)

    def read(self) -> R:
        response: R = next(self.call)
        return response

    def close(self) -> None:
        """Closes the client's side and reads what is left, which must be nothing."""
        self._outgoing.put(None)
        assert list(self.call) == []

    def failure(self) -> grpc.RpcError:
        """The status that ends the call before any message."""
        try:
            response = self.read()
        except grpc.RpcError as error:
            self._outgoing.put(None)
            return error
        raise AssertionError(f"it went on with {response}")


class Conversation(Dialogue[pb.GenerateSessionRequest, pb.GenerateSessionResponse]):
    """A session with a generation model."""

    def __init__(self, server: Stubs, **start: Any) -> None:
        super().__init__(server.generation.GenerateSession)
        self.send(pb.GenerateSessionRequest(start=pb.SessionStart(model="char-lm", **start)))

    def begin(self, text: str, *, seed: int = 1, most: int = 20, stop: tuple[str, ...] = ()) -> None:
        """Sends a turn."""
        self.send(
            pb.GenerateSessionRequest(
                turn=pb.SessionTurn(
                    text=text,
                    sampling=pb.SamplingParameters(seed=seed),
                    stopping=pb.StoppingParameters(max_tokens=most, stop=stop),
                )
            )
        )

    def answer(self) -> Generated:
        """Reads a turn to its end."""
        return fold(self._answer())

    def turn(self, text: str, **settings: Any) -> Generated:
        """Sends a turn and reads it to its end."""
        self.begin(text, **settings)
        return self.answer()

    def _answer(self) -> Iterator[Any]:
        while True:
            response = self.read()
            yield response
            if response.HasField("summary"):
                return


def until(condition: Callable[[], bool]) -> None:
    """Polls a server's state over its own calls, which take their time."""
    end = time.monotonic() + CALL_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came to that"
