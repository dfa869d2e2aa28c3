"""The text of Python's own help topics: a corpus that is already on every machine."""

from __future__ import annotations

import importlib

from ostinato_models.data.examples import CharacterCorpus

MAX_CHARACTERS = 200_000  # enough to learn words from, small enough for seconds of training


def load_pydoc_topics() -> CharacterCorpus:
    """Join the topics in alphabetical order; the last 10 % are for validation.

    The text differs between versions of Python, so it has no hash to check.
    """
    topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    text = "\n".join(topics[name] for name in sorted(topics))[:MAX_CHARACTERS]
    cut = len(text) * 9 // 10
    return CharacterCorpus("pydoc-topics", {}, text[:cut], text[cut:])
