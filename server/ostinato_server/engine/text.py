"""What the tokens of a stream are sent as: their text, and not before it is certain."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from ostinato_server.engine.request import GeneratedToken
from ostinato_server.engine.stops import StopFilter


class Detokenizer(Protocol):
    """Gives the tokens of one stream their text; see ``repository/detokenizers.py``."""

    spell: Callable[[int], str] | None
    """Text of any token, where it depends on nothing else; none where `add` must see every token."""

    def add(self, token_id: int) -> list[str]:
        """Takes the next token; returns the texts of the tokens that are now certain, oldest first."""

    def pending(self) -> str:
        """Text that the tokens held back have brought, as far as it is certain if the text ends here."""

    def flush(self) -> list[str]:
        """Ends the text; returns those of the tokens held back."""


class StreamText:
    """Puts text to a stream's tokens and ends it at a stop text. A token is sent with its text or held back.

    What goes out depends on the tokens alone. A resumed stream therefore replays the tokens that were sent, and leaves
    as many out of what goes out: what follows is what would have followed.

    Args:
        detokenizer: Spells the tokens.
        stop: Texts that end the stream, each not empty.
        replay: Tokens that were sent.
    """

    def __init__(self, detokenizer: Detokenizer, stop: Sequence[str] = (), replay: Sequence[int] = ()) -> None:
        self.spell = None if stop else detokenizer.spell
        """Text of any token, where nothing else is to be done to send it."""
        self.stopped = False
        """Whether a stop text was completed."""
        self._detokenizer = detokenizer
        self._stop = StopFilter(stop) if stop else None
        self._unspelled: deque[GeneratedToken] = deque()
        self._sent = len(replay)
        for token_id in replay:
            if not self.stopped:
                self.push(GeneratedToken(token_id, "", 0.0))

    @property
    def may_stop(self) -> bool:
        """Whether a stop text may end the stream."""
        return self._stop is not None

    def push(self, token: GeneratedToken) -> list[GeneratedToken]:
        """Takes the next token; returns those that may be sent."""
        self._unspelled.append(token)
        tokens = self._spelled(self._detokenizer.add(token.token_id))
        if self._stop is not None and not self.stopped and self._stop.would_stop(self._detokenizer.pending()):
            tokens += self._spelled(self._detokenizer.flush())
        return self._unsent(tokens)

    def flush(self) -> list[GeneratedToken]:
        """Ends the stream; returns what is still held back, unless it completes a stop text."""
        tokens = self._spelled(self._detokenizer.flush())
        if self._stop is not None and not self.stopped:
            tokens += self._stop.flush()
        return self._unsent(tokens)

    def withheld(self) -> tuple[str, tuple[int, ...]]:
        """What was generated and is not sent once a stop text was completed: text from its start on, and tokens.

        A token of which a part is sent counts as sent.
        """
        if self._stop is None:
            return "", ()
        text = self._stop.withheld + "".join(self._detokenizer.flush())
        return text, tuple(token.token_id for token in (*self._stop.held, *self._unspelled))

    def _spelled(self, texts: list[str]) -> list[GeneratedToken]:
        safe: list[GeneratedToken] = []
        for text in texts:
            token = self._unspelled.popleft()._replace(text=text)
            if self._stop is None:
                safe.append(token)
            elif self.stopped:
                self._stop.withhold(token)
            else:
                more, stopped = self._stop.push(token)
                safe += more
                self.stopped = stopped
        return safe

    def _unsent(self, tokens: list[GeneratedToken]) -> list[GeneratedToken]:
        if not self._sent:
            return tokens
        sent = min(self._sent, len(tokens))
        self._sent -= sent
        return tokens[sent:]
