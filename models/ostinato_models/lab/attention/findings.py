"""What attention found, said in sentences whose words follow from the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from ostinato_models.lab.attention.agreement import Agreement
from ostinato_models.lab.attention.lengths import LengthScore


def findings(scores: Sequence[LengthScore], agreement: Agreement) -> tuple[str, str, str]:
    """Three sentences: the two networks over all, by length, and attention against the aligner."""
    return say_overall(scores), say_lengths(scores), say_agreement(agreement)


def say_overall(scores: Sequence[LengthScore]) -> str:
    """Both networks on all sentences."""
    whole = scores[-1]
    gap = whole.attention - whole.fixed
    verdict = f"{abs(gap):.1f} {'more' if gap >= 0 else 'fewer'}"
    return (
        f"On all {whole.sentences:,} test sentences the network with attention reaches {whole.attention:.1f} BLEU, "
        f"{verdict} than the one whose decoder has only the encoder's last state ({whole.fixed:.1f})."
    )


def say_lengths(scores: Sequence[LengthScore]) -> str:
    """What each loses from the shortest to the longest sentences."""
    short, long = scores[0], scores[-2]
    return (
        f"From sources of {short.label} words to those of {long.label}, BLEU goes from {short.attention:.1f} to "
        f"{long.attention:.1f} with attention ({_change(short.attention, long.attention)}) and from "
        f"{short.fixed:.1f} to {long.fixed:.1f} without ({_change(short.fixed, long.fixed)}): a state of fixed size "
        + (
            "loses more the longer the sentence, and that is the bottleneck."
            if short.fixed - long.fixed > short.attention - long.attention
            else "shows no bottleneck at these lengths."
        )
    )


def say_agreement(agreement: Agreement) -> str:
    """Attention's largest weight against the aligner, the diagonal and chance."""
    better = agreement.attention > max(agreement.diagonal, agreement.chance)
    return (
        f"Attention was never told which word translates which, {'yet' if better else 'and'} it looks most at the "
        f"lexical aligner's word for {100 * agreement.attention:.0f} % of {agreement.words:,} target words; the word "
        f"at the same relative place would be right for {100 * agreement.diagonal:.0f} %, a blind guess for "
        f"{100 * agreement.chance:.0f} %."
    )


def _change(before: float, after: float) -> str:
    return f"{100 * (after - before) / before:+.0f} %" if before else "from nothing"
