"""Beam search, pure: which hypotheses survive a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ostinato_bundle.repetition import LONGEST, completes_repetition


@dataclass(frozen=True, slots=True)
class Link:
    """The newest token of a hypothesis and the hypothesis before it."""

    parent: Link | None
    token_id: int
    logprob: float
    attention: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A candidate translation.

    Attributes:
        last: Its newest token; none for the empty hypothesis.
        length: Tokens, the end of the sequence included.
        logprob: Sum of the tokens' log-probabilities in nats.
        ended: Whether it ends with the end of the sequence.
    """

    last: Link | None
    length: int
    logprob: float
    ended: bool

    def repeats(self, token: int) -> bool:
        """Whether a token completes what it has just said."""
        said: list[int] = []
        link = self.last
        while link is not None and len(said) < 2 * LONGEST:
            said.append(link.token_id)
            link = link.parent
        return completes_repetition(said[::-1], token)

    def links(self) -> list[Link]:
        """Its tokens from the first to the last."""
        links: list[Link] = []
        link = self.last
        while link is not None:
            links.append(link)
            link = link.parent
        return links[::-1]


@dataclass(frozen=True, slots=True)
class Survivors:
    """What the lanes of a beam go on with: the lane each continues, and the token it reads next."""

    sources: list[int]
    tokens: list[int]


class BeamSearch:
    """A beam of fixed width with the length normalisation of Wu et al. 2016, equation 14 (without coverage).

    Args:
        width: Hypotheses kept.
        end_id: The token that ends a hypothesis.
        max_tokens: The longest hypothesis, its end not counted.
        length_penalty: The exponent.
    """

    def __init__(self, width: int, end_id: int, max_tokens: int, length_penalty: float) -> None:
        self._width = width
        self._end_id = end_id
        self._max_tokens = max_tokens
        self._length_penalty = length_penalty
        # All lanes start equal; only the first may branch, or the beam would hold one hypothesis several times.
        self._live: list[Hypothesis | None] = [Hypothesis(None, 0, 0.0, False)] + [None] * (width - 1)
        self._ended: list[Hypothesis] = []

    def advance(
        self,
        top_tokens: NDArray[np.int64],
        top_logprobs: NDArray[np.float32],
        attention: NDArray[np.float32] | None,
    ) -> Survivors | None:
        """Extends every hypothesis by a token.

        Args:
            top_tokens: Shape (width, candidates), at least twice the width of candidates, most probable first.
            top_logprobs: Shape (width, candidates), in nats.
            attention: Shape (width, source).

        Returns:
            What the lanes go on with; none when the search is over.
        """
        scores = np.array([-np.inf if h is None else h.logprob for h in self._live])[:, None] + top_logprobs
        order = np.argsort(-scores, axis=None, kind="stable")
        live: list[tuple[Hypothesis, int, int]] = []
        considered = 0
        for flat in order:
            lane, candidate = divmod(int(flat), top_tokens.shape[1])
            parent = self._live[lane]
            if len(live) == self._width or considered == 2 * self._width:
                break
            if parent is None:
                continue
            token = int(top_tokens[lane, candidate])
            if parent.repeats(token):
                continue
            considered += 1
            row = None if attention is None else attention[lane].copy()
            link = Link(parent.last, token, float(top_logprobs[lane, candidate]), row)
            ended = token == self._end_id
            hypothesis = Hypothesis(link, parent.length + 1, float(scores[lane, candidate]), ended)
            if ended:
                self._ended.append(hypothesis)
            else:
                live.append((hypothesis, lane, token))
        missing = self._width - len(live)
        self._live = [hypothesis for hypothesis, _, _ in live] + [None] * missing
        if not live or self._is_over(live[0][0]):
            return None
        return Survivors(
            sources=[lane for _, lane, _ in live] + [0] * missing,
            tokens=[token for _, _, token in live] + [self._end_id] * missing,
        )

    def best(self) -> Hypothesis:
        """The hypothesis with the highest normalised score; one that has ended goes before one that has not."""
        candidates = self._ended or [hypothesis for hypothesis in self._live if hypothesis is not None]
        return max(candidates, key=self._normalised)

    def _is_over(self, best_live: Hypothesis) -> bool:
        if best_live.length >= self._max_tokens:
            return True
        if len(self._ended) < self._width:
            return False
        # Log-probabilities only fall, so this bounds what any live hypothesis can still reach.
        attainable = best_live.logprob / self._penalty(self._max_tokens)
        return attainable <= max(map(self._normalised, self._ended))

    def _normalised(self, hypothesis: Hypothesis) -> float:
        return hypothesis.logprob / self._penalty(hypothesis.length)

    def _penalty(self, length: int) -> float:
        return float(((5 + length) / 6) ** self._length_penalty)
