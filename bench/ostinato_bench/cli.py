"""``ostinato bench``: put load on servers and measure them from outside."""

from __future__ import annotations

import click

from ostinato_bench.commands.failover import failover
from ostinato_bench.commands.fairness import fairness
from ostinato_bench.commands.load import generate, sentiment, translate
from ostinato_bench.commands.memory import memory
from ostinato_bench.commands.overload import overload


@click.group(commands=[generate, sentiment, translate, overload, fairness, memory, failover])
def bench() -> None:
    """Put load on a running server and measure it from outside; failover starts its own servers."""
