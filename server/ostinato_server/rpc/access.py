"""Whose a call is, and whether the caller may make it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc

from ostinato_server.errors import PermissionDenied, Unauthenticated
from ostinato_server.tokens import Role, TokenTable
from ostinato_server.watched import Watched

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

AUTHORIZATION_KEY = "authorization"
SCHEME = "bearer"

INFERENCE = frozenset(
    {
        "/ostinato.v1.GenerationService/Generate",
        "/ostinato.v1.GenerationService/GenerateSession",
        "/ostinato.v1.SentimentService/Classify",
        "/ostinato.v1.SentimentService/ClassifyBatch",
        "/ostinato.v1.SentimentService/ClassifyStream",
        "/ostinato.v1.SentimentService/ClassifyIncremental",
        "/ostinato.v1.TranslationService/Translate",
        "/ostinato.v1.ModelService/ListModels",
        "/ostinato.v1.ModelService/GetModel",
        "/inference.GRPCInferenceService/ModelReady",
        "/inference.GRPCInferenceService/ServerMetadata",
        "/inference.GRPCInferenceService/ModelMetadata",
        "/inference.GRPCInferenceService/ModelConfig",
        "/inference.GRPCInferenceService/ModelInfer",
        "/inference.GRPCInferenceService/ModelStreamInfer",
    }
)
"""Methods for the role ``infer``. All others need ``admin``, those that are yet to come too."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call.

    Attributes:
        key: What limits and shares are counted by: ``token:alice``, ``certificate:bob``, ``ipv4:10.0.0.1``.
        name: The name that a token or a certificate proves; none where there is neither.
        role: What a token allows; none where no tokens are in force.
    """

    key: str
    name: str | None = None
    role: Role | None = None


class Access:
    """Tells callers apart, and keeps them to their role.

    Args:
        tokens: The tokens that calls must bring; none to let everybody call.
    """

    def __init__(self, tokens: Watched[TokenTable] | None) -> None:
        self._tokens = tokens

    def identify(self, context: Context) -> Caller:
        """Who makes a call.

        Raises:
            Unauthenticated: Tokens are in force, and the call brings none, or one that is unknown.
        """
        if self._tokens is None:
            return _by_connection(context)
        token = bearer(context.invocation_metadata() or ())
        if token is None:
            raise Unauthenticated(f"the call needs a token, in the metadata {AUTHORIZATION_KEY} as 'Bearer TOKEN'")
        holder = self._tokens.get().find(token)
        if holder is None:
            raise Unauthenticated("the token is not one of those in force")
        return Caller(f"token:{holder.name}", holder.name, holder.role)

    def authorize(self, caller: Caller, method: str) -> None:
        """Lets a call pass.

        Raises:
            PermissionDenied: The method needs a higher role.
        """
        needed = Role.INFER if method in INFERENCE else Role.ADMIN
        if caller.role is not None and caller.role < needed:
            raise PermissionDenied(method, needed.name.lower(), caller.role.name.lower())


def bearer(metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    """The token that a call brings (RFC 6750, section 2.1)."""
    for key, value in metadata:
        if key == AUTHORIZATION_KEY and isinstance(value, str):
            scheme, _, token = value.partition(" ")
            return token.strip() if scheme.lower() == SCHEME else None
    return None


def _by_connection(context: Context) -> Caller:
    """Who a connection is from: the name in the certificate that it showed, or else its host."""
    names = context.auth_context().get("x509_common_name") or ()
    for name in names:
        return Caller(f"certificate:{name.decode(errors='replace')}", name.decode(errors="replace"))
    return Caller(host(context.peer()))


def host(peer: str) -> str:
    """A peer without its port, which differs from connection to connection: ``ipv4:10.0.0.1:4242`` for instance."""
    return peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else peer
