"""Holding a plain model that is stepped against itself on whole sequences, and why the two may differ.

A network that reads later tokens, or keeps something that is not among its states, can be stepped without an error, but
the steps are not what its owner's graph computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, permutations

import numpy as np

from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.pairing import fits
from ostinato_models.adoption.plain import PlainModel, States, distance
from ostinato_models.export.execution import Array

CASES = ((2, 3), (1, 7), (3, 2), (8, 16), (5, 33))
"""Rows and tokens of the sequences that are read in one call and in steps."""

MOST_PAIRINGS = 720
"""Other pairings of states that are tried, to explain a difference."""

SEED = 20_180_423


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a model's steps compare with its reading of whole sequences.

    Attributes:
        difference: the largest one of logits and states, relative to values above 1.
        cases: sequences that were compared; 0 where the model does not read several tokens.
        problem: why it does not; empty where it does.
    """

    difference: float
    cases: int
    problem: str = ""


def compare_sequences(plain: PlainModel, stepped: PlainModel, vocabulary: int) -> Comparison:
    """Read random sequences from a zero state in one call and in steps.

    Args:
        plain: the owner's model, which reads them in one call.
        stepped: what is stepped; another one than `plain` where that was cast.
        vocabulary: tokens in the vocabulary.

    Raises:
        AdoptionError: they differ by more than the limit; the message names the likely reason.
    """
    if not plain.reads_several:
        return Comparison(0.0, 0, "takes one token at a time")
    random = np.random.default_rng(SEED)
    largest, cases, problem = 0.0, 0, ""
    for rows, length in CASES:
        tokens = random.integers(0, vocabulary, (rows, length))
        try:
            whole = plain.read(tokens, plain.zeros(rows))
        except AdoptionError as error:  # a graph that was traced for one length may still be stepped
            problem = problem or error.problems[0]
            continue
        if _reads_one_token(plain, tokens):
            return Comparison(largest, cases, f"reads only one of {length} tokens")
        for quantity, difference in _differences(whole, stepped, tokens):
            if not difference <= plain.limit:
                what = (
                    f"read in one call, {quantity} of {rows} rows of {length} tokens differ by {difference:.2g} from "
                    f"those read token by token; at most {plain.limit:.2g} is allowed"
                )
                raise AdoptionError(plain.path, [what, _likely_reason(plain, stepped, tokens, vocabulary)])
            largest = max(largest, difference)
        cases += 1
    return Comparison(largest, cases, "" if cases else problem)


def _differences(whole: tuple[Array, States], stepped: PlainModel, tokens: Array) -> Iterator[tuple[str, float]]:
    """How far logits and each state are apart, by name."""
    logits, states = stepped_through(stepped, tokens)
    if whole[0].ndim == 2:
        logits = logits[:, -1]
    yield "logits", distance(logits, whole[0])
    for role, ours, theirs in zip(stepped.roles.states, states, whole[1], strict=True):
        yield f"the state {role.given.name}", distance(ours, theirs)


def stepped_through(plain: PlainModel, tokens: Array) -> tuple[Array, States]:
    """Read tokens (B, T) one at a time from a zero state: logits (B, T, V) and the last states."""
    states, logits = plain.zeros(len(tokens)), []
    for token in tokens.T:
        scores, states = plain.step(token, states)
        logits.append(scores)
    return np.stack(logits, axis=1), states


def _likely_reason(plain: PlainModel, stepped: PlainModel, tokens: Array, vocabulary: int) -> str:
    """What most likely makes the steps differ, told by measuring where that is possible."""
    return (
        _reads_later_tokens(plain, tokens, vocabulary)
        or _other_pairing(plain, stepped, tokens)
        or _unrolled(plain, tokens)
        or _structure(plain)
    )


def _reads_later_tokens(plain: PlainModel, tokens: Array, vocabulary: int) -> str:
    """Whether the last token of the first row has a part in earlier logits, or in other rows."""
    changed = tokens.copy()
    changed[0, -1] = (changed[0, -1] + 1) % vocabulary
    (before, _), (after, _) = (plain.read(value, plain.zeros(len(tokens))) for value in (tokens, changed))
    if len(tokens) > 1 and (leak := distance(before[1:], after[1:])) > plain.limit:
        return (
            f"likely reason: batch and time are exchanged, or rows see each other: a change of the first row changes "
            f"the logits of other rows by {leak:.2g}; try {_other_axes(plain)}"
        )
    if before.ndim == 3 and (leak := distance(before[:, :-1], after[:, :-1])) > plain.limit:
        kind = "it is bidirectional" if "bidirectional" in plain.traits else "it reads later tokens"
        return (
            f"likely reason: {kind}: a change of the last token changes the logits of earlier ones by {leak:.2g}. "
            "Text is generated from left to right: train and export a network that reads in one direction "
            "(bidirectional=False, causal attention and convolution)"
        )
    return ""


def _other_pairing(plain: PlainModel, stepped: PlainModel, tokens: Array) -> str:
    """Another pairing of states, of the same shapes, with which the steps agree."""
    whole = plain.read(tokens, plain.zeros(len(tokens)))
    found = {role.given.name: value for role, value in zip(plain.roles.states, whole[1], strict=True)}
    for states in islice(permutations(role.given for role in stepped.roles.states), 1, MOST_PAIRINGS):
        if not all(fits(role.taken, given) for role, given in zip(stepped.roles.states, states, strict=True)):
            continue
        roles = tuple(replace(role, given=given) for role, given in zip(stepped.roles.states, states, strict=True))
        other = replace(stepped, roles=replace(stepped.roles, states=roles))
        try:
            differences = [
                difference
                for _, difference in _differences((whole[0], [found[port.name] for port in states]), other, tokens)
            ]
        except AdoptionError:
            continue
        if max(differences) <= plain.limit:
            return _pairing_remedy({role.taken.name: role.given.name for role in roles}, stepped)
    return ""


def _pairing_remedy(pairs: Mapping[str, str], stepped: PlainModel) -> str:
    used = ", ".join(f"{role.taken.name} with {role.given.name}" for role in stepped.roles.states)
    agreeing = ", ".join(f"{taken} with {given}" for taken, given in pairs.items())
    remedy = (
        "let forward return the new states in the order of its arguments"
        if stepped.ordered
        else " ".join(f"--state {taken}={given}" for taken, given in pairs.items())
    )
    return f"likely reason: states paired wrongly ({used}); the steps agree with {agreeing}: {remedy}"


def _unrolled(plain: PlainModel, tokens: Array) -> str:
    """Whether it reads a fixed number of tokens, whatever it is given."""
    logits, _ = plain.read(tokens, plain.zeros(len(tokens)))
    if logits.ndim == 3 and logits.shape[1] != tokens.shape[1]:
        return (
            f"likely reason: of {tokens.shape[1]} tokens it gives the logits of {logits.shape[1]}: a loop over time "
            "was traced for one length; export with torch.jit.script, or loop inside nn.LSTM or nn.GRU"
        )
    return ""


def _reads_one_token(plain: PlainModel, tokens: Array) -> bool:
    """Whether all results are those of a single one of the tokens."""
    zeros = plain.zeros(len(tokens))
    logits, states = plain.read(tokens, zeros)
    for time in (0, -1):
        alone, following = plain.read(tokens[:, [time]], zeros)
        if logits.shape == alone.shape:
            results = zip([logits, *states], [alone, *following], strict=True)
            if all(distance(*pair) <= plain.limit for pair in results):
                return True
    return False


def _structure(plain: PlainModel) -> str:
    """Where measuring does not tell: what the graph is made of."""
    if "bidirectional" in plain.traits:
        return (
            "likely reason: it is bidirectional (a layer reads from the end); "
            "train and export a network that reads in one direction, bidirectional=False"
        )
    reasons = {
        "attention": "attention to earlier tokens of the call",
        "convolution": "a convolution over time",
        "positions": "the position in the call (a positional embedding)",
    }
    named = [text for trait, text in reasons.items() if trait in plain.traits]
    found = " or ".join(named or ["the position in the call, or something that it keeps between tokens"])
    return (
        f"likely reason: its results depend on {found}, which is not among its states; "
        "give it as a state (a counter, the earlier tokens) or leave it out"
    )


def _other_axes(plain: PlainModel) -> str:
    return "--time-first" if plain.roles.time_axis == 1 else "it without --time-first"
