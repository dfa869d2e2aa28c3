"""Looking at files before a library opens them: what they are, and what they would become in memory."""

from __future__ import annotations

import json
import math
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from ostinato_bundle.errors import BundleError

MAX_HEADER_BYTES = 1 << 20
"""A header of safetensors describes some tens of tensors in a few kilobytes."""

MAX_DIRECTORY_BYTES = 1 << 20
"""A directory of a zip archive takes about a hundred bytes for each of some tens of entries."""

MAX_EXPANSION = 4
EXPANSION_ALLOWANCE = 1 << 20
"""An archive may hold this many times its own size and this many bytes more: weights are stored as they are, and only
code is compressed."""

_ELEMENT_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_END = struct.Struct("<4s4H2LH")
_END64_PLACE = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")


def check_safetensors(path: Path) -> None:
    """Checks that a file is safetensors and holds exactly the tensors that its header describes.

    Source: the format's description in the safetensors project: a length, a JSON header, the tensors' bytes.

    Raises:
        BundleError: It is something else, a pickle for instance, or the header and the bytes do not agree.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        (length,) = struct.unpack("<Q", start) if len(start) == 8 else (0,)
        if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
            raise BundleError(path, f"is no safetensors file{_what_else(start)}")
        header = file.read(length)
    try:
        ends = [_tensor_end(entry) for name, entry in json.loads(header).items() if name != "__metadata__"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BundleError(path, f"is no safetensors file: its header cannot be read ({error})") from error
    if max(ends, default=0) != size - 8 - length:
        raise BundleError(path, f"holds {size - 8 - length} bytes of tensors, its header says {max(ends, default=0)}")


def _tensor_end(entry: dict[str, Any]) -> int:
    """Where a tensor's bytes end.

    Raises:
        ValueError: Its shape and its place do not agree.
    """
    begin, end = entry["data_offsets"]
    shape = entry["shape"]
    if any(not isinstance(size, int) or size < 0 for size in (begin, end, *shape)):
        raise ValueError("a size is no natural number")
    if end - begin != math.prod(shape) * _ELEMENT_BYTES[entry["dtype"]]:
        raise ValueError(f"a tensor of shape {shape} cannot have {end - begin} bytes")
    return int(end)


def check_torchscript(path: Path) -> None:
    """Checks that a file is a TorchScript archive that stays about as large when it is opened.

    Raises:
        BundleError: It is something else, a pickle for instance, or a small archive of something huge.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        directory = _directory_bytes(file, size)
        if directory is None:
            raise BundleError(path, f"is no TorchScript archive{_what_else(start)}")
        if directory > MAX_DIRECTORY_BYTES:
            raise BundleError(path, f"has a directory of {directory} bytes; at most {MAX_DIRECTORY_BYTES} are read")
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, UnicodeError, struct.error) as error:
            raise BundleError(path, f"is no archive that can be read: {error}") from error
    expanded, most = sum(entry.file_size for entry in entries), MAX_EXPANSION * size + EXPANSION_ALLOWANCE
    if expanded > most:
        raise BundleError(path, f"would unpack to {expanded} bytes; an archive of {size} may hold {most}")
    names = [entry.filename.partition("/")[2] for entry in entries]
    if "constants.pkl" not in names or not any(name.startswith("code/") for name in names):
        raise BundleError(path, "is an archive without TorchScript code, a pickle of weights perhaps")


def _directory_bytes(file: BinaryIO, size: int) -> int | None:
    """Bytes of a zip archive's directory, from the records at its end; nothing if there are none.

    Source: PKWARE's APPNOTE, 4.3.14 to 4.3.16; archives with a comment, which PyTorch does not write, are not read.
    """
    if size < _END.size:
        return None
    file.seek(size - _END.size)
    magic, *_, directory, _, _ = _END.unpack(file.read(_END.size))
    if magic != b"PK\5\6":
        return None
    if size >= _END.size + _END64_PLACE.size:
        file.seek(size - _END.size - _END64_PLACE.size)
        magic, _, place, _ = _END64_PLACE.unpack(file.read(_END64_PLACE.size))
        if magic == b"PK\6\7":
            file.seek(min(place, size))
            record = file.read(_END64.size)
            return int(_END64.unpack(record)[8]) if len(record) == _END64.size else None
    return int(directory)


def _what_else(start: bytes) -> str:
    """What a file seems to be that is not what it should be."""
    if start[:1] == b"\x80":
        return ": it begins as a pickle does"
    return ": it begins as a zip archive does" if start[:2] == b"PK" else ""
