"""The address of a repository that is not a folder of this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import urlsplit

from ostinato_server.errors import StartupError

EXTRAS = MappingProxyType({"s3": "remote-s3", "gs": "remote-gcs", "https": "remote-http", "http": "remote-http"})
"""The extra that brings what a scheme needs; the others need ``remote`` alone."""

SCHEMES = ("s3", "gs", "https", "http", "file", "memory")

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.IGNORECASE | re.DOTALL)
_SECRET = re.compile(r"(?<=://)[^/@\s]*@")


@dataclass(frozen=True, slots=True, repr=False)
class RemoteUrl:
    """An address that can be shown: as text, it has no credentials in it.

    Attributes:
        scheme: ``s3``, ``gs``, ``https``, ``http``, ``file`` or ``memory``.
        full: The address with what credentials it has, and without a slash at its end.
    """

    scheme: str
    full: str

    @classmethod
    def parse(cls, text: str) -> RemoteUrl | None:
        """The address in a text; none if it is none, a folder of this machine for instance.

        Raises:
            StartupError: It is an address that no repository can have.
        """
        found = _URL.fullmatch(text)
        if found is None:
            return None
        scheme, rest = found[1].lower(), found[2].rstrip("/")
        shown = re.split(r"[?#\s]", without_credentials(text))[0]
        if scheme not in SCHEMES:
            raise StartupError(f"repository {shown}: the scheme must be one of {', '.join(SCHEMES)}")
        if not rest:
            raise StartupError(f"repository {shown}: names no place")
        if "?" in rest or "#" in rest or not rest.isprintable():
            raise StartupError(f"repository {shown}: must be an address without a query")
        if scheme not in ("http", "https") and _SECRET.search(text):
            raise StartupError(f"repository {shown}: credentials belong into the environment, not into the address")
        return cls(scheme, f"{scheme}://{rest}")

    @property
    def on_this_machine(self) -> bool:
        """Whether the host of a web address is this machine, over loopback."""
        host = (urlsplit(self.full).hostname or "").removesuffix(".")
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return without_credentials(self.full)

    __repr__ = __str__


def without_credentials(text: str) -> str:
    """A text with nothing before the ``@`` of any address in it."""
    return _SECRET.sub("", text)
