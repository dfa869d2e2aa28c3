"""Tokens as labels that a person can read."""

from __future__ import annotations

SPACE = "▁"
"""Stands for a token that is nothing but space."""


def readable(token: str) -> str:
    """The token without the space before it; what cannot be printed shows as "·"."""
    return "".join(character if character.isprintable() else "·" for character in token.strip(" ")) or SPACE
