"""What a translation never does: say at once again what it has just said.

A network that is lost repeats itself to its limit. No sentence needs three tokens or more twice in a row, so a token
that would complete such a repetition is passed over for the next most probable one, by the server and the evaluation
alike.
"""

from __future__ import annotations

from collections.abc import Sequence

SHORTEST, LONGEST = 3, 16
"""Tokens of what is said twice."""


def completes_repetition(tokens: Sequence[int], token: int) -> bool:
    """Whether `tokens`, followed by `token`, end with the same three to sixteen tokens twice in a row.

    >>> completes_repetition([7, 1, 2, 3, 1, 2], 3)
    True
    """
    count = len(tokens)
    for length in range(SHORTEST, min(LONGEST, (count + 1) // 2) + 1):
        if tokens[count - length] == token:
            start = count - 2 * length + 1
            if all(tokens[start + index] == tokens[start + length + index] for index in range(length - 1)):
                return True
    return False
