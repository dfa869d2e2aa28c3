"""What is typed in many ways is read in one, and normal text stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_models.tokenization.normalization import review_text, typed_text

TYPED = typed_text()
REVIEW = review_text()


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("I love you. ", "I love you."),
        ("\tI\u00a0love\r\n\r\nyou.\u2009", "I love you."),
        ("I   love \u3000 you.", "I love you."),
        ("\u201cIt\u2019s late,\u201d he said.", '"It\'s late," he said.'),
        ("\u00ab\u202fOui\u00a0\u00bb, dit-il.", '"Oui", dit-il.'),
        ("\u201eja\u201c \u2018x\u2019 \u2039y\u203a `z\u00b4", "\"ja\" 'x' 'y' 'z'"),
        ("a word\u2014and another\u2009--\u2009or more", "a word - and another - or more"),
        ("1990\u20131995, twenty\u2010one, \u22125", "1990-1995, twenty-one, -5"),
        ("Well\u2026", "Well..."),
        ("Well . . . so....... yes..", "Well ... so... yes..."),
        ("Hello!!! Really??? What?!?!", "Hello! Really? What?"),
        ("\uff04\u2009300, \u20ac 5, \u00a3\u00a07", "$300, \u20ac5, \u00a37"),
        ("caf\u0065\u0301 \ufb01ne \uff28i", "caf\u00e9 fine Hi"),
        ("so\u00adft \u200bhi\ufeff\u200d", "soft hi"),
        ("I love you \u2764\ufe0f\U0001f600!", "I love you !"),
        ("\u00bd", "1/2"),
        ("O\u00f9 est-il ?", "O\u00f9 est-il ?"),
        ("\U0001f600 \u200b\t", ""),
    ],
)
def test_typed_text_gets_its_normal_form(typed: str, normal: str) -> None:
    assert TYPED.normalize_str(typed) == normal


@given(st.text())
def test_a_normal_form_has_one_kind_of_space_and_none_at_its_ends(text: str) -> None:
    for normalizer in (TYPED, REVIEW):
        normal = normalizer.normalize_str(text)
        assert normal == " ".join(normal.split())


@given(st.text(st.sampled_from("aB '\".,!?-$5\u00e9\u00ab\u2014\u2026\t"), max_size=20))
def test_the_normal_form_of_a_normal_form_is_itself(text: str) -> None:
    normal = TYPED.normalize_str(text)
    assert TYPED.normalize_str(normal) == normal


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("sooo goooood", "soo good"),
        ("dont wont CANT isnt didnt wouldnt", "do n't wo n't ca n't is n't did n't would n't"),
        ("do n't don't don\u2019t cannot", "do n't do n't do n't can not"),
        ("I want an ant in the front", "i want an ant in the front"),
        ("&quot;Great&quot; &amp; cheap&nbsp;&lt;br /&gt;", '"great" & cheap'),
        ("&amp;quot;hm&amp;quot; it&#39;s it&#x27;s", "\"hm\" it's it's"),
        ("<p>Good</p><br/>a < b", "good a < b"),
        ("see https://example.org/a?b=c or www.example.org", "see or"),
        ("great :) :-D =) ;) <3 \U0001f600\U0001f44d", "great \u263a \u263a \u263a \u263a \u263a \u263a"),
        ("bad :( :-/ :'( </3 \U0001f621\U0001f44e", "bad \u2639 \u2639 \u2639 \u2639 \u2639"),
        ("at 10:30 (see: note) http://x 8) a:b", "at 10:30 (see: note) 8) a:b"),
        ("-lrb- really -rrb-", "( really )"),
        ("1000 ooo", "1000 oo"),
    ],
)
def test_reviews_lose_their_markup_and_keep_their_feelings(typed: str, normal: str) -> None:
    assert REVIEW.normalize_str(typed) == normal
