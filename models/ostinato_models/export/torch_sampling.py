"""Choosing the next token in TorchScript: the same rule as `ostinato_models.export.sampling`."""

from __future__ import annotations

import torch
from torch import Tensor


def rank(logits: Tensor, first: int, count: int) -> tuple[Tensor, Tensor]:
    """Log-probabilities and ids (B, count) of the tokens from `first` on, most probable first, then lowest id first."""
    logprobs = torch.log_softmax(logits[:, first:], dim=1)
    order = torch.arange(logprobs.size(1), device=logits.device).expand(logprobs.size(0), -1)
    if count < logprobs.size(1):  # sorting thousands of tokens would take longer than the rest of a step
        logprobs, order = logprobs.topk(count, dim=1)
        order, by_id = order.sort(dim=1)
        logprobs = logprobs.gather(1, by_id)
    logprobs, by_value = logprobs.sort(dim=1, descending=True, stable=True)
    return logprobs, order.gather(1, by_value) + first


def sample(logprobs: Tensor, temperature: Tensor, top_k: Tensor, top_p: Tensor, uniform: Tensor) -> Tensor:
    """Draw a rank, int64 (B, 1), from sorted log-probabilities (B, V); the other arguments are (B,)."""
    size = logprobs.size(1)
    greedy = (temperature == 0).unsqueeze(1)
    divisor = torch.where(greedy, torch.ones_like(logprobs[:, :1]), temperature.unsqueeze(1))
    mass = torch.softmax(logprobs / divisor, dim=1).cumsum(dim=1)
    # Rank i is in the nucleus when the mass before it is below top_p; at 1 nothing may be lost to rounding.
    bound = torch.where(top_p < 1, top_p, torch.full_like(top_p, 2.0)).unsqueeze(1)
    kept = (mass < bound).sum(dim=1, keepdim=True) + 1
    asked = torch.where(top_k > 0, top_k, torch.full_like(top_k, size)).unsqueeze(1)
    kept = torch.minimum(kept, asked).clamp(max=size)
    kept = torch.where(greedy, torch.ones_like(kept), kept)
    target = uniform.unsqueeze(1) * mass.gather(1, kept - 1)
    return torch.minimum((mass <= target).sum(dim=1, keepdim=True), kept - 1)
