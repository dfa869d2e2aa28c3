"""What owners give by mistake: every file is told for what it is, and how to make one that fits."""

from __future__ import annotations

import gzip
import pickle
import re
import sys
import tarfile
import types
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from tests.unit.adoption.owners import Flat, Nested, examples, letters, save_script
from tests.unit.adoption.plain import Plain
from torch import nn

from ostinato_models.adoption.adopt import adopt_torchscript
from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.onnx_file import read_onnx
from ostinato_models.adoption.torchscript_file import read_torchscript


class Trap:
    """Would end the test if it were unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return sys.exit, ("unpickled",)


def zipped(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)


def half_a_module(path: Path) -> None:
    content = save_script(path.parent, Nested()).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def tarred(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("model.pt"))


def a_program(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(Flat().eval(), examples()), path)


CASES: list[tuple[str, Callable[[Path], object], str, str]] = [
    (
        "weights.pth",
        lambda path: torch.save(Nested().state_dict(), path),
        r"holds weights alone \(a state dict: embedding\.weight, rnn\.weight_ih_l0, .* and \d+ more\), not the code",
        r"torch\.load\('weights\.pth', map_location=\"cpu\", weights_only=True\)\)",
    ),
    (
        "old.pth",
        lambda path: torch.save(Nested().state_dict(), path, _use_new_zipfile_serialization=False),
        "holds weights alone",
        "load_state_dict",
    ),
    (
        "checkpoint.pt",
        lambda path: torch.save({"epoch": 3, "state_dict": Nested().state_dict()}, path),
        "holds weights alone",
        r"weights_only=True\)\['state_dict'\]\)",
    ),
    (
        "whole.pt",
        lambda path: torch.save(Nested(), path),
        r"is a whole module of \S+Nested",
        "only with a file that you",
    ),
    (
        "old-whole.pt",
        lambda path: torch.save(Nested(), path, _use_new_zipfile_serialization=False),
        r"is a whole module of \S+Nested",
        "weights_only=False",
    ),
    (
        "w.safetensors",
        lambda path: save_file(Nested().state_dict(), path),
        r"\(safetensors: embedding\.weight",
        "load_file",
    ),
    ("program.pt2", a_program, r"is a program of torch\.export", r"torch\.onnx\.export\(program"),
    ("trap.pt", lambda path: path.write_bytes(pickle.dumps(Trap())), "is a Python pickle of sys.exit", ""),
    (
        "trap.pth",
        lambda path: torch.save({"w": torch.zeros(2), "trap": Trap()}, path),
        "is a checkpoint .*sys.exit",
        "trust",
    ),
    ("m.keras", lambda path: zipped(path, config__json=b"{}", metadata__json=b"{}"), "is a Keras model", "tf2onnx"),
    ("m.h5", lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(90)), "is an HDF5 file, as Keras", "tf2onnx"),
    ("m.pb", lambda path: path.write_bytes(b"\x08\x01\x12\x10saved_model"), "is a TensorFlow graph", ""),
    ("m.tflite", lambda path: path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(90)), "is a TensorFlow Lite model", ""),
    ("m.npz", lambda path: np.savez(path, a=np.zeros(3)), r"holds arrays of NumPy \(a\.npy\)", ""),
    ("m.zip", lambda path: zipped(path, readme__txt=b"hello"), r"is a zip archive of readme\.txt, not a model", ""),
    ("n.zip", lambda path: zipped(path, model__onnx=b"x"), r"is a zip archive with model\.onnx; unpack it", ""),
    ("cut.pt", half_a_module, r"is an incomplete archive: .* missing after \d+ bytes; copy it again", ""),
    ("m.gz", lambda path: path.write_bytes(gzip.compress(b"x")), r"is compressed \(gzip\); unpack it", ""),
    ("m.tar", tarred, "is a tar archive; unpack it", ""),
    ("empty.pt", lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)", ""),
    ("lfs.pt", lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer", ""),
    ("page.pt", lambda path: path.write_text("<!DOCTYPE html><html>"), "is a web page", ""),
    ("text.pt", lambda path: path.write_text("\ufeffhello, world"), "is a text that starts with", ""),
    (
        "noise.pt",
        lambda path: path.write_bytes(bytes(range(128, 255))),
        r"is of no known kind \(127 bytes that start with 80",
        "",
    ),
]


@pytest.mark.parametrize(("name", "write", "what", "remedy"), CASES, ids=[case[0] for case in CASES])
def test_file_of_another_kind_is_named_without_unpickling_it(
    tmp_path: Path, name: str, write: Callable[[Path], object], what: str, remedy: str
) -> None:
    path = tmp_path / name
    write(path)
    for read, kind in (
        (lambda: read_torchscript(path, []), "a TorchScript module"),
        (lambda: read_onnx(path), "an ONNX model"),
    ):
        with pytest.raises(AdoptionError) as refused:
            read()
        (problem,) = refused.value.problems
        assert problem.startswith(f"is not {kind}: it ")
        assert re.search(what, problem), problem
        assert re.search(remedy, refused.value.remedy), refused.value.remedy
        assert bool(refused.value.remedy) == bool(remedy)
        assert "corrupted" not in str(refused.value)


def test_onnx_and_torchscript_files_are_sent_to_each_others_option(tmp_path: Path) -> None:
    with pytest.raises(
        AdoptionError, match=r"is not a TorchScript module: it is an ONNX model; give it by --from-onnx"
    ):
        read_torchscript(Plain().save(tmp_path), [])
    with pytest.raises(
        AdoptionError, match="is not an ONNX model: it is a TorchScript module; give it by --from-torch"
    ):
        read_onnx(save_script(tmp_path, Nested()))


def test_code_for_a_state_dict_makes_a_file_that_is_adopted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(Nested().state_dict(), tmp_path / "mine.pth")
    with pytest.raises(AdoptionError) as refused:
        read_torchscript(tmp_path / "mine.pth", [])
    owners = types.ModuleType("your_code")
    owners.YourModel = Nested  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "your_code", owners)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(refused.value.remedy, {})
    adopt_torchscript(read_torchscript(tmp_path / "mine-script.pt", []), letters(tmp_path))


def test_parameter_named_model_alone_is_a_state_dict(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(AdoptionError, match=r"holds weights alone \(a state dict: weight, bias\)"):
        read_torchscript(tmp_path / "linear.pth", [])


def test_empty_graph_is_not_a_model(tmp_path: Path) -> None:
    onnx.save(onnx.ModelProto(), tmp_path / "none.onnx")
    with pytest.raises(AdoptionError, match="is not an ONNX model: it is empty"):
        read_onnx(tmp_path / "none.onnx")
