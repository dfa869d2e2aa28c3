"""Greedy and beam decoding over an exported step, many sentences at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ostinato_bundle import TokenizerFacts
from ostinato_bundle.repetition import completes_repetition
from ostinato_models.evaluation.batches import IntArray, batches_by_length
from ostinato_models.evaluation.result import ProgressReport, no_report
from ostinato_models.export.execution import Array, GraphRun

ROWS = 48
"""Hypotheses advanced in one call."""

SOURCE_STEP = 16
"""Sources are padded to a multiple of this, as the server pads them: a step's last bits then depend on nothing else."""

LENGTH_PENALTY = 0.6
"""Exponent of the length normalisation (Wu et al., 2016, equation 14), as the server has it by default."""


@dataclass(slots=True)
class _Beam:
    """The hypotheses of one sentence: tokens without the end, at most so many, and summed log-probability."""

    max_tokens: int
    live: list[tuple[list[int], float]]
    ended: list[tuple[list[int], float]] = field(default_factory=list)
    over: bool = False

    def best(self) -> list[int]:
        """Tokens of the hypothesis with the highest normalised score, without the end."""
        if self.ended:
            return max(self.ended, key=_of_ended)[0]
        return self.live[0][0]  # all equally long


def normalised(logprob: float, length: int) -> float:
    """A score that does not favour short hypotheses; the end counts as a token."""
    return float(logprob / ((5 + length) / 6) ** LENGTH_PENALTY)


def _of_ended(hypothesis: tuple[list[int], float]) -> float:
    tokens, logprob = hypothesis
    return normalised(logprob, len(tokens) + 1)


def translate(
    encoder: GraphRun,
    step: GraphRun,
    rows: Sequence[Sequence[int]],
    facts: TokenizerFacts,
    *,
    beam_size: int,
    max_tokens: Callable[[int], int],
    report: ProgressReport = no_report,
) -> list[list[int]]:
    """Translate sentences.

    Args:
        encoder: the ``encoder`` graph.
        step: the ``step`` graph.
        rows: source ids of every sentence, none empty.
        facts: says which tokens start and end a target.
        beam_size: hypotheses kept for each sentence; 1 is greedy.
        max_tokens: gives the longest target of a sentence for the number of its source ids.
        report: told about progress.

    Returns:
        Target ids of every sentence, without start and end.
    """
    results: list[list[int]] = [[] for _ in rows]
    done = 0
    for chosen, tokens, lengths in batches_by_length(rows, max(1, ROWS // beam_size)):
        padded = np.pad(tokens, ((0, 0), (0, -tokens.shape[1] % SOURCE_STEP)))
        encoded = encoder({"tokens": padded, "lengths": lengths})
        beams = _search(step, encoded, lengths, facts, beam_size, max_tokens)
        for row, beam in zip(chosen, beams, strict=True):
            results[row] = beam.best()
        done += len(chosen)
        report(done, len(rows))
    return results


def _search(
    step: GraphRun,
    encoded: Mapping[str, Array],
    lengths: IntArray,
    facts: TokenizerFacts,
    width: int,
    max_tokens: Callable[[int], int],
) -> list[_Beam]:
    """Advance every sentence's beam until all are over; row ``s · width + w`` is lane w of sentence s."""
    lanes = np.repeat(np.arange(len(lengths)), width)
    constants = {name: value[lanes] for name, value in encoded.items() if name.startswith("memory_")}
    constants["lengths"] = lengths[lanes]
    state = {
        name.removeprefix("next_"): value[lanes] for name, value in encoded.items() if name.startswith("next_state_")
    }
    token = np.full(len(lanes), facts.start_id)
    beams = [_Beam(max_tokens(int(length)), [([], 0.0)]) for length in lengths]
    while not all(beam.over for beam in beams):
        result = step({"token": token, **state, **constants})
        sources = np.arange(len(lanes))
        for index, beam in enumerate(beams):
            if beam.over:
                continue
            own = slice(index * width, (index + 1) * width)
            moves = _advance(beam, result["top_tokens"][own], result["top_logprobs"][own], width, facts.end_id)
            for lane, (source, chosen) in enumerate(moves):
                sources[index * width + lane] = index * width + source
                token[index * width + lane] = chosen
        state = {name: result[f"next_{name}"][sources] for name in state}
    return beams


def _advance(beam: _Beam, tokens: Array, logprobs: Array, width: int, end_id: int | None) -> list[tuple[int, int]]:
    """Extend a beam by a token; returns for each live lane the lane it continues and its token."""
    count = len(beam.live)
    scores = np.array([score for _, score in beam.live])[:, None] + logprobs[:count].astype(np.float64)
    live: list[tuple[list[int], float]] = []
    moves: list[tuple[int, int]] = []
    considered = 0
    for flat in np.argsort(-scores, axis=None, kind="stable"):
        if len(live) == width or considered == 2 * width:
            break
        lane, candidate = divmod(int(flat), logprobs.shape[1])
        token, score = int(tokens[lane, candidate]), float(scores[lane, candidate])
        if completes_repetition(beam.live[lane][0], token):
            continue
        considered += 1
        if token == end_id:
            beam.ended.append((beam.live[lane][0], score))
        else:
            live.append(([*beam.live[lane][0], token], score))
            moves.append((lane, token))
    beam.live = live
    attained = max(map(_of_ended, beam.ended), default=-np.inf)
    # Log-probabilities only fall, so a live hypothesis reaches at most its sum as a longest one.
    hopeless = len(beam.ended) >= width and normalised(live[0][1], beam.max_tokens) <= attained if live else True
    beam.over = hopeless or len(live[0][0]) >= beam.max_tokens
    return moves
