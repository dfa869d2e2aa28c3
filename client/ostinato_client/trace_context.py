"""What goes with a call so that the server's part of it is found in its caller's trace."""

from __future__ import annotations

from collections.abc import Callable

from ostinato_client.channels import Metadata


def with_trace_context(fixed: Metadata, *, wanted: bool) -> Callable[[], Metadata]:
    """Gives the metadata of a call at the moment that it is made.

    OpenTelemetry's own propagators say what is sent: ``traceparent``, ``tracestate`` and ``baggage``, unless
    ``OTEL_PROPAGATORS`` names others.

    Args:
        fixed: What goes with every call.
        wanted: Whether the current OpenTelemetry context goes along.

    Raises:
        ValueError: It is wanted, and OpenTelemetry is not installed.
    """
    if not wanted:
        return lambda: fixed
    try:
        from opentelemetry.propagate import inject
    except ImportError:
        raise ValueError("trace_context needs OpenTelemetry: pip install opentelemetry-api") from None

    def current() -> Metadata:
        carrier: dict[str, str] = {}
        inject(carrier)
        return (*fixed, *((name.lower(), value) for name, value in carrier.items()))

    return current
