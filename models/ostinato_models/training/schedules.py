"""What changes as a training goes on, as pure functions of how far it is."""

from __future__ import annotations

import math


def learning_rate(*, peak: float, final_ratio: float, warmup_steps: int, step: int, progress: float) -> float:
    """Linear warm-up times cosine decay (Loshchilov & Hutter, 2017, equation 5).

    Args:
        peak: highest rate.
        final_ratio: share of the peak that is left at the end.
        warmup_steps: steps over which the rate rises from 0.
        step: updates made so far.
        progress: how far the whole training is, in [0, 1].

    Returns:
        The rate for the next update.
    """
    warm = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    decay = final_ratio + (1.0 - final_ratio) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))
    return peak * warm * decay


def teacher_forcing(*, initial: float, final: float, progress: float) -> float:
    """Chance of feeding the true token, linear from `initial` to `final` over the training."""
    return initial + (final - initial) * min(1.0, max(0.0, progress))
