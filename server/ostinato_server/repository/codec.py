"""Text to tokens and back, with a bundle's own tokenizer."""

from __future__ import annotations

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from ostinato_bundle import TokenizerFacts
from ostinato_server.engine.sequence import Detokenizer

_STRANGE = ("\U0010fffd", "that is not in its vocabulary")
"""A character that no vocabulary has, and how it is told of."""


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
        self._try_to_encode()

        self.longest_piece = max(map(len, self._pieces), default=1)
        """Characters of the longest token."""

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

    def detokenizer(self) -> Detokenizer:
        """Starts turning a stream of tokens into text: call it with each token in turn."""
        if self._characters is not None:
            return self._characters.__getitem__
        stream = DecodeStream(skip_special_tokens=True)
        return lambda token_id: stream.step(self._tokenizer, token_id) or ""
