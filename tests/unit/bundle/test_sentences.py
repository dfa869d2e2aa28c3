from itertools import chain, zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_bundle.sentences import WRAPPED_LINE_CHARACTERS, join_sentences, separators, split_sentences

PIECES = st.sampled_from(
    [
        *("Mr. Smith", "went home.", "U.S.", "e.g.", "3.14", "Hello!!!", "why?", "Well...", "I", "don't", "no"),
        *(" ", "  ", "\t", "\n", "\r\n", "\n\n", "\u2028", "- ", "1. ", "\u2022 "),
        *(":)", "\U0001f600", "\U0001f468\u200d\U0001f469", "1\ufe0f\u20e3", "\u3002", "\u4f60\u597d", "..."),
        *('"', "'", "\u201c", "\u201d", "\u00ab ", " \u00bb", "(", ")", "\x00", "\u0301"),
    ]
)
TYPED = st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join))


def parts(text: str) -> list[str]:
    return [text[sentence.start : sentence.end] for sentence in split_sentences(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["Mr. Smith went home.", "He slept."],
        ["mr. smith went home.", "he slept."],
        ["MR. SMITH WENT HOME.", "HE SLEPT."],
        ["I like fruit, e.g. apples.", "Do you?"],
        ["Pi is 3.14 or so.", "Version 2.0.1 is out."],
        ["I live in the U.S. now.", "I live in the U.S.", "He does too."],
        ["The U.S. Army came.", "They left."],
        ["It is 12:30 p.m. now.", "It is 3 p.m.", "Tom is late."],
        ["We meet at 3 p.m. Monday.", "Come!"],
        ["I met J. R. Smith.", "Plan B.", "It failed."],
        ["Hello!!!", "How are you???"],
        ["hello!", "how are you?", "fine"],
        ["i am tired.", "i want to sleep"],
        ['"Come in," he said.', '"Sit down."'],
        ['"Come in!" he said.', "She did."],
        ["\u201cI am here.\u201d", "Then he left."],
        ["(He left.)", "She stayed."],
        ["Well... I don't know.", "I was thinking...", "Never mind."],
        ["Really ?", "What ? !", "Yes."],
        ["No.", "I don't.", "It is no. 5 of the list."],
        ["I was born in 1990.", "He was not."],
        ["We have tea, coffee, etc.", "The rest is out."],
        ["He has a Ph.D. in maths.", "Dr. Who is here."],
        ["Visit www.Example.com or mail John.Smith@example.com.", "Thanks"],
        ["\u4f60\u597d\u3002", "\u518d\u89c1"],
        ["I love you"],
        ["1."],
    ],
    ids=lambda sentences: sentences[0],
)
def test_text_is_split_where_sentences_end(sentences: list[str]) -> None:
    assert parts(" ".join(sentences)) == sentences
    for sentence in sentences:
        assert parts(sentence) == [sentence], "a sentence alone is not split further"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("I am tired.I want to sleep.", ["I am tired.", "I want to sleep."]),
        ("Hello.How are you?I'm fine.", ["Hello.", "How are you?", "I'm fine."]),
        ("wow!i like it", ["wow!", "i like it"]),
        ("A\tB. It's good.\tYes.", ["A\tB.", "It's good.", "Yes."]),
        ("Hello! \U0001f44d Bye \U0001f600", ["Hello!", "Bye"]),
        ("Hello! :) How are you?", ["Hello!", "How are you?"]),
        ("Buy:\n 1. Milk.\n 2) eggs\n* tea\n\u2022 salt", ["Buy:", "Milk.", "eggs", "tea", "salt"]),
        ("1. Buy milk. 2. Call Bob.", ["Buy milk.", "Call Bob."]),
        ("- Hi. - Hello.", ["Hi.", "Hello."]),
        ("It is 5\u00b0. Press 1\ufe0f\u20e3", ["It is 5\u00b0.", "Press 1\ufe0f\u20e3"]),
    ],
)
def test_sentence_has_no_bullet_picture_or_space_at_its_ends(text: str, sentences: list[str]) -> None:
    assert parts(text) == sentences


@pytest.mark.parametrize("text", ["", " \n\t", "...", "?", "***", "\U0001f44d\U0001f3fd", ":-)", "- "])
def test_text_without_letters_and_digits_has_no_sentence(text: str) -> None:
    assert parts(text) == []
    assert separators(text, []) == [text.strip()]


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\n\n", "\u2028"])
def test_line_break_ends_a_sentence(line_break: str) -> None:
    text = f"One{line_break}two"
    assert parts(text) == ["One", "two"]
    assert separators(text, split_sentences(text)) == ["", line_break, ""]


def test_break_of_a_wrapped_line_does_not_end_a_sentence() -> None:
    first = "this line is as long as those that an editor wraps, so that its end"
    assert len(first) >= WRAPPED_LINE_CHARACTERS
    assert parts(f"{first}\nis no end.\nNext") == [f"{first}\nis no end.", "Next"]
    assert parts(f"{first}.\nthis is.") == [f"{first}.", "this is."], "a mark ends it"
    assert parts(f"{first}\nThis is.") == [first, "This is."], "a capital begins another"
    assert parts(f"{first}\n\nthis is.") == [first, "this is."], "so does a blank line"


def test_separators_are_the_text_between_the_sentences() -> None:
    text = "\n - Hi.  Yes.\n\n No.Maybe. \U0001f600\n"
    assert parts(text) == ["Hi.", "Yes.", "No.", "Maybe."]
    assert separators(text, split_sentences(text)) == ["- ", "  ", "\n\n ", " ", " \U0001f600"]


def test_empty_translation_is_left_out_with_the_separator_before_it() -> None:
    text = "One. Two.\nThree. :)"
    assert join_sentences(text, split_sentences(text), ["Un.", "", "Trois."]) == "Un.\nTrois. :)"


@given(TYPED)
def test_sentences_and_what_lies_between_give_the_text_back(text: str) -> None:
    found = split_sentences(text)
    edges = [0, *chain.from_iterable(found), len(text)]
    assert edges == sorted(edges)
    gaps = [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    sentences = parts(text)
    assert "".join(chain.from_iterable(zip_longest(gaps, sentences, fillvalue=""))) == text
    assert all(sentence == sentence.strip() and any(map(str.isalnum, sentence)) for sentence in sentences)
    joins = separators(text, found)
    assert len(joins) == len(found) + 1
    assert joins[1:-1] == [gap or " " for gap in gaps[1:-1]]
