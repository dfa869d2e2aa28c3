"""Code and commands of the documentation's pages, for tests that run them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def code_blocks(page: str, language: str = "") -> list[str]:
    """The fenced blocks of a page in a language; those without one by default."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [text for name, text in blocks if name == language]


def commands(page: str, start: str) -> list[list[str]]:
    """The shell commands of a page that start with some words, as arguments."""
    lines = [line for block in code_blocks(page) for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith(start)]
