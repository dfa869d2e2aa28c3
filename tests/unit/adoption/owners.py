"""Language models as their owners write and export them: the signatures of torch's layers, and the usual mistakes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ostinato_models.adoption.vocabulary import AdoptedVocabulary, ReservedTokens, read_characters

LETTERS = "abcdefghijk"
SIZE, EMBEDDING, HIDDEN, LAYERS = len(LETTERS), 6, 8, 2
State = tuple[Tensor, Tensor]


class Network(nn.Module):
    """Embedding, recurrent layers and output, which the models below wire."""

    def __init__(self, kind: str = "LSTM", width: int = HIDDEN, **options: object) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.embedding = nn.Embedding(SIZE, EMBEDDING)
        self.rnn = getattr(nn, kind)(EMBEDDING, HIDDEN, LAYERS, **{"batch_first": True, **options})
        self.output = nn.Linear(width, SIZE)
        for weight in self.parameters():
            nn.init.normal_(weight, 0, 0.5)


class Flat(Network):
    def forward(self, tokens: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs, (h, c) = self.rnn(self.embedding(tokens), (h, c))
        return self.output(outputs), h, c


class CellFirst(Network):
    def forward(self, tokens: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs, (h, c) = self.rnn(self.embedding(tokens), (h, c))
        return self.output(outputs), c, h


class LastOnly(Network):
    def forward(self, tokens: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs, (h, c) = self.rnn(self.embedding(tokens), (h, c))
        return self.output(outputs[:, -1]), h, c


class Positional(Network):
    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(64, EMBEDDING))

    def forward(self, tokens: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs, (h, c) = self.rnn(self.embedding(tokens) + self.positions[: tokens.shape[1]], (h, c))
        return self.output(outputs), h, c


class Convolution(Network):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(EMBEDDING, EMBEDDING, 3, padding=2)

    def forward(self, tokens: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mixed = self.convolution(self.embedding(tokens).transpose(1, 2))[:, :, : tokens.shape[1]]
        outputs, (h, c) = self.rnn(mixed.transpose(1, 2), (h, c))
        return self.output(outputs), h, c


class Nested(Network):
    def forward(self, x: Tensor, hidden: State) -> tuple[Tensor, State]:
        outputs, hidden = self.rnn(self.embedding(x), hidden)
        return self.output(outputs), hidden


class OptionalNested(Network):
    def forward(self, x: Tensor, hidden: State | None = None, temperature: float = 1.0) -> tuple[Tensor, State]:
        outputs, following = self.rnn(self.embedding(x), hidden)
        return self.output(outputs) / temperature, following


class OptionalTensor(Network):
    def forward(self, x: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        outputs, following = self.rnn(self.embedding(x), hidden)
        return self.output(outputs), following


class Listed(Network):
    def forward(self, x: Tensor, hidden: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        outputs, (h, c) = self.rnn(self.embedding(x), (hidden[0], hidden[1]))
        return self.output(outputs), [h, c]


class WordModel(Network):
    """As torch's example of a word language model: the time first, logits of all tokens in one axis."""

    def __init__(self) -> None:
        super().__init__(batch_first=False)

    def forward(self, x: Tensor, hidden: State) -> tuple[Tensor, State]:
        outputs, hidden = self.rnn(self.embedding(x), hidden)
        return self.output(outputs).flatten(0, 1).log_softmax(1), hidden


class Cells(nn.Module):
    """A loop over cells, of two layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.embedding = nn.Embedding(SIZE, EMBEDDING)
        self.cell = nn.LSTMCell(EMBEDDING, HIDDEN)
        self.second = nn.GRUCell(HIDDEN, HIDDEN + 1)
        self.output = nn.Linear(HIDDEN + 1, SIZE)

    def forward(self, x: Tensor, first: State, second: Tensor) -> tuple[Tensor, tuple[State, Tensor]]:
        scores: list[Tensor] = []
        for time in range(x.size(1)):
            first = self.cell(self.embedding(x[:, time]), first)
            second = self.second(first[0], second)
            scores.append(self.output(second))
        return torch.stack(scores, 1), (first, second)


class Resetting(Network):
    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs, (h, c) = self.rnn(self.embedding(x))
        return self.output(outputs), h, c


class Stateless(Network):
    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.rnn(self.embedding(x))
        scores: Tensor = self.output(outputs)
        return scores


class WithLengths(Network):
    def forward(self, x: Tensor, lengths: Tensor, hidden: State) -> tuple[Tensor, State]:
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(x), lengths, batch_first=True, enforce_sorted=False)
        outputs, hidden = self.rnn(packed, hidden)
        padded, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
        return self.output(padded), hidden


class Dictionary(Network):
    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> dict[str, Tensor]:
        outputs, (h, c) = self.rnn(self.embedding(x), (h, c))
        return {"logits": self.output(outputs), "h": h, "c": c}


class LogitsLast(Network):
    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs, (h, c) = self.rnn(self.embedding(x), (h, c))
        return h, c, self.output(outputs)


class TokensLast(Network):
    def forward(self, h: Tensor, c: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs, (h, c) = self.rnn(self.embedding(x), (h, c))
        return self.output(outputs), h, c


class Noisy(Network):
    def forward(self, x: Tensor, hidden: State) -> tuple[Tensor, State]:
        outputs, hidden = self.rnn(self.embedding(x), hidden)
        return self.output(nn.functional.dropout(outputs, 0.5, True)), hidden


def letters(folder: Path) -> AdoptedVocabulary:
    (folder / "letters.txt").write_text("\n".join(LETTERS) + "\n")
    return read_characters(folder / "letters.txt", ReservedTokens())


def examples(rows: int = 2, length: int = 3, directions: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens (B, T), h and c."""
    state = torch.zeros(LAYERS * directions, rows, HIDDEN)
    return torch.zeros(rows, length, dtype=torch.long), state, state


def save_onnx(
    folder: Path,
    module: nn.Module,
    arguments: Sequence[Tensor],
    states: Sequence[str] = ("h", "c"),
    following: Sequence[str] = ("h_out", "c_out"),
    opset: int = 17,
    dynamic: bool = True,
) -> Path:
    """Export with the exporter that is based on TorchScript."""
    path = folder / "mine.onnx"
    batch = {name: {1: "batch"} for name in (*states, *following)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(arguments),
            path,
            dynamo=False,
            opset_version=opset,
            input_names=["tokens", *states],
            output_names=["logits", *following],
            dynamic_axes={name: {0: "batch", 1: "time"} for name in ("tokens", "logits")} | batch if dynamic else None,
        )
    return path


def save_script(folder: Path, module: nn.Module, example: tuple[object, ...] | None = None) -> Path:
    """Compile a module, or trace it where an example is given, and save it."""
    path = folder / "mine.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = (
            torch.jit.script(module.eval())
            if example is None
            else torch.jit.trace(module.eval(), example, check_trace=False, strict=False)  # type: ignore[no-untyped-call]
        )
        compiled.save(str(path))
    return path
