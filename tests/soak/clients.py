"""Clients of every temper: those that read on, leave, hurry or dawdle. Whatever they read to the end is compared."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from random import Random

import grpc
from tests.fuzz.driver import CLIENT_FAULT
from tests.soak.work import Answer, Work, responses

CALL_SECONDS = 120.0

STREAMED_CODES = (
    ("retry later", grpc.StatusCode.RESOURCE_EXHAUSTED),
    ("retry when one has ended", grpc.StatusCode.RESOURCE_EXHAUSTED),
    ("no model 'sentiment'; loaded: ", grpc.StatusCode.NOT_FOUND),
    ("the deadline passed ", grpc.StatusCode.DEADLINE_EXCEEDED),
)
"""Words of the errors that a stream may tell of its requests, and the status that a call of its own would end with."""

DAWDLED_MESSAGES = 10

LEAVING, HURRYING, DAWDLING = 0.10, 0.05, 0.03
"""Shares of the clients that cancel, whose deadline is too short, that read slowly; all others read on."""

FAST_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)
"""A channel with connections of its own."""

SLOW_OPTIONS = (*FAST_OPTIONS, ("grpc.http2.lookahead_bytes", 1), ("grpc.http2.bdp_probe", 0))
"""A channel that takes in as little ahead as HTTP/2 lets it."""

References = dict[tuple[str, int], str]
"""What each work is answered with by each version of its model when nothing else is asked."""


@dataclass(slots=True)
class Tally:
    """What became of the requests.

    Attributes:
        ended: How many ended how.
        verified: Answers that came to their end and were compared.
        characters: Characters in those.
        faults: What was not as it must be, the first of them.
    """

    ended: Counter[str] = field(default_factory=Counter)
    verified: int = 0
    characters: int = 0
    faults: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        """Notes what was not as it must be."""
        self.ended["fault"] += 1
        if len(self.faults) < 20:
            self.faults.append(text)


class Clients:
    """Makes requests.

    Args:
        work: What is asked for.
        references: The right answers.
        random: Says what is asked for, and by whom.
    """

    def __init__(self, work: Sequence[Work], references: References, random: Random) -> None:
        self._work = work
        self._references = references
        self._random = random
        self.tally = Tally()

    async def any(self, fast: grpc.aio.Channel, slow: grpc.aio.Channel) -> None:
        """A client of some temper makes a request."""
        work, temper = self._random.choice(self._work), self._random.random()
        if temper < LEAVING:
            await self._watched(work, self._leave(work, fast))
        elif temper < LEAVING + HURRYING:
            await self._watched(work, self.finish(work, fast, self._random.uniform(0.001, 0.1)), hurries=True)
        elif temper < LEAVING + HURRYING + DAWDLING:
            await self._watched(work, self.finish(work, slow, CALL_SECONDS, pause=self._random.uniform(0.01, 0.2)))
        else:
            await self._watched(work, self.finish(work, fast))

    async def steady(self, channel: grpc.aio.Channel) -> None:
        """A client that reads on makes a request."""
        work = self._random.choice(self._work)
        await self._watched(work, self.finish(work, channel))

    async def finish(
        self, work: Work, channel: grpc.aio.Channel, seconds: float = CALL_SECONDS, pause: float = 0.0
    ) -> None:
        """Reads all answers to their ends, the first messages with pauses, and compares them."""
        answers = {each.name: Answer() for each in work.asked}
        read = 0
        async for response in responses(work, channel, seconds):
            answers[work.answered(response)].add(response)
            read += 1
            if pause and read <= DAWDLED_MESSAGES:
                await asyncio.sleep(pause)
        for each in work.asked:
            answer = answers[each.name]
            if answer.error:
                code = next((code for words, code in STREAMED_CODES if words in answer.error), grpc.StatusCode.UNKNOWN)
                self._judge(each, code, answer.error, hurries=seconds < CALL_SECONDS)
            else:
                self._compare(each, answer)

    def _compare(self, work: Work, answer: Answer) -> None:
        right = self._references.get((work.name, answer.version))
        if not answer.complete or answer.text != right:
            self.tally.fault(f"{work.name}, version {answer.version}: {answer.text!r} instead of {right!r}")
            return
        self.tally.ended["finished"] += 1
        self.tally.verified += 1
        self.tally.characters += len(answer.text)

    async def _leave(self, work: Work, channel: grpc.aio.Channel) -> None:
        left = self._random.randrange(4)
        stream = responses(work, channel, CALL_SECONDS)
        try:
            async with asyncio.timeout(self._random.uniform(0.0, 0.1)):
                async for _ in stream:
                    left -= 1
                    if left <= 0:
                        break
        except TimeoutError:
            pass
        finally:
            await stream.aclose()
        self.tally.ended["cancelled"] += len(work.asked)

    async def _watched(self, work: Work, request: Awaitable[None], hurries: bool = False) -> None:
        try:
            await request
        except grpc.aio.AioRpcError as error:
            self._judge(work, error.code(), error.details(), hurries)

    def _judge(self, work: Work, code: grpc.StatusCode, details: str | None, hurries: bool) -> None:
        """Judges how a request may end that does not come to its end."""
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            how = "refused"
        elif details == CLIENT_FAULT:
            how = "refused, for a reason that grpc.aio's client lost"
        elif hurries and code is grpc.StatusCode.DEADLINE_EXCEEDED:
            how = "out of time"
        elif hurries and code is grpc.StatusCode.CANCELLED:  # the server's gRPC saw the deadline pass first
            how = "out of time, told as cancelled"
        elif work.model == "sentiment" and code is grpc.StatusCode.NOT_FOUND:  # it is unloaded now and then
            how = "not loaded"
        else:
            hurried = ", in a hurry" if hurries else ""
            self.tally.fault(f"{work.name}{hurried}: {code.name}: {details}")
            return
        self.tally.ended[how] += len(work.asked)
