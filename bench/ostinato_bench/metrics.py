"""What the server tells of itself, in the text format of Prometheus."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import click

from ostinato_client.channels import is_loopback

RESIDENT = "process_resident_memory_bytes"

_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{.*\})?\s+(\S+)")
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Metrics:
    """Where the metrics are.

    Attributes:
        url: Address, as ``ostinato serve --json`` tells it.
    """

    url: str

    def __post_init__(self) -> None:
        """Checks the address.

        Raises:
            click.BadParameter: It is no address of HTTP.
        """
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise click.BadParameter(f"{self.url!r} is no http:// or https:// address.", param_hint="--metrics")

    def read(self, *names: str) -> dict[str, float]:
        """The values of some metrics now, each summed over its labels; 0 for one that has no sample yet.

        Raises:
            click.ClickException: There is no answer.
        """
        try:
            return sums(fetch(self.url, _SECONDS).decode(), names)
        except (URLError, OSError, UnicodeDecodeError) as error:
            raise click.ClickException(f"{self.url}: {error}") from error

    def resident(self) -> float:
        """Bytes of memory that the server has.

        Raises:
            click.ClickException: There is no answer, or it does not say.
        """
        value = self.read(RESIDENT)[RESIDENT]
        if not value:
            raise click.ClickException(f"{self.url}: has no {RESIDENT}; only Linux tells it")
        return value


def fetch(url: str, seconds: float) -> bytes:
    """What an address of HTTP answers; one on loopback is never asked through a proxy.

    Raises:
        URLError: The port does not answer, or answers with an error.
        OSError: The connection failed.
    """
    direct = is_loopback(urlsplit(url).hostname or "")
    with build_opener(*([ProxyHandler({})] if direct else [])).open(url, timeout=seconds) as response:
        return bytes(response.read())


def sums(text: str, names: tuple[str, ...]) -> dict[str, float]:
    """The values of some metrics in a text, each summed over its labels."""
    found = dict.fromkeys(names, 0.0)
    for line in text.splitlines():
        if (sample := _SAMPLE.match(line)) and sample[1] in found:
            found[sample[1]] += float(sample[2])
    return found
