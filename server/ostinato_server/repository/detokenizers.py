"""The text of token ids that follow others, for each kind of decoder that a tokenizer may have.

With T(ids) for what the tokenizer decodes ids to, and ids that come one by one after a context, a detokenizer gives the
text that T(context + ids) has after T(context). Text once given is final; what is not yet certain is held back, and
with it the token. All of them need a bounded part of the context and a bounded time for each token.

Where T(context) is not the beginning of T(context + ids), since the decoder changes earlier text, nothing that was sent
changes: an incomplete character at the end of the context has been shown as U+FFFD, and the bytes that complete it add
nothing; bytes that go on a run of byte tokens which was shown as U+FFFD are shown so too.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Collection, Mapping, Sequence

REPLACEMENT = "\ufffd"

WINDOW = 4
"""Tokens before a new one that its text is decoded with. One that has text would do: decoders treat the first token
otherwise than the others, and strip the beginning of the text."""

LONGEST_RUN = 64
"""Byte tokens in a row that are held back; a longer run is given out character by character."""

_LONGEST_INCOMPLETE = 3
"""Bytes of a UTF-8 character that is not complete."""


class TableDetokenizer:
    """Tokens whose text never depends on others, as a vocabulary of characters has.

    Args:
        table: Text of every token.
    """

    def __init__(self, table: Sequence[str]) -> None:
        self.spell: Callable[[int], str] | None = table.__getitem__
        self._table = table

    def add(self, token_id: int) -> list[str]:
        """Takes the next token; returns its text."""
        return [self._table[token_id]]

    def pending(self) -> str:
        """Nothing: no text is held back."""
        return ""

    def flush(self) -> list[str]:
        """Nothing: no token is held back."""
        return []


class ByteDetokenizer:
    """Tokens that stand for bytes, whose decoder reads all of them together as UTF-8: byte-level BPE.

    A token whose last bytes do not complete a character is held back until the next one.

    Args:
        table: Bytes of every token.
        context: Tokens before the first one.
    """

    spell: Callable[[int], str] | None = None

    def __init__(self, table: Sequence[bytes], context: Sequence[int]) -> None:
        self._table = table
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._held: str | None = None
        """What the token that is held back adds for certain."""
        before = b""
        for token_id in reversed(context):
            before = table[token_id] + before
            if len(before) >= _LONGEST_INCOMPLETE:
                break
        self._utf8.decode(before[-_LONGEST_INCOMPLETE:])
        self._shown = self._is_incomplete()
        """Whether the character that is not complete was already shown, as U+FFFD."""

    def add(self, token_id: int) -> list[str]:
        """Takes the next token; returns the texts of the tokens that are now certain, oldest first."""
        text = self._new(self._utf8.decode(self._table[token_id]))
        texts = [] if self._held is None else [self._held]
        if self._is_incomplete():
            self._held = text
        else:
            self._held = None
            texts.append(text)
        return texts

    def pending(self) -> str:
        """Text that the token held back has brought, without its incomplete character."""
        return self._held or ""

    def flush(self) -> list[str]:
        """Ends the text; returns that of the token held back, an incomplete character as U+FFFD."""
        if self._held is None:
            return []
        text, self._held = self._held + self._new(self._utf8.decode(b"", final=True)), None
        return [text]

    def _new(self, text: str) -> str:
        if not (text and self._shown):
            return text
        self._shown = False
        return text[1:]

    def _is_incomplete(self) -> bool:
        return bool(self._utf8.getstate()[0])


class WindowDetokenizer:
    """Tokens that are decoded after those before them: words, word pieces, SentencePiece.

    Tokens for single bytes (SentencePiece's byte fallback) are held back until their run ends, since the decoder writes
    the whole run as U+FFFD if it is not UTF-8. A run longer than `LONGEST_RUN` is given out as if it ended there.

    Args:
        decode: T, of a few tokens.
        skipped: Tokens that T leaves out.
        bytes_of: The byte of every token that stands for one.
        context: Tokens before the first one.
    """

    spell: Callable[[int], str] | None = None

    def __init__(
        self,
        decode: Callable[[list[int]], str],
        skipped: Collection[int],
        bytes_of: Mapping[int, int],
        context: Sequence[int],
    ) -> None:
        self._decode = decode
        self._skipped = skipped
        self._bytes_of = bytes_of
        self._window = _last(context, WINDOW, skipped)
        self._run: list[int] = []
        self._utf8 = codecs.getincrementaldecoder("utf-8")("strict")
        self._spoilt = not _is_utf8(_trailing_bytes(context, bytes_of))
        """Whether the run of byte tokens is not UTF-8, whatever follows."""

    def add(self, token_id: int) -> list[str]:
        """Takes the next token; returns the texts of the tokens that are now certain, oldest first."""
        if token_id in self._bytes_of:
            return self._add_byte(token_id)
        texts = self.flush()
        self._spoilt = False
        texts.append(self._after(token_id))
        return texts

    def pending(self) -> str:
        """Text of the byte tokens held back, if they are whole characters."""
        return "" if self._utf8.getstate()[0] else "".join(self._run_texts())

    def flush(self) -> list[str]:
        """Ends the text; returns those of the byte tokens held back."""
        texts = self._run_texts()
        self._pass_run()
        return texts

    def _add_byte(self, token_id: int) -> list[str]:
        if self._spoilt:
            self._keep([token_id])
            return [REPLACEMENT]
        self._run.append(token_id)
        try:
            self._utf8.decode(bytes([self._bytes_of[token_id]]))
        except UnicodeDecodeError:
            self._spoilt = True
            texts = [REPLACEMENT] * len(self._run)
            self._pass_run()
            return texts
        whole = not self._utf8.getstate()[0]
        return self.flush() if whole and len(self._run) >= LONGEST_RUN else []

    def _run_texts(self) -> list[str]:
        """Texts of the byte tokens held back, if their run ends here; a character comes with its last byte."""
        run = bytes(self._bytes_of[token_id] for token_id in self._run)
        if not _is_utf8(run):
            return [REPLACEMENT] * len(run)
        utf8 = codecs.getincrementaldecoder("utf-8")()
        texts = [utf8.decode(run[place : place + 1]) for place in range(len(run))]
        if texts and not self._window:  # at the beginning of a text, which the decoder may strip
            stripped = len("".join(texts)) - len(self._decode(self._run))
            texts = ["" if place < stripped else text for place, text in enumerate(texts)]
        return texts

    def _after(self, token_id: int) -> str:
        before, both = self._decode(self._window), self._decode([*self._window, token_id])
        self._keep([token_id])
        while not both.startswith(before):  # a decoder that changes earlier text
            before = before[:-1]
        return both[len(before) :]

    def _pass_run(self) -> None:
        self._keep(self._run)
        self._run = []
        self._utf8.reset()

    def _keep(self, token_ids: Sequence[int]) -> None:
        self._window = _last([*self._window, *token_ids], WINDOW, self._skipped)


def _last(token_ids: Sequence[int], count: int, skipped: Collection[int]) -> list[int]:
    """The last so many tokens that are not skipped."""
    last: list[int] = []
    for token_id in reversed(token_ids):
        if len(last) == count:
            break
        if token_id not in skipped:
            last.append(token_id)
    return last[::-1]


def _trailing_bytes(token_ids: Sequence[int], bytes_of: Mapping[int, int]) -> bytes:
    run: list[int] = []
    for token_id in reversed(token_ids):
        if token_id not in bytes_of:
            break
        run.append(bytes_of[token_id])
    return bytes(run[::-1])


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
