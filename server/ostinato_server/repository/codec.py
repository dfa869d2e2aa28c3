"""Text to tokens and back, with a bundle's own tokenizer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tokenizers import Tokenizer

from ostinato_bundle import TokenizerFacts
from ostinato_server.engine.text import Detokenizer, StreamText
from ostinato_server.repository.detokenizers import ByteDetokenizer, TableDetokenizer, WindowDetokenizer

_STRANGE = ("\U0010fffd", "that is not in its vocabulary")
"""A character that no vocabulary has, and how it is told of."""

REPLAYED_TOKENS = 1024
"""Tokens of a resumed stream that its text is replayed from: enough for the longest stop text, four tokens for each
character of it."""

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
"""How SentencePiece writes a token that stands for a byte."""


class TextCodec:
    """A bundle's tokenizer.

    Args:
        content: The tokenizer file, in the Hugging Face format.
        facts: What the manifest says of it.

    Raises:
        ValueError: It has a token that is not in the model's vocabulary, or fails on text that a request may have.
    """

    def __init__(self, content: bytes, facts: TokenizerFacts) -> None:
        self._tokenizer = Tokenizer.from_str(content.decode())
        self.facts = facts
        highest = max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
        if highest >= facts.vocabulary_size:
            raise ValueError(f"token {highest} is not in a vocabulary of {facts.vocabulary_size}")
        special = {facts.unknown_id, facts.start_id, facts.end_id, facts.padding_id} - {None}
        self._pieces = [self._readable(index, special) for index in range(facts.vocabulary_size)]
        self._characters = (
            ["" if index in special else piece for index, piece in enumerate(self._pieces)]
            if facts.kind == "character"
            else None
        )
        self._alphabet = frozenset(self._characters or ()) if facts.unknown_id is None else None
        added = self._tokenizer.get_added_tokens_decoder()
        self._skipped = frozenset(index for index, token in added.items() if token.special)
        self._byte_strings = self._read_bytes() if self._joins_bytes() else None
        self._bytes_of = self._read_byte_tokens()
        self._anchor = self._find_anchor()
        self._try_to_encode()

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens; what is not in the vocabulary becomes the unknown token."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def missing(self, text: str) -> str | None:
        """The first character of a text that a vocabulary of characters can neither spell nor call unknown."""
        if not self._alphabet:
            return None
        return next((character for character in text if character not in self._alphabet), None)

    def unknown(self, ids: list[int]) -> int:
        """How many of the tokens are the unknown one."""
        return 0 if self.facts.unknown_id is None else ids.count(self.facts.unknown_id)

    def piece(self, token_id: int) -> str:
        """A token by itself, a space before it included; a part of a character shows as U+FFFD."""
        return self._pieces[token_id]

    def added_text(self, token_id: int) -> str:
        """What a token adds to a text that it follows; a part of a character shows as U+FFFD."""
        if self._anchor is None:
            return self._pieces[token_id]
        detokenizer = WindowDetokenizer(self.decode, self._skipped, self._bytes_of, [self._anchor])
        return "".join([*detokenizer.add(token_id), *detokenizer.flush()])

    @property
    def unknown_piece(self) -> str | None:
        """The token that stands for what is not in the vocabulary."""
        return None if self.facts.unknown_id is None else self._pieces[self.facts.unknown_id]

    def _try_to_encode(self) -> None:
        """Fails now rather than in a request: the library looks for the unknown token when it needs it.

        It needs it for what is not in the vocabulary; and, where a request may have that only which is, for words of
        characters that the tokenizer does not take apart.
        """
        text, which = ("".join(sorted(self._alphabet)), "of its own characters") if self._alphabet else _STRANGE
        try:
            self.encode(text)
        except Exception as error:  # the library has no error of its own
            raise ValueError(f"it fails on text {which}: {error}") from error

    def _readable(self, token_id: int, special: set[int | None]) -> str:
        if token_id in special or self.facts.kind != "subword":
            return self._tokenizer.id_to_token(token_id) or ""
        text: str = self._tokenizer.decode([token_id])
        return text

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of tokens, as the tokenizer's decoder writes it."""
        text: str = self._tokenizer.decode(list(token_ids), skip_special_tokens=True)
        return text

    def text(self, context: Sequence[int] = (), *, resumed: Sequence[int] = (), stop: Sequence[str] = ()) -> StreamText:
        """The text of a stream whose tokens come one by one.

        Args:
            context: Tokens before the stream.
            resumed: Tokens of the stream that were sent.
            stop: Texts that end the stream, each not empty.
        """
        replayed = self._replayed(resumed)
        before = resumed[: len(resumed) - len(replayed)]
        return StreamText(self._detokenizer([*context, *before] if before else context), stop, replayed)

    def _detokenizer(self, context: Sequence[int]) -> Detokenizer:
        if self._characters is not None:
            return TableDetokenizer(self._characters)
        if self._byte_strings is not None:
            return ByteDetokenizer(self._byte_strings, context)
        return WindowDetokenizer(self.decode, self._skipped, self._bytes_of, context)

    def _find_anchor(self) -> int | None:
        """A token with text that others may follow; none where the text of a token does not depend on that."""
        if self._characters is not None or self._byte_strings is not None:
            return None
        usable = (index for index in range(self.facts.vocabulary_size) if index not in self._bytes_of)
        return next((index for index in usable if self.decode([index]).strip()), None)

    def _replayed(self, resumed: Sequence[int]) -> Sequence[int]:
        """The last tokens of a stream, from no place within a run of byte tokens on."""
        start = max(0, len(resumed) - REPLAYED_TOKENS)
        while start and resumed[start - 1] in self._bytes_of:
            start -= 1
        return resumed[start:]

    def _joins_bytes(self) -> bool:
        """Whether the decoder takes every character of a token for a byte, as that of byte-level BPE does."""
        return self._decoded(["a", "\u00c3", "\u00a9"]) == "a\u00e9"

    def _read_bytes(self) -> list[bytes]:
        """The bytes of every token."""
        byte_of = byte_alphabet()
        strings: list[bytes] = []
        for index in range(self.facts.vocabulary_size):
            token = "" if index in self._skipped else self._tokenizer.id_to_token(index) or ""
            known = all(character in byte_of for character in token)
            strings.append(bytes(byte_of[character] for character in token) if known else token.encode())
        return strings

    def _read_byte_tokens(self) -> dict[int, int]:
        """The byte of every token that stands for one, where the decoder takes such tokens for bytes."""
        if self._characters is not None or self._decoded(["a", "<0x41>"])[-1:] != "A":
            return {}
        tokens: dict[str, int] = self._tokenizer.get_vocab(with_added_tokens=True)
        found = ((index, _BYTE_TOKEN.fullmatch(token)) for token, index in tokens.items())
        return {index: int(byte[1], 16) for index, byte in found if byte and index not in self._skipped}

    def _decoded(self, tokens: list[str]) -> str:
        decoder = self._tokenizer.decoder
        text: str = "" if decoder is None else decoder.decode(tokens)
        return text


def byte_alphabet() -> dict[str, int]:
    """The byte of every character that byte-level BPE writes one as: itself if printable, else one from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + place): byte for place, byte in enumerate(others)}
