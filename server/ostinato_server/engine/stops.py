"""Stop texts: ending a stream where one appears, and never sending a part of one."""

from __future__ import annotations

from collections.abc import Sequence

from ostinato_server.engine.request import GeneratedToken


class StopFilter:
    """Holds tokens back while their text may still become a stop text.

    Args:
        stop: The stop texts, each not empty.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._held: list[GeneratedToken] = []
        self._text = ""
        self.withheld = ""
        """Once a stop text was completed: what was generated from its start on, which is not sent."""

    @property
    def held(self) -> Sequence[GeneratedToken]:
        """The tokens that are held back; once a stop text was completed, those of which nothing is sent."""
        return self._held

    def would_stop(self, text: str) -> bool:
        """Whether a stop text would be completed if a text came next."""
        return bool(text) and any(stop in self._text + text for stop in self._stop)

    def withhold(self, token: GeneratedToken) -> None:
        """Takes a token that was generated after a stop text was completed."""
        self._held.append(token)
        self.withheld += token.text

    def push(self, token: GeneratedToken) -> tuple[list[GeneratedToken], bool]:
        """Takes a token.

        Returns:
            The tokens that are safe to send, and whether a stop text was completed. The text before a stop text is
            sent, shortening a token if need be; what comes after its start never is.
        """
        self._held.append(token)
        self._text += token.text
        found = [index for index in (self._text.find(stop) for stop in self._stop) if index >= 0]
        if found:
            self.withheld = self._text[min(found) :]
            return self._release(min(found), shorten=True), True
        return self._release(len(self._text) - self._longest_beginning(), shorten=False), False

    def flush(self) -> list[GeneratedToken]:
        """Gives what is still held when the stream ends for another reason."""
        return self._release(len(self._text), shorten=False)

    def _longest_beginning(self) -> int:
        """Length of the longest end of the held text that a stop text begins with."""
        longest = max(len(stop) for stop in self._stop) - 1
        for length in range(min(longest, len(self._text)), 0, -1):
            end = self._text[-length:]
            if any(stop.startswith(end) for stop in self._stop):
                return length
        return 0

    def _release(self, length: int, *, shorten: bool) -> list[GeneratedToken]:
        """Takes the tokens that lie within the first ``length`` characters out of the buffer."""
        released: list[GeneratedToken] = []
        while self._held and len(self._held[0].text) <= length:
            token = self._held.pop(0)
            length -= len(token.text)
            self._text = self._text[len(token.text) :]
            released.append(token)
        if shorten and length and self._held:
            token = self._held.pop(0)
            released.append(token._replace(text=token.text[:length]))
        return released
