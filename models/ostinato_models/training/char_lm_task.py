"""Character language modelling with truncated back-propagation through time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy

from ostinato_models.networks import CharLanguageModel
from ostinato_models.training.configuration import TrainingConfig

UNKNOWN_CHARACTER = 0
SAMPLE_CHARACTERS, SAMPLE_TEMPERATURE = 240, 0.8
VALID_STREAMS, VALID_STEPS = 16, 256  # wide enough to be quick, long enough to carry context


class CharLanguageModelTask:
    """Reads the text as parallel streams, a window at a time, and carries the state between.

    Truncated back-propagation through time (Williams & Peng, 1990): gradients flow over
    `bptt_steps` characters, while the state goes on, detached, through the whole stream.
    """

    def __init__(
        self,
        model: CharLanguageModel,
        tokenizer: Tokenizer,
        train_text: str,
        valid_text: str,
        config: TrainingConfig,
        device: torch.device,
    ) -> None:
        """Tokenize both texts; `model` is already on `device`."""
        self.model = model
        self._tokenizer = tokenizer
        self._config = config
        self._device = device
        self._train = torch.tensor(tokenizer.encode(train_text).ids)
        self._valid = torch.tensor(tokenizer.encode(valid_text).ids)
        self._streams = self._train
        self._state: tuple[Tensor, ...] | None = None

    def batches(self, epoch: int) -> Sequence[int]:
        """Window starts. Every epoch rotates the text, so that windows begin elsewhere."""
        generator = torch.Generator().manual_seed(self._config.seed * 1_000_003 + epoch)
        shift = int(torch.randint(len(self._train), (1,), generator=generator))
        self._streams = to_streams(self._train.roll(shift), self._config.batch_size)
        return range(0, self._streams.shape[1] - 1, self._config.bptt_steps)

    def begin_epoch(self) -> None:
        """Start every stream with an empty memory."""
        self._state = None

    def loss(self, batch: int, progress: float) -> tuple[Tensor, int]:
        """Mean nats per character of the windows that start at position `batch`."""
        del progress
        inputs, targets = window(self._streams, batch, self._config.bptt_steps)  # (B, T) each
        inputs, targets = inputs.to(self._device), targets.to(self._device)
        if self._config.unknown_rate:
            hidden = torch.rand(inputs.shape, device=self._device) < self._config.unknown_rate
            inputs = inputs.masked_fill(hidden, UNKNOWN_CHARACTER)
        logits, state = self.model(inputs, self._state)  # (B, T, V)
        self._state = tuple(part.detach() for part in state)
        return cross_entropy(logits.flatten(0, 1).float(), targets.flatten()), targets.numel()

    def carried(self) -> tuple[Tensor, ...]:
        """The streams' state."""
        return self._state or ()

    def restore(self, carried: tuple[Tensor, ...]) -> None:
        """Take up the streams' state."""
        self._state = carried or None

    def evaluate(self) -> dict[str, float]:
        """Nats per character of the validation text, read as a few long streams.

        A character that the training text lacks is read as unknown and is not scored: it was never a target.
        """
        streams = to_streams(self._valid, min(VALID_STREAMS, max(1, len(self._valid) // 64)))
        state, total, count = None, 0.0, 0
        for start in range(0, streams.shape[1] - 1, VALID_STEPS):
            inputs, targets = window(streams.to(self._device), start, VALID_STEPS)
            logits, state = self.model(inputs, state)
            total += float(
                cross_entropy(
                    logits.flatten(0, 1).float(),
                    targets.flatten(),
                    ignore_index=UNKNOWN_CHARACTER,
                    reduction="sum",
                )
            )
            count += int((targets != UNKNOWN_CHARACTER).sum())
        return {"valid_loss": total / count if count else math.inf}

    def score(self, measured: dict[str, float]) -> float:
        """Validation loss."""
        return measured["valid_loss"]

    def sample(self) -> list[str]:
        """Text the model writes after a newline, the same random numbers every time."""
        generator = torch.Generator().manual_seed(self._config.seed)
        newline = self._tokenizer.token_to_id("\n")
        token = UNKNOWN_CHARACTER if newline is None else newline
        ids: list[int] = []
        state = None
        for _ in range(SAMPLE_CHARACTERS):
            logits, state = self.model(torch.tensor([[token]], device=self._device), state)
            chances = (logits[0, -1].float().cpu() / SAMPLE_TEMPERATURE).softmax(dim=-1)
            token = int(torch.multinomial(chances, 1, generator=generator))
            ids.append(token)
        return self._tokenizer.decode(ids).split("\n")

    def report(self) -> dict[str, float]:
        """Nats per character of the validation text, and how many of its characters are unknown and not scored."""
        unknown = int((self._valid == UNKNOWN_CHARACTER).sum())
        return {"nats_per_char": self.evaluate()["valid_loss"], "unknown_tokens": unknown}


def to_streams(tokens: Tensor, count: int) -> Tensor:
    """Lay a text (N,) out as `count` streams read side by side, (count, N // count)."""
    length = len(tokens) // count
    return tokens[: count * length].view(count, length)


def window(streams: Tensor, start: int, steps: int) -> tuple[Tensor, Tensor]:
    """Up to `steps` inputs (B, T) from `start` on, and the characters that follow them (B, T)."""
    stop = min(start + steps, streams.shape[1] - 1)
    return streams[:, start:stop], streams[:, start + 1 : stop + 1]
