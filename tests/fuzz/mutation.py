"""Serialised messages, damaged: what a broken or a hostile client may put on the wire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

MAX_BYTES = 1 << 17
"""Damage adds no more to a message of this size."""

VARINTS = (b"\x00", b"\x7f", b"\xff\xff\xff\xff\x0f", b"\xff" * 9 + b"\x01", b"\xff" * 11, b"\x80")
"""Zero, the largest of a byte, of 32 and of 64 bits, one that is too long, one that does not end."""

WELL_FORMED = 0.4
"""Share of the messages that are only put together from others, and so parse: most damage is found by the parser."""

SOUND = 0.5
"""Share of the messages that begin as valid ones."""

Damage = Callable[[bytes, Sequence[bytes], Random], bytes]


def damaged(valid: Sequence[bytes], corpus: Sequence[bytes], random: Random) -> bytes:
    """A message that is damaged once to three times, or merged with others.

    Args:
        valid: Valid messages, serialised; at least one.
        corpus: Any messages, serialised; at least one.
        random: Says which, where and how.
    """
    data = random.choice(valid if random.random() < SOUND else corpus)
    ways = (_merge,) if random.random() < WELL_FORMED else DAMAGES
    for _ in range(random.randint(1, 3)):
        data = random.choice(ways)(data, corpus, random)
    return data


def _flip(data: bytes, corpus: Sequence[bytes], random: Random) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _truncate(data: bytes, corpus: Sequence[bytes], random: Random) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _splice(data: bytes, corpus: Sequence[bytes], random: Random) -> bytes:
    other = random.choice(corpus)
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


def _merge(data: bytes, corpus: Sequence[bytes], random: Random) -> bytes:
    """Two messages in a row are one: a later value of a field replaces the earlier one, or is added to it."""
    return data + random.choice(corpus) if len(data) < MAX_BYTES else data


def _repeat(data: bytes, corpus: Sequence[bytes], random: Random) -> bytes:
    begin = random.randrange(len(data) + 1)
    end = min(len(data), begin + random.randint(1, 32))
    return data[:end] + data[begin:end] * random.choice((1, 2, 50)) + data[end:] if len(data) < MAX_BYTES else data


def _insert(data: bytes, corpus: Sequence[bytes], random: Random) -> bytes:
    place = random.randrange(len(data) + 1)
    return data[:place] + random.randbytes(random.randint(1, 8)) + data[place:]


def _overwrite_number(data: bytes, corpus: Sequence[bytes], random: Random) -> bytes:
    place = random.randrange(len(data) + 1)
    return data[:place] + random.choice(VARINTS) + data[place + 1 :]


DAMAGES: tuple[Damage, ...] = (_flip, _truncate, _splice, _merge, _repeat, _insert, _overwrite_number)
