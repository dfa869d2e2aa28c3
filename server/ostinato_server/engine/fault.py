"""How an engine fails."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """What went wrong; the first two fail requests, the others the whole engine until they pass."""

    EXCEPTION = "exception"
    """A piece of work threw."""

    NOT_FINITE = "not_finite"
    """The numbers of a request ceased to be finite."""

    STALLED = "stalled"
    """A piece of work takes longer than any should."""

    FAULTY = "faulty"
    """A piece of work threw, and so does what the engine then tries for itself."""

    ENDED = "ended"
    """The engine's thread is gone."""


LASTING = (Fault.STALLED, Fault.FAULTY, Fault.ENDED)
"""Those that keep an engine from its work."""
