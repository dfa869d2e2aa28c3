"""Which output each state of a plain model becomes: by name, then by shape."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ostinato_models.adoption.onnx_file import Port

_FILLER = frozenset(
    {"next", "new", "out", "output", "in", "input", "prev", "previous", "last", "final", "init", "initial", "start"}
    | {"end", "n", "t", "x", "state"}
)
"""Parts of a name that say "before" or "after": ``h_in`` becomes ``h_out``, ``h0`` becomes ``hn``."""

_SYNONYMS: Mapping[str, str] = {"hidden": "h", "cell": "c"}

_Key = tuple[str, ...]


def pair_by_name(states: Sequence[Port], outputs: Sequence[Port], known: Mapping[str, str]) -> dict[str, str]:
    """Pair states with the outputs of the same name but for what says before and after.

    Args:
        states: the state inputs.
        outputs: outputs that a state may become.
        known: pairs that a person named.

    Returns:
        Names of inputs and of the outputs that they become, `known` among them; none where a name fits twice.
    """
    pairs = dict(known)
    for before, after in ((_full, _full), (_before, _after), (_letters, _letters)):
        _pair_equal(states, outputs, pairs, before, after)
    _pair_alike(states, outputs, pairs, lambda taken, given: bool({*_letters(taken)} & {*_letters(given)}))
    return pairs


def pair_by_shape(states: Sequence[Port], outputs: Sequence[Port], known: Mapping[str, str]) -> dict[str, str]:
    """As `pair_by_name`, with the only output that has the shape of a state."""
    pairs = dict(known)
    _pair_alike(states, outputs, pairs, fits)
    return pairs


def fits(taken: Port, given: Port) -> bool:
    """Whether an output may have the shape of a state: as many axes, and no fixed size that differs."""
    return len(taken.shape) == len(given.shape) and all(
        isinstance(before, str) or isinstance(after, str) or before == after
        for before, after in zip(taken.shape, given.shape, strict=True)
    )


def _pair_equal(
    states: Sequence[Port],
    outputs: Sequence[Port],
    pairs: dict[str, str],
    before: Callable[[Port], _Key],
    after: Callable[[Port], _Key],
) -> None:
    """Pair what has the same key, where one input and one output have it."""
    waiting, free = _open(states, outputs, pairs)
    for port in waiting:
        key = before(port)
        same = [other for other in free if after(other) == key]
        twins = [other for other in waiting if before(other) == key]
        if key and len(same) == len(twins) == 1:
            pairs[port.name] = same[0].name


def _pair_alike(
    states: Sequence[Port], outputs: Sequence[Port], pairs: dict[str, str], alike: Callable[[Port, Port], bool]
) -> None:
    """Pair inputs and outputs that are alike to each other and to nothing else that is open."""
    waiting, free = _open(states, outputs, pairs)
    for port in waiting:
        candidates = [other for other in free if alike(port, other)]
        if len(candidates) == 1 and sum(alike(other, candidates[0]) for other in waiting) == 1:
            pairs[port.name] = candidates[0].name


def _open(states: Sequence[Port], outputs: Sequence[Port], pairs: Mapping[str, str]) -> tuple[list[Port], list[Port]]:
    return (
        [port for port in states if port.name not in pairs],
        [port for port in outputs if port.name not in pairs.values()],
    )


def _parts(port: Port) -> list[str]:
    words = re.findall(r"[a-z]+|[0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", port.name).lower())
    kept = [_SYNONYMS.get(word, word) for word in words if word not in _FILLER]
    return [word.removesuffix("n").removesuffix("x") if len(word) == 2 else word for word in kept]


def _full(port: Port) -> _Key:
    """The letters and numbers that say which state it is."""
    parts = _parts(port)
    return tuple(parts) if any(part.isalpha() for part in parts) else ()


def _before(port: Port) -> _Key:
    return _without_time(port, "0")


def _after(port: Port) -> _Key:
    return _without_time(port, "1")


def _without_time(port: Port, time: str) -> _Key:
    """As `_full`, without a number that says when: ``h0`` becomes ``h1``."""
    parts = _full(port)
    return parts[:1] if len(parts) == 2 and parts[1] == time else parts


def _letters(port: Port) -> _Key:
    return tuple(part for part in _parts(port) if part.isalpha())
