"""Tokens as labels that a person can read.

A byte-level vocabulary writes every byte as a visible character (Radford et al. 2019, the GPT-2 tokenizer): "Ġ" for a
space, "Ã©" for "é". Other vocabularies mark a word's start with "▁".
"""

from __future__ import annotations

from functools import cache

SPACE = "▁"


def readable(token: str) -> str:
    """The token's text, without the mark of a word's start; a token that is nothing but space shows as "▁"."""
    text = _decoded(token).replace(SPACE, " ")
    return "".join(character if character.isprintable() else "·" for character in text.strip(" ")) or SPACE


def _decoded(token: str) -> str:
    byte_of = _byte_of_character()
    try:
        return bytes(byte_of[character] for character in token).decode()
    except (KeyError, UnicodeDecodeError):
        return token  # not of a byte-level vocabulary, or a part of a character


@cache
def _byte_of_character() -> dict[str, int]:
    """Visible Latin-1 characters stand for themselves; the other bytes, in order, for the characters from U+0100 on."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(0x100) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(0x100 + index): byte for index, byte in enumerate(hidden)}
