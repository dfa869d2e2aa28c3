"""What is known about the data sets that shipped models learn from: for the manifest and the model card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_LANGUAGES = {"de": "German", "en": "English", "fr": "French"}


@dataclass(frozen=True, slots=True)
class DataSetFacts:
    """A data set, in words.

    Attributes:
        description: what a model trained on it does.
        license: of the weights, with that of the data where it differs.
        about: where the data come from.
        biases: what a reader of the model card should know before relying on the model.
        measuring: commands that measure a bundle on what was held out, as files of the data folder; none if it is
            made by a generator.
    """

    description: str
    license: str
    about: str
    biases: str
    measuring: tuple[str, ...] = ()


def _greedy_and_beam(data: str) -> tuple[str, ...]:
    command = f"ostinato evaluate translation --bundle DIR {data}"
    return command, f"{command} --beam-size 5"


_KNOWN: Mapping[str, DataSetFacts] = {
    "tinyshakespeare": DataSetFacts(
        "Continues a text, character by character, in the manner of Shakespeare's plays.",
        "Apache-2.0; the text it was trained on is in the public domain",
        "Tiny Shakespeare: 1,115,394 characters of Shakespeare's plays, collected for char-rnn (Karpathy, 2015). "
        "The first 90 % are for training, the last 10 % for validation; there is no third part, so the epoch that is "
        "kept was chosen on the part that is reported.",
        "It has read one author of about 1600 and nothing else: it knows no facts, no modern English, and repeats the "
        "plays' views of women, foreigners and rank. What it writes has the look of a play and no plot.",
        ("ostinato evaluate char-lm --bundle DIR --data tinyshakespeare/input.txt --split valid",),
    ),
    "sst2": DataSetFacts(
        "Scores a sentence of English as negative or positive.",
        "Apache-2.0; the Stanford Sentiment Treebank comes without a licence, for research",
        "SST-2 (Socher et al., 2013; GLUE, 2019): phrases of film reviews from rottentomatoes.com with the thresholded "
        "votes of paid readers. Whole sentences, and every phrase sharing text with them, were held out for selection.",
        "The labels are of film reviews of the 1990s and 2000s; about products, places and people it has learnt from "
        "a teacher's judgements and from made-up opinions. Names of people, countries and groups carry whatever "
        "sentiment the reviews had; irony is often misread. There is no neutral class: a text that judges nothing "
        "gets one of the two all the same. A text of several sentences is read as one, to 4,096 tokens.",
        (
            "ostinato evaluate sentiment --bundle DIR --data sst2/dev.tsv",
            "ostinato evaluate sentiment --bundle DIR --data sst2/dev.tsv --variant hurried",
            "ostinato evaluate sentiment --bundle DIR --data sst2/dev.tsv --words 2000",
            "ostinato evaluate sentiment --bundle DIR --pairs",
        ),
    ),
    "tatoeba-en-fr": DataSetFacts(
        "Translates short everyday sentences from English to French.",
        "Apache-2.0; trained on Tatoeba sentences, CC BY 2.0 FR",
        "Tatoeba English-French pairs as published by manythings.org/anki, CC BY 2.0 FR. The split is by English "
        "sentence, case and punctuation aside: a held-out one keeps all its translations as references.",
        "Volunteers' phrase-book sentences, most under ten words, in which Tom does most things. Longer or technical "
        "text is beyond it. Gender, tu or vous are chosen by frequency where English leaves them open.",
        (
            *_greedy_and_beam("--data tatoeba/fra-eng.zip --split test"),
            "ostinato evaluate translation --bundle DIR --data tatoeba/fra-eng.zip --split test --variant hurried",
        ),
    ),
    "pydoc-topics": DataSetFacts(
        "Continues a text, character by character, in the manner of Python's documentation.",
        "Apache-2.0; trained on Python's documentation, PSF-2.0",
        "The topics of Python's own `pydoc`, which come with the interpreter.",
        "It imitates reference prose and knows nothing; made to show that training works.",
    ),
    "generated-sentiment": DataSetFacts(
        "Scores made-up sentences as negative or positive.",
        "Apache-2.0",
        "Sentences from a small grammar written in this project.",
        "It knows the grammar's few hundred words; made to show that training works.",
    ),
}


def describe(name: str) -> DataSetFacts:
    """What is known about a data set; something general about one that is not listed."""
    known = _KNOWN.get(name)
    if known is not None:
        return known
    pair = language_pair(name)
    if pair is not None or "translation" in name:
        codes = pair or ("en", "fr")
        source, target = (_LANGUAGES.get(code, code) for code in codes)
        if "multi30k" in name:
            sources, references = (f"multi30k/test_2016_flickr.{code}.gz" for code in codes)
            return DataSetFacts(
                f"Translates captions of photographs from {source} to {target}.",
                "of the data, for research and education: weights that learnt from it are not shipped",
                "Multi30k, task 1 (Elliott et al., 2016): captions of photographs of everyday scenes, translated by "
                "professionals. `val` selects the epoch, `test_2016_flickr` is only measured.",
                "One sentence in the present tense about people, dogs, clothes and sport; of anything else it makes a "
                "caption all the same. Captions guess at gender, age and origin from looks, and so does it.",
                _greedy_and_beam(f"--data {sources} --references {references}"),
            )
        return DataSetFacts(
            f"Translates sentences from {source} to {target}.",
            "Apache-2.0; see the data set for the terms of its text",
            f"`{name}`.",
            "It has seen sentences of one kind only and will fail on others.",
        )
    return DataSetFacts(
        f"A model trained on {name}.",
        "see the data set",
        f"`{name}`.",
        "Nothing is known about what the data favour.",
    )


def language_pair(name: str) -> tuple[str, str] | None:
    """The source and target language that end a data set's name: ``tatoeba-en-fr`` gives en and fr."""
    found = re.search(r"-([a-z]{2})-([a-z]{2})$", name)
    return (found[1], found[2]) if found else None
