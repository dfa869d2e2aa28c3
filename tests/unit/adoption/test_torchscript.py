"""A TorchScript module as its owner saves it, brought to the step contract."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ostinato_bundle import open_bundle
from ostinato_models.adoption.adopt import Adopted, adopt_torchscript
from ostinato_models.adoption.bundle import Statement, write_adopted
from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.torchscript_file import read_torchscript
from ostinato_models.adoption.torchscript_structure import Shape
from ostinato_models.adoption.vocabulary import AdoptedVocabulary, ReservedTokens, read_characters
from ostinato_models.export.writer import Target

LETTERS = "abcdefghijk"


class Lstm(nn.Module):
    def __init__(self, batch_first: bool = True) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS), 4)
        self.lstm = nn.LSTM(4, 8, 2, batch_first=batch_first)
        self.output = nn.Linear(8, len(LETTERS))

    def forward(self, tokens: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs, (h, c) = self.lstm(self.embedding(tokens), (h, c))
        return self.output(outputs), h, c


class Leaky(nn.Module):
    """A running mean of the last tokens of calls, without torch's layers; rows see each other where `leak` is set."""

    def __init__(self, leak: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS), len(LETTERS))
        self.leak = leak

    def forward(self, tokens: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        memory = 0.5 * memory + self.embedding(tokens[:, -1])
        logits = memory - memory.mean(dim=0) if self.leak else memory
        return logits, memory


class Alone(Leaky):
    def forward(self, tokens: Tensor, memory: Tensor) -> Tensor:  # type: ignore[override]
        read: Tensor = self.embedding(tokens)
        return memory + read.mean(dim=1)


def saved(folder: Path, module: nn.Module) -> Path:
    path = folder / "mine.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(module.eval()).save(str(path))  # type: ignore[no-untyped-call]
    return path


def adopted(folder: Path, module: nn.Module, *shapes: Shape) -> Adopted:
    torch.manual_seed(3)
    return adopt_torchscript(read_torchscript(saved(folder, module), shapes), letters(folder))


def letters(folder: Path) -> AdoptedVocabulary:
    (folder / "letters.txt").write_text("\n".join(LETTERS) + "\n")
    return read_characters(folder / "letters.txt", ReservedTokens())


def test_states_are_told_by_torchs_own_layers(tmp_path: Path) -> None:
    found = adopted(tmp_path, Lstm())
    assert [tensor.shape for tensor in found.graphs["step"][1].inputs[1:3]] == [(-1, 2, 8), (-1, 2, 8)]
    assert found.row_difference <= 1e-6
    folder = write_adopted(found, Target(tmp_path / "repository", "mine"), Statement("d", "l", "c"))
    manifest = open_bundle(folder).manifest
    assert manifest.artifacts() == {"torchscript"}
    assert {row.file for row in manifest.parity} == {"step.torchscript.pt"}
    assert "log-probabilities (nats)" in {row.what for row in manifest.parity}


def test_time_may_come_first(tmp_path: Path) -> None:
    file = read_torchscript(saved(tmp_path, Lstm(batch_first=False)), [])
    with pytest.raises(AdoptionError, match="cannot step a batch of 5 rows"):
        adopt_torchscript(file, letters(tmp_path))
    found = adopt_torchscript(file, letters(tmp_path), time_first=True)
    assert [tensor.shape for tensor in found.graphs["step"][1].inputs[1:3]] == [(-1, 2, 8), (-1, 2, 8)]


def test_other_states_are_told_by_their_shapes(tmp_path: Path) -> None:
    with pytest.raises(AdoptionError, match="give one --state-shape 2,batch,512 for each state"):
        adopted(tmp_path, Leaky(leak=False))
    found = adopted(tmp_path, Leaky(leak=False), ("batch", 11))
    assert found.graphs["step"][1].inputs[1].shape == (-1, 11)
    assert found.roles is not None
    assert found.roles.states[0].batch_axis == 0


@pytest.mark.parametrize(
    ("module", "shapes", "problem"),
    [
        (Lstm(), [(2, "batch", 9), (2, "batch", 8)], r"cannot step a batch of 5 rows: .*Expected hidden\[0\] size"),
        (Lstm(), [(2, "batch", 8)], r"has 2 states \(h, c\), but 1 shapes are given"),
        # Which output tells depends on the tokens that the random weights draw.
        (Leaky(leak=True), [("batch", 11)], "rows see each other: output (logprob|top_logprobs) of the same row"),
        (Alone(leak=False), [("batch", 11)], r"expected 2 results, logits and memory, found 1 of shapes \[5, 11\]"),
    ],
)
def test_modules_that_do_not_fit_are_refused(
    tmp_path: Path, module: nn.Module, shapes: list[Shape], problem: str
) -> None:
    with pytest.raises(AdoptionError, match=problem):
        adopted(tmp_path, module, *shapes)


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.pt").write_bytes(b"something else")
    with pytest.raises(AdoptionError, match="is not a TorchScript module: it is a text"):
        read_torchscript(tmp_path / "other.pt", [])
    with pytest.raises(AdoptionError, match="there is no such file"):
        read_torchscript(tmp_path / "none.pt", [])
