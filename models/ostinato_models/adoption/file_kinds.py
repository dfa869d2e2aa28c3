"""What a file is that is not the kind of model it was given as, told by its first bytes and its table of contents.

Nothing in a file is run or unpickled to find out: a pickle is listed, opcode by opcode.
"""

from __future__ import annotations

import io
import json
import pickletools
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_HEAD = 512
_LARGEST_PICKLE = 1 << 26
_MANY = 3

_TORCH_MODULES = ("torch._utils", "torch.storage", "torch.serialization", "collections", "torch._tensor", "numpy")
"""Whose classes a file of tensors alone names, besides ``torch.FloatStorage`` and its like."""

_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "7-Zip",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"Rar!": "RAR",
}

_LOAD_WEIGHTS = 'torch.load({path!r}, map_location="cpu", weights_only=True)'
_LOAD_CHECKPOINT = 'torch.load({path!r}, map_location="cpu", weights_only=False)["state_dict"]  # runs code: trust it?'

_EXPORT = """\
torch.jit.script(model.eval()).save({out!r})  # forward(tokens, (h, c)) -> logits, (h, c)
"""

_FROM_WEIGHTS = """\
{imports}
from your_code import YourModel  # the class that was trained

model = YourModel()  # with the arguments that it was trained with
model.load_state_dict({load})
"""

_FROM_MODULE = """\
import torch
# Loading runs code that the file names: do it only with a file that you trust, where its class can be imported.
model = torch.load({path!r}, map_location="cpu", weights_only=False)
"""

_FROM_PROGRAM = """\
import torch

program = torch.export.load({path!r})  # exported with dynamic_shapes for batch and time
torch.onnx.export(program, f={out!r}, dynamo=True)  # needs the package onnxscript
"""

_FROM_KERAS = """\
import tf2onnx, tensorflow as tf  # the model takes its states and gives them: stateful=False, return_state=True

tf2onnx.convert.from_keras(tf.keras.models.load_model({path!r}), output_path={out!r})
"""


@dataclass(frozen=True, slots=True)
class Description:
    """What a file is.

    Attributes:
        what: the predicate of a sentence about the file.
        remedy: Python code that makes a file to adopt of it; empty where `what` says what to do.
    """

    what: str
    remedy: str = ""


def describe_file(path: Path) -> Description:
    """Tell what a file is, reading its beginning and, of an archive, the table of contents."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    size = path.stat().st_size
    if not head:
        return Description("is empty (0 bytes); export or copy it again")
    if head.startswith(b"PK"):
        return _archive(path, size)
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        with path.open("rb") as file:
            content = file.read(_LARGEST_PICKLE)
        return _pickled(path, _globals_of(content), _texts_of(content))
    return _by_signature(path, head, size)


def _by_signature(path: Path, head: bytes, size: int) -> Description:
    for magic, name in _COMPRESSED.items():
        if head.startswith(magic):
            return Description(f"is compressed ({name}); unpack it and give the model inside")
    if head[257:262] == b"ustar":
        return Description("is a tar archive; unpack it and give the model inside")
    if head.startswith(b"\x89HDF"):
        return Description("is an HDF5 file, as Keras writes; convert the model to ONNX", _keras(path))
    if head[4:8] == b"TFL3":
        return Description("is a TensorFlow Lite model; convert the original model to ONNX (tf2onnx)")
    if head.startswith(b"GGUF"):
        return Description("is a GGUF file, weights of a transformer; only recurrent models are served")
    if (names := _safetensors(head, path, size)) is not None:
        what = f"holds weights alone (safetensors: {_some(names)}), not the code that computes with them"
        imports = "import torch\nfrom safetensors.torch import load_file"
        return Description(what, _from_weights(path, f"load_file({path.name!r})", imports))
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if start.startswith(b"version https://git-lfs"):
        return Description("is a Git LFS pointer, not the file itself; fetch it with git lfs pull")
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return Description("is a web page or XML; the download failed or asked for a login: download the file again")
    if path.name.endswith(".pb"):
        return Description("is a TensorFlow graph; convert the model to ONNX: python -m tf2onnx.convert --saved-model")
    if _is_onnx(path):
        return Description("is an ONNX model; give it by --from-onnx")
    if b"\0" not in head and _is_text(head):
        return Description(
            f"is a text that starts with {head[:20].decode('utf-8', 'replace')!r}; give the model's file"
        )
    return Description(
        f"is of no known kind ({size} bytes that start with {head[:8].hex(' ')}), or was cut or changed when it was "
        "copied; export it again"
    )


def _archive(path: Path, size: int) -> Description:
    try:
        with zipfile.ZipFile(path) as archive:
            return _listed(path, archive)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError):
        return Description(
            f"is an incomplete archive: its table of contents is missing after {size} bytes; copy it again"
        )


def _listed(path: Path, archive: zipfile.ZipFile) -> Description:
    names = archive.namelist()
    ends = {name.rpartition("/")[2] for name in names}
    if any(name.endswith("/constants.pkl") for name in names):
        return Description("is a TorchScript module; give it by --from-torchscript")
    if {"serialized_exported_program.json", "archive_format"} & ends:
        out = path.with_suffix(".onnx").name
        return Description(
            "is a program of torch.export; export it to ONNX and give that by --from-onnx",
            _FROM_PROGRAM.format(path=path.name, out=out),
        )
    pickle = next((name for name in names if name.endswith("/data.pkl") or name == "data.pkl"), None)
    if pickle is not None and archive.getinfo(pickle).file_size <= _LARGEST_PICKLE:
        content = archive.read(pickle)
        return _pickled(path, _globals_of(content), _texts_of(content))
    if "model.weights.h5" in ends or {"config.json", "metadata.json"} <= ends:
        return Description("is a Keras model; convert it to ONNX and give that by --from-onnx", _keras(path))
    if names and all(name.endswith(".npy") for name in names):
        return Description(f"holds arrays of NumPy ({_some(names)}), weights without the code that computes with them")
    models = [name for name in names if name.endswith((".onnx", ".pt", ".pth", ".ts"))]
    if models:
        return Description(f"is a zip archive with {_some(models)}; unpack it and give the model inside")
    return Description(f"is a zip archive of {_some(names) or 'nothing'}, not a model; give the model's own file")


def _pickled(path: Path, named: Iterable[tuple[str, str]], texts: Sequence[str]) -> Description:
    """A file of `torch.save` or `pickle`, by the classes that it names and, where known, its texts."""
    classes = sorted(
        f"{module}.{name}"
        for module, name in set(named)
        if not (module in _TORCH_MODULES or module.startswith("numpy") or name.endswith(("Storage", "dtype")))
        and module not in ("torch", "builtins", "__builtin__")
    )
    if not any(module.startswith("torch") for module, _ in named):
        return Description(
            f"is a Python pickle{_of(classes)}, not a model; load it in the program that wrote it and export the model"
        )
    if not classes:
        weights = [text for text in texts if re.search(r"(^|\.)(weight|bias)(_\w+)?$", text)]
        inside = next((text for text in ("state_dict", "model_state_dict", "model") if text in texts), None)
        load = _LOAD_WEIGHTS.format(path=path.name) + (f"[{inside!r}]" if inside else "")
        what = "holds weights alone (a state dict" + (f": {_some(weights)}" if weights else "")
        return Description(f"{what}), not the code that computes with them", _from_weights(path, load))
    layers = [name for name in classes if name.startswith("torch.nn.")]
    if layers:
        own = [name for name in classes if not name.startswith("torch.")]
        return Description(
            f"is a whole module{_of(own or layers)}, pickled by torch.save; export it as TorchScript",
            _FROM_MODULE.format(path=path.name) + _EXPORT.format(out=_script_name(path)),
        )
    return Description(
        f"is a checkpoint of torch.save{_of(classes)}, not the code that computes with its weights",
        _from_weights(path, _LOAD_CHECKPOINT.format(path=path.name)),
    )


def _from_weights(path: Path, load: str, imports: str = "import torch") -> str:
    call, _, comment = load.partition("  #")
    code = _FROM_WEIGHTS.format(imports=imports, load=call).rstrip("\n")
    return f"{code}{comment and f'  #{comment}'}\n{_EXPORT.format(out=_script_name(path))}"


def _script_name(path: Path) -> str:
    return path.with_name(f"{path.stem}-script.pt").name


def _keras(path: Path) -> str:
    return _FROM_KERAS.format(path=path.name, out=path.with_suffix(".onnx").name)


def _opcodes(content: bytes) -> Iterator[tuple[str, object]]:
    """The opcodes of pickles, one pickle after another, and their arguments; nothing is loaded."""
    stream = io.BytesIO(content)
    try:
        while stream.tell() < len(content):
            for opcode, argument, _ in pickletools.genops(stream):
                yield opcode.name, argument
    except Exception:  # what follows is not a pickle: pickletools raises whatever its argument readers do
        return


def _globals_of(content: bytes) -> list[tuple[str, str]]:
    """Modules, and the classes and functions of them that pickles name."""
    found, texts = [], ["", ""]
    for opcode, argument in _opcodes(content):
        if opcode == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            found.append((module, name))
        elif opcode == "STACK_GLOBAL":
            found.append((texts[-2], texts[-1]))
        elif isinstance(argument, str):
            texts.append(argument)
    return found


def _texts_of(content: bytes) -> list[str]:
    return [argument for opcode, argument in _opcodes(content) if isinstance(argument, str) and opcode != "GLOBAL"]


def _safetensors(head: bytes, path: Path, size: int) -> list[str] | None:
    """The names of a safetensors file's tensors."""
    length = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{" or length > min(size, _LARGEST_PICKLE):
        return None
    with path.open("rb") as file:
        file.seek(8)
        try:
            described = json.loads(file.read(length))
        except ValueError:
            return None
    return [name for name in described if name != "__metadata__"]


def _is_onnx(path: Path) -> bool:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return bool(onnx.load(path, load_external_data=False).graph.node)
    except DecodeError:
        return False


def _is_text(head: bytes) -> bool:
    try:
        head[: _HEAD - 4].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _of(classes: Sequence[str]) -> str:
    return f" of {_some(classes)}" if classes else ""


def _some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _MANY
    return ", ".join(names[:_MANY]) + (f" and {more} more" if more > 0 else "")
