"""The reserved tokens, and the one edit that all tokenizers here share."""

from __future__ import annotations

import json

from tokenizers import Tokenizer

PAD, UNKNOWN, BEGIN, END = "<pad>", "<unk>", "<s>", "</s>"
PAD_ID, UNKNOWN_ID, BEGIN_ID, END_ID = 0, 1, 2, 3
"""Ids of the reserved tokens in the subword tokenizers (the character one reserves only 0)."""


def without_added_tokens(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer with its reserved tokens in the vocabulary only.

    An *added* token is matched inside the text, so that a user who types ``</s>`` would end the
    sentence. Without that list the reserved ids can only be set by the program.
    """
    described = json.loads(tokenizer.to_str())
    described["added_tokens"] = []
    return Tokenizer.from_str(json.dumps(described, ensure_ascii=False))
