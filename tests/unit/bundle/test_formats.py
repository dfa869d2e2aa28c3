"""What files claim to be, found out before a library opens them."""

from __future__ import annotations

import io
import json
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from ostinato_bundle import BundleError
from ostinato_bundle.formats import (
    EXPANSION_ALLOWANCE,
    MAX_DIRECTORY_BYTES,
    MAX_EXPANSION,
    MAX_HEADER_BYTES,
    check_safetensors,
    check_torchscript,
)

ENTRY = {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}


def safetensors(header: object, data: bytes = b"\0" * 4) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def archive(entries: dict[str, bytes], comment: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in entries.items():
            opened.writestr(name, content)
        opened.comment = comment
    return file.getvalue()


def torchscript(**entries: bytes) -> bytes:
    return archive(
        {"m/constants.pkl": b"", "m/code/m.py": b"pass", **{f"m/{name}": content for name, content in entries.items()}}
    )


def refusal(check: Callable[[Path], None], path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(BundleError) as refused:
        check(path)
    assert refused.value.path == path
    assert "\n" not in refused.value.reason
    return refused.value.reason


@given(st.dictionaries(st.text(min_size=1), st.lists(st.integers(0, 4), max_size=3)))
def test_what_the_library_writes_is_safetensors(
    tmp_path_factory: pytest.TempPathFactory, shapes: dict[str, list[int]]
) -> None:
    shapes.pop("__metadata__", None)
    path = tmp_path_factory.mktemp("f") / "weights.safetensors"
    path.write_bytes(save({name: np.zeros(shape, np.float16) for name, shape in shapes.items()}))
    check_safetensors(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps({"w": [1.0] * 100}), "is no safetensors file: it begins as a pickle does"),
        (torchscript(), "is no safetensors file: it begins as a zip archive does"),
        (b"", "is no safetensors file"),
        (b"\1\0", "is no safetensors file"),
        (struct.pack("<Q", MAX_HEADER_BYTES + 1) + b" " * (MAX_HEADER_BYTES + 2), "is no safetensors file"),
        (struct.pack("<Q", 100) + b"{}", "is no safetensors file"),
        (safetensors(b"[]"), "its header cannot be read"),
        (safetensors(b"{{"), "its header cannot be read"),
        (safetensors(b"[" * 200_000), "its header cannot be read"),
        (safetensors({"w": {**ENTRY, "shape": [3]}}), r"a tensor of shape \[3\] cannot have 4 bytes"),
        (safetensors({"w": {**ENTRY, "shape": [-1, -2]}}), "a size is no natural number"),
        (safetensors({"w": {**ENTRY, "dtype": "F1024"}}), "its header cannot be read"),
        (safetensors({"w": ENTRY}, b"\0" * 3), "holds 3 bytes of tensors, its header says 4"),
        (safetensors({"w": ENTRY}, b"\0" * 5), "holds 5 bytes of tensors, its header says 4"),
    ],
)
def test_what_is_no_safetensors_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    assert re.search(reason, refusal(check_safetensors, tmp_path / "weights.safetensors", content))


def test_archive_with_code_is_torchscript(tmp_path: Path) -> None:
    path = tmp_path / "step.torchscript.pt"
    path.write_bytes(torchscript(weights=b"w" * 1000))
    check_torchscript(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps({"w": [1.0] * 100}), "is no TorchScript archive: it begins as a pickle does"),
        (b"", "is no TorchScript archive"),
        (torchscript()[:-1], "is no TorchScript archive: it begins as a zip archive does"),
        (archive({"m/data.pkl": b"", "m/data/0": b""}), "is an archive without TorchScript code, a pickle of weights"),
        (archive({"m/constants.pkl": b"", "m/code/m.py": b""}, comment=b"hello"), "is no TorchScript archive"),
    ],
)
def test_what_is_no_torchscript_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    assert reason in refusal(check_torchscript, tmp_path / "step.torchscript.pt", content)


def test_small_archive_of_something_huge_is_refused(tmp_path: Path) -> None:
    bomb = torchscript(data=b"\0" * (8 << 20))
    assert len(bomb) < 1 << 16
    most = MAX_EXPANSION * len(bomb) + EXPANSION_ALLOWANCE
    reason = refusal(check_torchscript, tmp_path / "step.torchscript.pt", bomb)
    assert reason == f"would unpack to {(8 << 20) + 4} bytes; an archive of {len(bomb)} may hold {most}"


def test_directory_too_large_to_be_one_is_not_read(tmp_path: Path) -> None:
    crowd = archive({f"m/{number:0200}": b"" for number in range(MAX_DIRECTORY_BYTES // 200)})
    reason = refusal(check_torchscript, tmp_path / "step.torchscript.pt", crowd)
    assert reason.endswith(f"at most {MAX_DIRECTORY_BYTES} are read")


def test_directory_of_64_bits_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 1 << 40, 0)
    place = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 46, 0, 0)
    reason = refusal(check_torchscript, tmp_path / "step.torchscript.pt", record + place + end)
    assert reason == f"has a directory of {1 << 40} bytes; at most {MAX_DIRECTORY_BYTES} are read"
