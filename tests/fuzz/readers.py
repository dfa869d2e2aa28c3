"""What reads bytes from outside: each either understands them or refuses them with the one error it may raise."""

from __future__ import annotations

import atexit
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from google.protobuf.message import DecodeError
from tests.bundles import build_tiny_repository
from tests.fuzz.rpcs import all_rpcs

from ostinato.inference import grpc_service_pb2 as inference
from ostinato_bundle import BundleError, Manifest, TokenizerFacts, read_manifest
from ostinato_bundle.formats import check_safetensors, check_torchscript
from ostinato_server.engine.request import GeneratedToken
from ostinato_server.errors import InvalidArgument
from ostinato_server.repository.codec import TextCodec
from ostinato_server.rpc.open_inference.tensors import read_tensors


@dataclass(frozen=True, slots=True)
class Reader:
    """Something that reads.

    Attributes:
        read: Reads, and raises what nobody foresaw.
        seeds: Makes what can be read, to begin from.
    """

    read: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]


def _manifest(data: bytes) -> None:
    path = _written(data)
    try:
        read = read_manifest(path)
    except BundleError as error:
        _one_line(error)
    else:
        assert Manifest.model_validate_json(read.model_dump_json()) == read


def _safetensors(data: bytes) -> None:
    try:
        check_safetensors(_written(data))
    except BundleError as error:
        _one_line(error)


def _torchscript(data: bytes) -> None:
    try:
        check_torchscript(_written(data))
    except BundleError as error:
        _one_line(error)


def _tokenizer(data: bytes) -> None:
    """A tokenizer's file; the library raises what it likes, and the loader refuses the bundle for any `Exception`."""
    for facts in _FACTS:
        try:
            codec = TextCodec(data, facts)
        except Exception:
            continue
        _round(codec, "The cat sat.")


def _text(data: bytes) -> None:
    """Any text, with the tokenizer of each kind of model."""
    text = data.decode(errors="ignore")
    for codec in _codecs():
        _round(codec, text)


def _tensors(data: bytes) -> None:
    try:
        request = inference.ModelInferRequest.FromString(data)
        tensors = read_tensors(request)
    except (DecodeError, InvalidArgument):
        return
    assert len(tensors) == len(request.inputs)


_FACTS = (
    TokenizerFacts(kind="character", vocabulary_size=100),
    TokenizerFacts(kind="word", vocabulary_size=100, unknown_id=0),
    TokenizerFacts(kind="subword", vocabulary_size=100, unknown_id=1, start_id=2),
)


def _round(codec: TextCodec, text: str) -> None:
    """Text to tokens and back."""
    missing = codec.missing(text)
    if missing is not None:  # the server refuses it
        assert missing in text
        return
    ids = codec.encode(text)
    assert 0 <= codec.unknown(ids) <= len(ids)
    stream = codec.text()
    sent = [token for index in ids for token in stream.push(GeneratedToken(index, "", 0.0))]
    sent += stream.flush()
    assert [token.token_id for token in sent] == ids
    assert all(isinstance(codec.piece(token), str) for token in ids)


def _one_line(error: BundleError) -> None:
    """What an operator reads."""
    assert str(error).isprintable(), str(error)
    assert len(str(error)) < 2000, len(str(error))


def _written(data: bytes) -> Path:
    path = _folder() / "file"
    path.write_bytes(data)
    return path


@cache
def _folder() -> Path:
    folder = Path(mkdtemp(prefix="ostinato-fuzz-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    return folder


@cache
def _repository() -> Path:
    return build_tiny_repository(_folder() / "repository")


@cache
def _codecs() -> tuple[TextCodec, ...]:
    return tuple(
        TextCodec((path.parent / "tokenizer.json").read_bytes(), read_manifest(path).tokenizer)
        for path in sorted(_repository().rglob("manifest.json"))
    )


def _small_safetensors() -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(16)


def _small_torchscript() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in ("m/constants.pkl", "m/code/m.py", "m/data.pkl"):
            archive.writestr(name, b"x" * 20)
    return content.getvalue()


READERS = {
    "manifest": Reader(_manifest, lambda: [path.read_bytes() for path in _repository().rglob("manifest.json")]),
    "safetensors": Reader(_safetensors, lambda: [_small_safetensors()]),
    "torchscript": Reader(_torchscript, lambda: [_small_torchscript()]),
    "tokenizer": Reader(_tokenizer, lambda: [path.read_bytes() for path in _repository().rglob("tokenizer.json")]),
    "text": Reader(_text, lambda: [b"The cat sat.", "\u00e9\u0301\U0001f469\u200d\U0001f467 \u202e".encode()]),
    "tensors": Reader(
        _tensors,
        lambda: [
            message.SerializeToString()
            for rpc in all_rpcs()
            if rpc.name == "ModelInfer"
            for conversation in rpc.conversations
            for message in conversation
        ],
    ),
}
