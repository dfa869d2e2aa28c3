r"""The vocabulary of a model that was trained elsewhere: a tokenizer file, or a list of characters.

A list of characters is a text with one character a line (``\n``, ``\t``, ``\r``, ``\\`` and ``\u00e9`` written out),
the first line being id 0, or JSON: ``["a", "b"]`` or ``{"a": 0, "b": 1}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tokenizers import Tokenizer

from ostinato_bundle import TokenizerFacts
from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.tokenization import character_tokenizer

_USUAL: Mapping[str, tuple[str, ...]] = {
    "unknown": ("<unk>", "[UNK]", "<UNK>"),
    "start": ("<s>", "<bos>", "[BOS]", "<BOS>"),
    "end": ("</s>", "<eos>", "[EOS]", "<EOS>", "<|endoftext|>"),
    "padding": ("<pad>", "[PAD]", "<PAD>"),
}
"""What reserved tokens are called, most usual first."""

_UNUSED = re.compile(r"[<\[]unused[ _]?[0-9]+[>\]]")
"""Tokens that stand for an id without a meaning, in BERT's vocabularies among others."""

_MANY = 5
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class ReservedTokens:
    """The tokens that stand for no text, by name; one that is not given is looked for under its usual names."""

    unknown: str | None = None
    start: str | None = None
    end: str | None = None
    padding: str | None = None


@dataclass(frozen=True, slots=True)
class AdoptedVocabulary:
    """How text becomes tokens.

    Attributes:
        tokenizer: content of ``tokenizer.json``.
        facts: what the manifest says of it.
        reserved: ids that are never generated: the unknown token, the start and the padding.
    """

    tokenizer: str
    facts: TokenizerFacts
    reserved: frozenset[int]

    @property
    def choices(self) -> tuple[int, ...]:
        """The ids that can be generated."""
        return tuple(index for index in range(self.facts.vocabulary_size) if index not in self.reserved)


def width_hint(width: int, vocabulary: int) -> str:
    """What to do where logits of a width score more or fewer tokens than a vocabulary has."""
    if width < vocabulary:
        return (
            f"leave out the {vocabulary - width} tokens that the model was not trained with, "
            "or give the vocabulary of its training"
        )
    return (
        f"{width - vocabulary} ids are missing: where the model's ids start at 1, put its padding first, as "
        f'"<pad>": 0; where its last layer was widened, add <unused{vocabulary}> and so on at the end'
    )


def read_tokenizer(path: Path, given: ReservedTokens) -> AdoptedVocabulary:
    """Read a tokenizer in the Hugging Face format; padding and truncation, which cut a prompt, are turned off.

    Raises:
        AdoptionError: the file is missing or no such tokenizer, its ids have gaps, or a reserved token is not in it.
    """
    if not path.is_file():
        raise AdoptionError(path, ["there is no such file"])
    try:
        tokenizer = Tokenizer.from_str(path.read_text("utf-8"))
    except Exception as error:  # the library raises Exception itself, and UnicodeDecodeError comes from here
        raise AdoptionError(path, [f"is no tokenizer in the Hugging Face format: {error}"]) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return _adopted(path, tokenizer, given)


def read_characters(path: Path, given: ReservedTokens) -> AdoptedVocabulary:
    """Make a character tokenizer of a list of characters.

    Raises:
        AdoptionError: the file is missing or malformed, a character comes twice, the ids have gaps, or an entry is
            neither a character nor a reserved token.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise AdoptionError(path, ["there is no such file"]) from None
    except UnicodeDecodeError as error:
        raise AdoptionError(path, [f"is not UTF-8: {error}"]) from error
    listed = _from_json(path, text) if path.suffix == ".json" else _from_lines(path, text)
    allowed = {name for names in _USUAL.values() for name in names}
    allowed |= {name for name in (given.unknown, given.start, given.end, given.padding) if name is not None}
    for entry in listed:
        known = len(entry) == 1 or entry in allowed or _UNUSED.fullmatch(entry)
        if not known or "\ud800" <= entry <= "\udfff":
            problem = f"{entry!r} is neither one character nor a reserved token such as <unk>"
            raise AdoptionError(path, [f"{problem}; words and subwords need a tokenizer.json, given by --tokenizer"])
    unknown = _find(path, "unknown", given.unknown, listed)
    vocabulary = {entry: index for index, entry in enumerate(listed)}
    return _adopted(path, character_tokenizer(vocabulary, unknown), given)


def _from_lines(path: Path, text: str) -> list[str]:
    lines = text.removesuffix("\n").split("\n")
    if len(lines[0].rstrip("\r")) > 1:
        lines[0] = lines[0].removeprefix("\ufeff")  # a byte order mark, which some editors write
    listed: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        line = line.removesuffix("\r")
        if not line:
            raise AdoptionError(path, [rf"line {number} is empty; a line break is written \n"])
        entry = re.sub(r"\\(?:([ntr\\])|u([0-9a-fA-F]{4}))", lambda found: _unescaped(found[1], found[2]), line)
        if entry in listed:
            raise AdoptionError(path, [f"line {number}: {entry!r} is already on line {listed[entry]}"])
        listed[entry] = number
    return list(listed)


def _unescaped(letter: str | None, code: str) -> str:
    return _ESCAPES[letter] if letter else chr(int(code, 16))


def _from_json(path: Path, text: str) -> list[str]:
    try:
        content = json.loads(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise AdoptionError(path, [f"is no JSON: {error}"]) from error
    if isinstance(content, list):
        content = {entry: index for index, entry in enumerate(content)} if _distinct_texts(content) else None
    if not isinstance(content, dict) or not all(type(index) is int for index in content.values()):
        problem = "must be a list of different characters, or an object of characters and ids"
        if isinstance(content, dict) and content and all(key.isdecimal() for key in content):
            problem += ', as {"a": 0}; this has ids as keys: exchange keys and values'
        raise AdoptionError(path, [problem])
    _check_ids(path, content)
    return sorted(content, key=lambda entry: int(content[entry]))


def _distinct_texts(content: list[object]) -> bool:
    return all(isinstance(entry, str) for entry in content) and len(set(content)) == len(content)


def _check_ids(path: Path, vocabulary: Mapping[str, int]) -> None:
    """Ids must be 0, 1 and so on, each once."""
    count = len(vocabulary)
    holders: dict[int, str] = {}
    for entry, index in vocabulary.items():
        if index in holders:
            raise AdoptionError(path, [f"id {index} is that of {holders[index]!r} and of {entry!r}; give each its own"])
        holders[index] = entry
    if set(holders) == set(range(count)):
        return
    least, most = min(holders), max(holders)
    problem = f"the ids of {count} tokens must be 0 to {count - 1}"
    if (least, most) == (1, count):
        raise AdoptionError(
            path,
            [
                f"{problem}; these are 1 to {count}: if the model's logits are {count + 1} wide, id 0 is its padding: "
                f'add "<pad>": 0; if they are {count} wide, subtract 1 from every id'
            ],
        )
    if least < 0:
        raise AdoptionError(path, [f"{problem}; {holders[least]!r} has {least}"])
    missing = sorted(set(range(most)) - set(holders))
    shown = ", ".join(map(str, missing[:_MANY])) + (f" and {len(missing) - _MANY} more" if missing[_MANY:] else "")
    raise AdoptionError(
        path,
        [
            f"{problem}; {shown} {'is' if len(missing) == 1 else 'are'} missing, the largest is {most}: "
            f'add what they stand for, or "<unused{missing[0]}>": {missing[0]} and so on, which are never generated'
        ],
    )


def _adopted(path: Path, tokenizer: Tokenizer, given: ReservedTokens) -> AdoptedVocabulary:
    vocabulary: Mapping[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    if len(vocabulary) < 2:
        raise AdoptionError(path, [f"has {len(vocabulary)} tokens; at least 2 are needed"])
    _check_ids(path, vocabulary)
    described = json.loads(tokenizer.to_str())
    unknown = _find(path, "unknown", given.unknown or _declared_unknown(described["model"], vocabulary), vocabulary)
    start, end, padding = (_find(path, role, getattr(given, role), vocabulary) for role in ("start", "end", "padding"))
    ids = {
        name: None if token is None else vocabulary[token]
        for name, token in (("unknown", unknown), ("start", start), ("end", end), ("padding", padding))
    }
    unused = {token for token in vocabulary if _UNUSED.fullmatch(token)}
    never = {ids["unknown"], ids["start"], ids["padding"], *(vocabulary[token] for token in unused)} - {
        ids["end"],
        None,
    }
    facts = TokenizerFacts(
        kind=_kind(described["model"], vocabulary, {unknown, start, end, padding, *unused}),
        vocabulary_size=len(vocabulary),
        unknown_id=ids["unknown"],
        start_id=ids["start"] if given.start is not None else None,
        end_id=ids["end"],
        padding_id=ids["padding"],
    )
    if facts.kind == "word" and unknown is None:
        raise AdoptionError(path, ["a vocabulary of words needs an unknown token, such as <unk>, for all others"])
    return AdoptedVocabulary(
        json.dumps(described, indent=2, ensure_ascii=False) + "\n",
        facts,
        frozenset(index for index in never if index is not None),
    )


def _declared_unknown(model: Mapping[str, Any], vocabulary: Mapping[str, int]) -> str | None:
    """The unknown token that a tokenizer's model names, or numbers; it may name one that it does not have."""
    name, index = model.get("unk_token"), model.get("unk_id")
    if isinstance(name, str) and name in vocabulary:
        return name
    return next((token for token, place in vocabulary.items() if place == index), None)


def _find(path: Path, role: str, given: str | None, vocabulary: Sequence[str] | Mapping[str, int]) -> str | None:
    """The token of a role: the one that was named, else the first usual one that there is."""
    if given is None:
        return next((name for name in _USUAL[role] if name in vocabulary), None)
    if given not in vocabulary:
        raise AdoptionError(path, [f"the {role} token {given!r} is not in the vocabulary"])
    return given


def _kind(
    model: Mapping[str, Any], vocabulary: Mapping[str, int], reserved: set[str | None]
) -> Literal["character", "word", "subword"]:
    if model.get("type") != "WordLevel":
        return "subword"
    return "character" if all(len(token) == 1 for token in vocabulary if token not in reserved) else "word"
