"""The one form that text is brought to, whoever typed it: part of the tokenizer file, so that all readers share it.

Training, evaluation and serving encode with the same tokenizer, whose ``normalizer`` these rules are. They undo what
keyboards, word processors and web pages do to a text and keep what says something: its letters, marks and case.
"""

from __future__ import annotations

from tokenizers import Regex, normalizers

_BEFORE_COMPOSING = (
    # NFKC takes some of these apart (U+00B4 becomes a space and a loose accent), so they are replaced first.
    ("[\u2018\u2019\u201a\u201b\u2032\u02b9\u02bc\u00b4`\u2039\u203a]", "'"),
    ("[\u201c\u201d\u201e\u201f\u2033]|''", '"'),
    ("\u203d", "?"),
)
_AFTER_COMPOSING = (
    # Characters that print nothing: controls, soft hyphens, zero-width characters, marks of direction.
    (
        "[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]",
        "",
    ),
    (r"\.(?:\s?\.)+", "..."),
    (r"[!?]*\?[!?]*", "?"),
    ("!{2,}", "!"),
)
_AMOUNTS = (("\u2044", "/"), (r"(?<=[$\u00a3\u20ac\u00a5])\s+(?=\d)", ""))
_DASHES = ((r"\s*(?:[\u2014\u2015]|-{2,})\s*", " - "), ("[\u2010-\u2013\u2212]", "-"))
_PICTURES = "[\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\U000e0000-\U000e007f]"
_GUILLEMETS = (("\u00ab\\s*", '"'), ("\\s*\u00bb", '"'))
_SPACES = (r"\s{2,}|[^\S ]", " ")


def typed_text() -> normalizers.Sequence:
    r"""Rules for text as people type and paste it, either language of a pair.

    Spaces of every kind, tabs and line breaks become one space, and none is left at the ends; typographic quotes,
    guillemets and apostrophes become ``"`` and ``'``; a long dash becomes `` - ``, other dashes and hyphens ``-``;
    dots in a row become ``...``, marks in a row one mark; Unicode's NFKC composes accents and replaces ligatures and
    wide forms (so ``\uff04`` is ``$``); what prints nothing, and pictures (emoji), are left out.

        >>> typed_text().normalize_str("  \u00ab\u00a0Well\u2026 it\u2019s \u20ac\u00a05\u2009!!\u00a0\u00bb ")
        '"Well... it\'s \u20ac5 !"'
    """
    return _sequence(*_AFTER_COMPOSING, *_AMOUNTS, *_DASHES, (_PICTURES, " "), _SPACES, before=_GUILLEMETS)


_MARKUP = (
    # An entity may have been escaped twice, and a tag may be written with entities: this order undoes both.
    ("(?i)&amp;", "&"),
    ("(?i)&(?:quot|ldquo|rdquo|#34);", '"'),
    ("(?i)&(?:apos|rsquo|lsquo|#0*39|#x27);", "'"),
    ("(?i)&(?:lt|#60);", "<"),
    ("(?i)&(?:gt|#62);", ">"),
    (r"(?i)</?[a-z][^<>]{0,200}>", " "),
    (r"(?i)&(?:[a-z]{2,8}|#\w{1,6});", " "),
    (r"(?i)https?://\S+", " "),
    (r"(?i)www\.\S+", " "),
)
_GLAD = (
    "\u263a\u2665\u2764\U0001f389\U0001f44d\U0001f44f\U0001f495-\U0001f49f\U0001f4af\U0001f525\U0001f600-\U0001f60f"
    "\U0001f617-\U0001f61d\U0001f642\U0001f643\U0001f64c\U0001f929\U0001f970\U0001f973"
)
_SAD = (
    "\u2639\U0001f44e\U0001f494\U0001f4a9\U0001f610-\U0001f616\U0001f61e-\U0001f62d\U0001f641\U0001f644\U0001f912\U0001f92c"
    "\U0001f92e"
)
_FEELINGS = (
    # Emoticons and pictures of faces become one glad and one sad sign, which the tokenizer keeps as words.
    (r"[:;=](?<![\w/][:;=])[-o']?[)\]d*]+(?!\w)", " \u263a "),
    (r"[:=](?<![\w/][:=])[-o']?[(\[|/\\]+(?![\w/])", " \u2639 "),
    ("</3", " \u2639 "),
    (r"<3+|\^_?\^|\bxd+\b", " \u263a "),
    (f"[{_GLAD}]+", " \u263a "),
    (f"[{_SAD}]+", " \u2639 "),
)
_ENGLISH = (
    ("-lrb-", "("),
    ("-rrb-", ")"),
    # Three of a letter or more say what two say: "sooo" is read as "soo", "goood" as "good". No word needs two of
    # some: "greaaat" is read as "great" (and "skiing" as "sking", in training as well).
    (r"([aiuy])(?=\1)|([a-z])(?=\2\2)", ""),
    (
        r"(?<=\bdo|\bca|\bwo|\bis|\bwas|\bdid|\bhas|\bhad|\bare|\bdoes|\bwere|\bhave|\bcould|\bwould|\bshould)nt\b",
        "n't",
    ),
    (r"\bcannot\b", "can not"),
    (r"n't\b", " n't"),
)


def review_text() -> normalizers.Sequence:
    r"""Rules for English to be judged: those of `typed_text`, and what scraped reviews and messages need.

    Tags, entities and addresses are taken out; emoticons and emoji become a glad or a sad sign; letters become small;
    a letter repeated for emphasis stands twice; contractions are split as SST-2 has them, with and without their
    apostrophe (``dont``, ``don't`` and ``do n't`` are the same).

        >>> review_text().normalize_str("I DIDNT&nbsp;like it<br/> &quot;sooooo&quot; :-( ")
        'i did n\'t like it "soo" \u2639'
    """
    rules = *_AFTER_COMPOSING, ("[\u2010-\u2015\u2212]", "-"), *_FEELINGS, *_ENGLISH, _SPACES
    return _sequence(*rules, before=(*_MARKUP, ("[\u00ab\u00bb]", '"')), lowercase=True)


def _sequence(
    *rules: tuple[str, str], before: tuple[tuple[str, str], ...] = (), lowercase: bool = False
) -> normalizers.Sequence:
    """NFKC between two lists of (pattern, replacement), and no space at the ends."""
    return normalizers.Sequence(
        [
            *(normalizers.Replace(Regex(pattern), content) for pattern, content in (*before, *_BEFORE_COMPOSING)),
            normalizers.NFKC(),
            *([normalizers.Lowercase()] if lowercase else []),
            *(normalizers.Replace(Regex(pattern), content) for pattern, content in rules),
            normalizers.Strip(),
        ]
    )
