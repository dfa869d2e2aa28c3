"""Reading an ONNX file that somebody else wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

from ostinato_models.adoption.errors import AdoptionError, reason
from ostinato_models.adoption.file_kinds import describe_file
from ostinato_models.adoption.float32 import computes_in_float16, has_weights_in, in_float32

OLDEST_OPSET = 13
"""From here on axes are inputs of Squeeze, Unsqueeze and ReduceSum, as the nodes of this project give them."""

LARGEST_BYTES = 2**31 - 1
"""What one protocol buffer message may have; a model with its weights is written as one."""

DYNAMIC_QUANTIZATION = (
    "its operators compute one scale from all values of a batch, so the result of a row depends on the rows beside it; "
    "export the float model, or quantise it statically, with a calibration set "
    "(onnxruntime.quantization.quantize_static)"
)
"""Why dynamically quantised models are not served, and what to do."""

_DYNAMICALLY_QUANTIZED = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul"})

_NOT_COMPUTED = {TensorProto.DOUBLE: "float64", TensorProto.BFLOAT16: "bfloat16"}
"""Types that ONNX Runtime has no recurrent operators of on the CPU."""

_SERVED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operators that ONNX Runtime has without a library of custom ones."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output as the file declares it.

    Attributes:
        name: its name.
        data_type: ``int64``, ``float32`` and so on.
        shape: a number where a size is fixed, its name (or ``?``) where it is not.
    """

    name: str
    data_type: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.name} ({self.data_type} [{', '.join(map(str, self.shape))}])"

    @property
    def dynamic(self) -> tuple[int, ...]:
        """The axes whose size is not fixed."""
        return tuple(axis for axis, size in enumerate(self.shape) if isinstance(size, str))


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A model with its weights, and what it takes and gives.

    Attributes:
        path: the file.
        model: the model; it computes in float32.
        inputs: what it takes.
        outputs: what it gives.
        half: the model as it is in the file, where it computes in float16.
    """

    path: Path
    model: onnx.ModelProto
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    half: onnx.ModelProto | None = None

    @property
    def opset(self) -> int:
        """Version of the standard operators."""
        return _opset(self.model)

    @property
    def by_dynamo(self) -> bool:
        """Whether torch's newer exporter wrote it, whose option for dynamic sizes has another name."""
        properties = [*self.model.graph.metadata_props, *self.model.metadata_props]
        properties += [entry for node in self.model.graph.node for entry in node.metadata_props]
        return any(entry.key.startswith("pkg.torch.") for entry in properties)

    @property
    def traits(self) -> frozenset[str]:
        """What of its structure may make steps differ from whole sequences."""
        nodes = list(_all_nodes(self.model))
        kinds = {node.op_type for node in nodes}
        weights = {tensor.name for tensor in self.model.graph.initializer}
        directions = {attribute.s for node in nodes for attribute in node.attribute if attribute.name == "direction"}
        found = {
            "bidirectional": bool(directions & {b"bidirectional", b"reverse"}),
            "attention": bool(kinds & {"Softmax", "Attention", "MultiHeadAttention"}),
            "convolution": "Conv" in kinds,
            "positions": bool(kinds & {"Range", "CumSum"})
            or any(node.op_type == "Slice" and node.input[0] in weights for node in nodes),
        }
        return frozenset(trait for trait, there in found.items() if there)


def read_onnx(path: Path) -> OnnxFile:
    """Read a model and its external data.

    Raises:
        AdoptionError: the file is missing, no ONNX, too old, too large, quantised dynamically, keeps tensors elsewhere
            than beside itself, or needs operators or types that ONNX Runtime does not have.
    """
    if not path.is_file():
        raise AdoptionError(path, ["there is no such file"])
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError:
        model = onnx.ModelProto()
    if not model.graph.node:
        described = describe_file(path)
        raise AdoptionError(path, [f"is not an ONNX model: it {described.what}"], described.remedy)
    problems = ["keeps weights as sparse tensors; store them dense"] if model.graph.sparse_initializer else []
    problems += [*_old(model), *_foreign_operators(model), *_quantized(model), *_misplaced(model, path.parent)]
    problems += [
        f"computes in {name}, which ONNX Runtime has no LSTM and GRU for; call model.float() before the export"
        for kind, name in _NOT_COMPUTED.items()
        if has_weights_in(model, kind)
    ]
    if problems:
        raise AdoptionError(path, problems)
    others = {location for tensor in _tensors(model.graph) if (location := _location(tensor)) is not None}
    size = sum(file.stat().st_size for file in (path, *(path.parent / name for name in others)))
    if size > LARGEST_BYTES:
        raise AdoptionError(path, [f"has {size} bytes with its weights; at most {LARGEST_BYTES} can be served"])
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
    except (ValueError, onnx.checker.ValidationError) as error:
        raise AdoptionError(path, [f"is no valid ONNX model: {reason(error)}"]) from error
    half = model if computes_in_float16(model) else None
    model = in_float32(model) if half is not None else model
    return OnnxFile(path, model, *ports(model), half)


def ports(model: onnx.ModelProto) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """What a model takes and gives."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return (
        tuple(_port(value) for value in model.graph.input if value.name not in constants),
        tuple(_port(value) for value in model.graph.output),
    )


def inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The bodies of a loop, a scan or a branch."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _old(model: onnx.ModelProto) -> Iterator[str]:
    version = _opset(model)
    if version < OLDEST_OPSET:
        yield (
            f"uses opset {version}; at least {OLDEST_OPSET} is needed: "
            "export it again with torch.onnx.export(..., opset_version=17), "
            "or convert it with onnx.version_converter.convert_version(model, 17)"
        )


def _opset(model: onnx.ModelProto) -> int:
    return next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)


def _foreign_operators(model: onnx.ModelProto) -> Iterator[str]:
    own = {(function.domain, function.name) for function in model.functions}
    foreign = {
        (node.domain, node.op_type)
        for node in _all_nodes(model)
        if node.domain not in _SERVED_DOMAINS and (node.domain, node.op_type) not in own
    }
    for domain, kind in sorted(foreign):
        yield f"needs the operator {kind} of the custom domain {domain}, which ONNX Runtime does not have"


def _quantized(model: onnx.ModelProto) -> Iterator[str]:
    kinds = sorted({node.op_type for node in _all_nodes(model)} & _DYNAMICALLY_QUANTIZED)
    if kinds:
        yield f"is quantised dynamically ({', '.join(kinds)}): {DYNAMIC_QUANTIZATION}"


def _misplaced(model: onnx.ModelProto, folder: Path) -> Iterator[str]:
    """External data must be beside the file: a name that leads elsewhere could read any file of the machine."""
    tensors = {location: tensor.name for tensor in _tensors(model.graph) if (location := _location(tensor)) is not None}
    for location, name in tensors.items():
        place = PurePosixPath(location)
        if not location or place.is_absolute() or ".." in place.parts or "\\" in location:
            yield f"tensor {name} lies in {location!r}, outside the model's folder"
        elif (folder / location).is_symlink() or not (folder / location).is_file():
            yield f"tensor {name} lies in {location!r}, which is no file beside the model"


def _location(tensor: TensorProto) -> str | None:
    if tensor.data_location != TensorProto.EXTERNAL:
        return None
    return str(next((entry.value for entry in tensor.external_data if entry.key == "location"), ""))


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of the graphs inside it."""
    for node in graph.node:
        yield node
        for inner in inner_graphs(node):
            yield from _nodes(inner)


def _all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a model and of the functions that it defines."""
    yield from _nodes(model.graph)
    for function in model.functions:
        yield from function.node


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """The constants of a graph and of the graphs inside it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
        for inner in inner_graphs(node):
            yield from _tensors(inner)


def _port(value: onnx.ValueInfoProto) -> Port:
    kind = value.type.tensor_type
    sizes = tuple(size.dim_value if size.HasField("dim_value") else size.dim_param or "?" for size in kind.shape.dim)
    data_type = helper.tensor_dtype_to_np_dtype(kind.elem_type).name if kind.elem_type else "no tensor"
    return Port(value.name, data_type, sizes)
