"""What is sent: conversations of mutated requests, the same ones for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.fuzz.mutation import damaged
from tests.fuzz.rpcs import Rpc
from tests.fuzz.structure import draw

STRUCTURED = 0.02
"""Share of the requests that Hypothesis draws; the others are those, damaged. Drawing one takes milliseconds."""

LEAST_STRUCTURED = 30
MAX_REQUESTS = 5
"""Requests of one conversation."""

HUGE = 0.0002
HUGE_BYTES = 5 << 20
"""More than the server takes, and how often it is sent."""

Conversation = list[bytes]


def conversations(rpc: Rpc, requests: int, seed: int) -> Iterator[Conversation]:
    """So many requests, at least, in conversations; where the client sends one only, each is alone."""
    random = Random(f"{seed} {rpc.path}")
    valid = [message for conversation in rpc.conversations for message in conversation]
    structured = draw(rpc.request, valid, max(LEAST_STRUCTURED, round(requests * STRUCTURED)), random.getrandbits(32))
    begun = [[message.SerializeToString() for message in conversation] for conversation in rpc.conversations]
    sound = [data for conversation in begun for data in conversation]
    corpus = [*structured, *sound]
    fresh = iter(structured)
    left = requests

    def request() -> bytes:
        if random.random() < HUGE:
            return random.choice(corpus).ljust(HUGE_BYTES, b"\n")
        return next(fresh, None) or damaged(sound, corpus, random)

    while left > 0:
        if not rpc.client_streams:
            conversation = [request()]
        elif random.random() < 0.5:
            conversation = [request() for _ in range(random.randint(1, MAX_REQUESTS))]
        else:  # it begins well, so that what follows gets further than the first message
            good = random.choice(begun)
            conversation = [*good[: random.randint(1, len(good))], request()]
        left -= len(conversation)
        yield conversation
