"""Splitting a text into the sentences that a translation model reads one by one.

The server and the evaluation split with this function, so that what is measured is what is served. The rules are for
English and hold for most European languages; a wrong split costs context, never text, since the parts are joined again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

WRAPPED_LINE_CHARACTERS = 60
"""A shorter line ends a sentence: its break was typed on purpose and not made by a mail program or an editor."""

_LINE = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_ACRONYM = re.compile(r"[^\W\d_]|(?:[^\W\d_]{1,3}\.)+[^\W\d_]{1,3}")
"""``U.S``, ``Ph.D``, ``B.Sc``, and the initial ``J``, each without its last full stop."""

_LIST_NUMBER = re.compile(r"\s*\d{1,2}[.)]\s+(?=\S)")
_BULLET = re.compile(r"[-*+\u2022\u2023\u25e6\u00b7\u2013\u2014]\s+(?=\S)")
_EMOTICON = re.compile(r"(?:[:;=]['\u2019-]?[()\[\]DPpOo3/\\|*]+|<3+|\^_?\^)(?!\S)")
_LONGEST_EMOTICON = 8

_JOINERS = "\u200d\ufe0e\ufe0f\u20e3"
"""Between and behind the parts of one emoji."""

_OPENING = "\"'\u201c\u2018\u201e\u00ab\u2039([{\u00bf\u00a1"
_CLOSING = "\"'\u201d\u2019\u00bb\u203a)]}"
_FULL_WIDTH = "\u3002\uff01\uff1f"
_MARKS = f".!?\u2026{_FULL_WIDTH}"
_MARK = re.compile(rf"[{_MARKS}]+[{re.escape(_CLOSING)}]*")


def _words(names: str) -> frozenset[str]:
    return frozenset(names.split())


_TITLES = _words("mr mrs ms mx dr prof st gen sen rep rev hon capt lt col sgt cpl maj adm gov messrs mt mme")
"""Never end a sentence."""

_NUMBERED = _words("no nos nr fig figs p pp vol ch sec art eq ed op")
"""End no sentence before a digit."""

_MIDDLE = _words("e.g i.e eg ie cf vs v viz approx ca incl esp al")
"""End no sentence, as the sentence goes on with what they introduce."""

_SHORTENED = _words(
    "etc inc ltd co corp jr sr bros dept univ assn hr hrs ft ave blvd rd mon tue tues thu thur thurs fri jan feb apr "
    "jun jul aug sep sept oct nov dec"
)
"""End a sentence unless it goes on in lower case or with a digit."""

_DAYS = _words("monday tuesday wednesday thursday friday saturday sunday")

_STARTERS = _words(
    "i i'm i've i'll i'd he he's she she's it it's its we we're they they're you you're the a an this that that's "
    "these those there there's here my your his her our their who what what's when where why how which whose and but "
    "or so if then because although while after before in on at for from to with do does did don't is are was were can "
    "could will would should may might must have has had not no yes please let let's every everyone some all now today"
)
"""Words that a sentence is likely to begin with; they decide after an initial or an acronym."""


class Sentence(NamedTuple):
    """Where a sentence stands in its text, in characters: from ``start`` up to ``end``, which is not included."""

    start: int
    end: int


def split_sentences(text: str) -> list[Sentence]:
    """The sentences of a text, in order.

    A sentence has at least one letter or digit, and no white space, emoji or emoticon at its ends. A line break ends a
    sentence, unless the line was wrapped: it has `WRAPPED_LINE_CHARACTERS` or more, ends with no mark, and the next
    one begins in lower case.

    Returns:
        Their places. What lies between them (white space, bullets, emoji, marks alone) is not to be translated; see
        `separators`.
    """
    return [
        sentence
        for start, end in _paragraphs(text)
        for part in _parts(text, start, end)
        if (sentence := _trimmed(text, *part)) is not None
    ]


def separators(text: str, sentences: Sequence[Sentence]) -> list[str]:
    """What a translation of the text has before each sentence and, as the last item, after all of them.

    It is what the text itself has there. At the ends of the text, white space is left out; between two sentences that
    nothing separates, a space is added.

    Args:
        text: The text.
        sentences: Places in it, in order; those that `split_sentences` gave, or some of them.

    Returns:
        One item more than there are sentences.
    """
    if not sentences:
        return [text.strip()]
    first, last = sentences[0].start, sentences[-1].end
    between = [text[left.end : right.start] or " " for left, right in pairwise(sentences)]
    return [text[:first].lstrip(), *between, text[last:].rstrip()]


def join_sentences(text: str, sentences: Sequence[Sentence], translations: Sequence[str]) -> str:
    """The translation of a text, from those of its sentences; an empty one is left out with the separator before it."""
    before = separators(text, sentences)
    joined = [gap + translation for gap, translation in zip(before, translations, strict=False) if translation]
    return "".join([*joined, before[-1]])


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Lines, each joined with those that it was wrapped into."""
    start = line = 0
    for found in _LINE.finditer(text):
        if not _is_wrapped(text, line, found.start(), found.end()):
            yield start, found.start()
            start = found.end()
        line = found.end()
    yield start, len(text)


def _is_wrapped(text: str, start: int, end: int, following: int) -> bool:
    before = text[start:end].rstrip()
    after = text[following : following + 1]
    return len(before) >= WRAPPED_LINE_CHARACTERS and before[-1] not in f"{_MARKS}{_CLOSING}:;" and after.islower()


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A paragraph, cut behind the marks that end a sentence."""
    number = _LIST_NUMBER.match(text, start, end)
    if number:
        start = number.end()
    for mark in _MARK.finditer(text, start, end):
        if mark.start() >= start and mark.end() < end and _ends_sentence(text, start, end, mark):
            if not (number and _LIST_NUMBER.match(text, start, mark.end() + 2)):  # "1. Buy milk. 2. Call Bob."
                yield start, mark.end()
            start = mark.end()
    yield start, end


def _ends_sentence(text: str, start: int, end: int, mark: re.Match[str]) -> bool:
    """Whether a mark, and the closing quotes and brackets behind it, end the sentence that began at ``start``."""
    marks, closing = mark[0].rstrip(_CLOSING), mark[0][len(mark[0].rstrip(_CLOSING)) :]
    following = mark.end()
    while following < end and text[following].isspace():
        following += 1
    if following == end or text[following] in _MARKS:
        return False  # the marks of "What ? !" belong together
    if any(character in _FULL_WIDTH for character in marks):
        return True
    if following == mark.end():
        # The closing quote of the pattern may be the opening one of the next sentence: `he said."Sit down."`
        return _ends_without_space(text, start, end, mark.start(), marks, closing, following)
    while following < end and text[following] in _OPENING:
        following += 1
    word = _word_at(text, following, end)
    if closing and word[:1].islower():
        return False  # "Come in!" he said.
    if "!" in marks or "?" in marks:
        return True
    if marks != ".":  # an ellipsis: a pause unless a new sentence clearly begins
        pause = len(text[start : mark.start()].split(None, 1)) < 2
        return not pause and word[:1].isupper() and _plain(word) not in ("i", "i'm", "i've", "i'll", "i'd")
    return _full_stop_ends(_word_before(text, start, mark.start()), word)


def _full_stop_ends(before: str, after: str) -> bool:
    """Whether a full stop between two words, with white space behind it, ends a sentence."""
    known, following = before.lower(), _plain(after)
    goes_on = after[:1].islower() or after[:1].isdigit()
    if known in _TITLES or known in _MIDDLE:
        return False
    if known in _NUMBERED and after[:1].isdigit():
        return False
    if known in ("a.m", "p.m"):
        return not goes_on and following not in _DAYS
    if known in _SHORTENED:
        return not goes_on
    if _ACRONYM.fullmatch(before):
        return not goes_on and following in _STARTERS
    return True


def _ends_without_space(text: str, start: int, end: int, at: int, marks: str, closing: str, following: int) -> bool:
    """Whether a mark with no white space behind it ends a sentence: ``I am tired.I want to sleep``.

    It does not in addresses, file names and numbers.
    """
    left = max(start, at - 64)
    run_start = max((found.end() for found in re.finditer(r"\s", text[left:at])), default=0) + left
    run = re.compile(r"\S{0,64}").match(text, run_start, min(end, following + 64))
    assert run is not None  # noqa: S101 (it matches nothing too)
    if closing or re.search(r"[@/\\=_]|www\.|\.\.", run[0]) or not text[following].isalpha():
        return False
    if "!" in marks or "?" in marks:
        return True
    before, word = text[run_start:at], _word_at(text, following, end)
    if marks != "." or len(before.strip(_OPENING)) < 2 or before.strip(_OPENING).lower() in _TITLES:
        return False
    behind = text[following + len(word) : following + len(word) + 2]
    # As in Ph.D. and Example.Com.au
    is_name = behind[:1] == "." and (len(word) == 1 or (behind[1:].isalnum() and behind[1:].islower()))
    titled = len(word) == 1 or word[1:].islower() or "'" in _plain(word)
    return text[following].isupper() and titled and before[-1].islower() and not is_name


def _word_at(text: str, start: int, end: int) -> str:
    """The letters, digits and apostrophes from a place on."""
    found = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*").match(text, start, end)
    return found[0] if found else ""


def _word_before(text: str, start: int, end: int) -> str:
    """What stands before a full stop, from the last white space or opening mark on: ``U.S`` of ``(U.S.``."""
    # Behind white space, an opening mark, a dash or a slash.
    found = re.compile(r"[^\s\"\u201c\u201d\u2018\u201e\u00ab(\[{/\u2014\u2013-]*$").search(
        text[max(start, end - 32) : end]
    )
    return found[0] if found else ""


def _plain(word: str) -> str:
    return word.lower().replace("\u2019", "'")


def _trimmed(text: str, start: int, end: int) -> Sentence | None:
    """A part without bullet, white space and pictures at its ends; None where no letter and no digit is in it."""
    while start < end:
        emoticon = _EMOTICON.match(text, start, end)
        bullet = _BULLET.match(text, start, end)
        if text[start].isspace() or _is_picture(text[start]):
            start += 1
        elif emoticon or bullet:
            start = (emoticon or bullet).end()  # type: ignore[union-attr]
        else:
            break
    while end > start:
        near = max(start, end - _LONGEST_EMOTICON - 1)
        word = max(text.rfind(" ", near, end), text.rfind("\t", near, end)) + 1
        is_keycap = text[end - 1] in _JOINERS and text[max(start, end - 3) : end].rstrip(_JOINERS).isascii()
        # (a digit that is made an emoji keeps what makes it one)
        if text[end - 1].isspace() or (_is_picture(text[end - 1]) and not is_keycap):
            end -= 1
        elif word > start and _EMOTICON.fullmatch(text, word, end):
            end = word
        else:
            break
    if not any(character.isalnum() for character in text[start:end]):
        return None
    return Sentence(start, end)


def _is_picture(character: str) -> bool:
    """Whether a character is a part of an emoji or another picture, which no model translates."""
    if character < "\u2190":  # signs that belong to words and numbers: ° © ™
        return character in _JOINERS
    is_skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    return character in _JOINERS or is_skin_tone or unicodedata.category(character) == "So"
