"""One line of the log for every call that has ended; of what it said only when asked to."""

from __future__ import annotations

import logging

from google.protobuf.message import Message

from ostinato_server.logs import FIELDS
from ostinato_server.rpc.call import Call, current_call

logger = logging.getLogger("ostinato_server.requests")

MAX_TEXTS = 64
"""Texts of one call that are kept for the log: a stream of texts has no end."""

_TEXT_FIELDS = ("prompt", "text", "appended_text")


class RequestLog:
    """Writes the lines.

    Args:
        log_text: Whether they hold the texts of requests.
    """

    def __init__(self, log_text: bool) -> None:
        self._log_text = log_text

    def note(self, request: Message) -> None:
        """Keeps the texts of a message of the call at hand, where the log is to hold them."""
        if self._log_text:
            kept = current_call.get().wording
            kept.extend(_texts(request)[: MAX_TEXTS - len(kept)])

    def ended(self, call: Call, seconds: float) -> None:
        """Writes the line of a call that took so long."""
        if logger.isEnabledFor(logging.INFO):
            told = (call.method.rpartition("/")[2], call.code.name)
            # As logger.info does, but without looking through the stack for who calls.
            logger.handle(
                logger.makeRecord(
                    logger.name, logging.INFO, __file__, 0, "%s %s", told, None, extra={FIELDS: facts(call, seconds)}
                )
            )


def identity(call: Call) -> dict[str, object]:
    """What finds a call again: in the log, at its client, in a trace."""
    names: dict[str, object] = {"request_id": call.request_id}
    if call.trace is not None:
        names |= {"trace_id": call.trace.trace_id, "span_id": call.trace.span_id}
    return names


def facts(call: Call, seconds: float) -> dict[str, object]:
    """What is known of a call, times in seconds; what is not known of it is left out."""
    known: dict[str, object | None] = {
        "method": call.method,
        "code": call.code.name,
        "reason": call.reason,
        "peer": call.peer,
        "caller": None if call.caller is None else call.caller.name,
        "model": call.model,
        "version": call.version,
        "task": call.task,
        "models": [f"{name}/{version}" for name, version in sorted(call.models)] if len(call.models) > 1 else None,
        "requests": call.requests or None,
        "failed": call.failed or None,
        "texts": call.texts or None,
        "input_tokens": call.input_tokens or None,
        "output_tokens": call.output_tokens or None,
        "queue_seconds": _rounded(call.queue_seconds),
        "first_token_seconds": _rounded(call.first_token_seconds),
        "total_seconds": _rounded(seconds),
        "wording": call.wording or None,
    }
    return identity(call) | {name: value for name, value in known.items() if value is not None}


def _rounded(seconds: float | None) -> float | None:
    """To the microsecond; what is below is the clock's noise."""
    return None if seconds is None else round(seconds, 6)


def _texts(request: Message) -> list[str]:
    found = [getattr(request, name) for name in _TEXT_FIELDS if hasattr(request, name)]
    found += _texts(request.turn) if hasattr(request, "turn") else []
    return [*found, *getattr(request, "texts", ())]
