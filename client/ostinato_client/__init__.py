"""The Ostinato client.

::

    from ostinato_client import Client

    with Client("localhost:50051") as client:
        for chunk in client.generate("ROMEO:", max_chars=300, temperature=0.8, seed=1):
            print(chunk.text, end="", flush=True)

:class:`AsyncClient` is the same, awaited. Names are loaded when first used, so that the command line answers
``--help`` without gRPC and numpy.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostinato_client.aio import AsyncClient
    from ostinato_client.aio_session import AsyncSession, AsyncTurn
    from ostinato_client.aio_streams import AsyncGenerationStream, AsyncScoreStream, AsyncTranslationStream
    from ostinato_client.catalog import (
        EvaluationResult,
        GraphSignature,
        Model,
        ModelLimits,
        ModelState,
        RepositoryEntry,
        Task,
        TensorSignature,
        TokenizerInfo,
    )
    from ostinato_client.client import Client
    from ostinato_client.errors import (
        Cancelled,
        ConnectionFailed,
        DeadlineExceeded,
        FieldViolation,
        InvalidRequest,
        ModelNotFound,
        OstinatoError,
        Overloaded,
        PermissionDenied,
        Refused,
        ServerError,
        Unauthenticated,
        Unavailable,
    )
    from ostinato_client.results import (
        Chunk,
        FinishReason,
        GenerationSummary,
        Sentiment,
        SentimentScore,
        StreamTimings,
        TargetToken,
        TokenAlternative,
        TokenDetail,
        TracePoint,
        TranslatedSentence,
        Translation,
    )
    from ostinato_client.session import Session, Turn
    from ostinato_client.streams import GenerationStream, ScoreStream, TranslationStream
    from ostinato_client.tls import tls_credentials

__all__ = [
    "AsyncClient",
    "AsyncGenerationStream",
    "AsyncScoreStream",
    "AsyncSession",
    "AsyncTranslationStream",
    "AsyncTurn",
    "Cancelled",
    "Chunk",
    "Client",
    "ConnectionFailed",
    "DeadlineExceeded",
    "EvaluationResult",
    "FieldViolation",
    "FinishReason",
    "GenerationStream",
    "GenerationSummary",
    "GraphSignature",
    "InvalidRequest",
    "Model",
    "ModelLimits",
    "ModelNotFound",
    "ModelState",
    "OstinatoError",
    "Overloaded",
    "PermissionDenied",
    "Refused",
    "RepositoryEntry",
    "ScoreStream",
    "Sentiment",
    "SentimentScore",
    "ServerError",
    "Session",
    "StreamTimings",
    "TargetToken",
    "Task",
    "TensorSignature",
    "TokenAlternative",
    "TokenDetail",
    "TokenizerInfo",
    "TracePoint",
    "TranslatedSentence",
    "Translation",
    "TranslationStream",
    "Turn",
    "Unauthenticated",
    "Unavailable",
    "tls_credentials",
]

_HOMES = MappingProxyType(
    {
        "aio": ("AsyncClient",),
        "aio_session": ("AsyncSession", "AsyncTurn"),
        "aio_streams": ("AsyncGenerationStream", "AsyncScoreStream", "AsyncTranslationStream"),
        "catalog": (
            "EvaluationResult",
            "GraphSignature",
            "Model",
            "ModelLimits",
            "ModelState",
            "RepositoryEntry",
            "Task",
            "TensorSignature",
            "TokenizerInfo",
        ),
        "client": ("Client",),
        "errors": (
            "Cancelled",
            "ConnectionFailed",
            "DeadlineExceeded",
            "FieldViolation",
            "InvalidRequest",
            "ModelNotFound",
            "OstinatoError",
            "Overloaded",
            "PermissionDenied",
            "Refused",
            "ServerError",
            "Unauthenticated",
            "Unavailable",
        ),
        "results": (
            "Chunk",
            "FinishReason",
            "GenerationSummary",
            "Sentiment",
            "SentimentScore",
            "StreamTimings",
            "TargetToken",
            "TokenAlternative",
            "TokenDetail",
            "TracePoint",
            "TranslatedSentence",
            "Translation",
        ),
        "session": ("Session", "Turn"),
        "streams": ("GenerationStream", "ScoreStream", "TranslationStream"),
        "tls": ("tls_credentials",),
    }
)


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f"{__name__}.{home}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
