"""From somebody's ONNX file and vocabulary to a bundle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import onnx

from ostinato_bundle import Artifact, Graph, Limits, Manifest, Parity, Provenance, file_sha256
from ostinato_models.adoption.card import adopted_card
from ostinato_models.adoption.casting import with_wide_integers
from ostinato_models.adoption.contract import follows_step_contract, step_signature
from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.onnx_file import OnnxFile, first_line, read_onnx
from ostinato_models.adoption.parity import compare_with_plain
from ostinato_models.adoption.roles import NamedRoles, Roles, find_roles
from ostinato_models.adoption.trial import BATCHES, ROUNDING, try_prefill, try_step
from ostinato_models.adoption.vocabulary import AdoptedVocabulary
from ostinato_models.adoption.wrapping import prefill_around, step_around
from ostinato_models.export.differences import Differences
from ostinato_models.export.execution import GraphRun, open_outputs
from ostinato_models.export.sampling import ALTERNATIVES
from ostinato_models.export.shared_tensors import save_graphs
from ostinato_models.export.signatures import Signature
from ostinato_models.export.writer import UNKNOWN, Target, place_bundle, write_manifest

ARTIFACT: Artifact = "onnx"
IN_ONE_CALL = "in one call"
MAX_INPUT, MAX_NEW_TOKENS = 4096, 10_000
"""Those of the shipped language model: a recurrent state does not grow, so nothing in the graph sets a limit."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What the owner says of the model, for the manifest and the card."""

    description: str
    license: str
    command: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """A model brought to the step contract, and what was found on the way.

    Attributes:
        file: the owner's file.
        vocabulary: how text becomes tokens.
        roles: which of its tensors is which; none where it followed the contract already.
        graphs: the graphs to serve, by name, and what each takes and gives.
        prompts: how they are read, and why not in one call.
        row_difference: the largest one between a row alone and in a batch; 0 when every bit is the same.
        parity: how far the step is from the owner's graph, and a row from itself in a batch.
    """

    file: OnnxFile
    vocabulary: AdoptedVocabulary
    roles: Roles | None
    graphs: Mapping[str, tuple[onnx.ModelProto, Signature]]
    prompts: str
    row_difference: float
    parity: tuple[Parity, ...]

    @property
    def operators(self) -> Mapping[str, int]:
        """How often each recurrent operator occurs in the owner's graph."""
        kinds = Counter(node.op_type for node in self.file.model.graph.node)
        return {kind: kinds[kind] for kind in ("LSTM", "GRU", "RNN", "Scan", "Loop") if kinds[kind]}


def adopt(path: Path, vocabulary: AdoptedVocabulary, named: NamedRoles) -> Adopted:
    """Read an ONNX file, bring it to the step contract, and try it.

    A prompt is read in one call only where that gives every bit of reading it in steps: a broken stream is taken up by
    reading its own text, and must go on as it would have.

    Args:
        path: a step that follows the contract, or a plain model.
        vocabulary: how text becomes tokens.
        named: what a person said of a plain model's tensors.

    Raises:
        AdoptionError: something does not fit; the message tells what was expected and what was found.
        ParityError: the step's numbers are too far from the owner's graph.
    """
    file = read_onnx(path)
    size = vocabulary.facts.vocabulary_size
    differences = Differences(ARTIFACT)
    if follows_step_contract(file):
        if named != NamedRoles():
            raise AdoptionError(
                path, ["follows the step contract, which names every tensor; nothing is left to be said"]
            )
        roles, signature = None, step_signature(file)
        model = with_wide_integers(file, signature)
    else:
        roles = find_roles(path, file.inputs, file.outputs, size, named)
        model, signature = step_around(file.model, roles, vocabulary)
    step = _open(path, model, [tensor.name for tensor in signature.outputs])
    row_difference = try_step(path, step, signature, size)
    if roles is not None:
        plain = _open(path, file.model, [roles.logits.name, *(role.given.name for role in roles.states)])
        compare_with_plain(file, plain, roles, vocabulary, step, differences)
    graphs = {"step": (model, signature)}
    prefill = None if roles is None else prefill_around(file.model, roles)
    prompts = "step by step: it takes one token at a time"
    if prefill is not None:
        prompts = _prompts(path, step, prefill, size)
        if prompts == IN_ONE_CALL:
            graphs["prefill"] = prefill
    alone = Parity(
        file="step.onnx",
        max_abs_difference=row_difference,
        tolerance=ROUNDING,
        cases=len(BATCHES),
        what="a row alone and the same row in a batch",
    )
    return Adopted(file, vocabulary, roles, graphs, prompts, row_difference, (*differences.records(), alone))


def _prompts(path: Path, step: GraphRun, prefill: tuple[onnx.ModelProto, Signature], vocabulary: int) -> str:
    """How prompts are to be read, and why not in one call."""
    model, signature = prefill
    try:
        read = _open(path, model, [tensor.name for tensor in signature.outputs])
        difference = try_prefill(path, step, read, signature, vocabulary)
    except AdoptionError as error:  # a graph that was traced for one length may still be stepped
        return f"step by step: in one call it {error.problems[0]}"
    return IN_ONE_CALL if difference == 0 else f"step by step: in one call the state is off by {difference:.2g}"


def write_adopted(adopted: Adopted, target: Target, statement: Statement) -> Path:
    """Write the bundle: graphs, tokenizer, card, and the manifest last.

    Returns:
        The bundle's folder.

    Raises:
        ExportError: the name is none that can be served, or the bundle cannot be written.
    """

    def fill(folder: Path) -> None:
        (folder / "tokenizer.json").write_text(adopted.vocabulary.tokenizer, encoding="utf-8")
        models = {folder / f"{name}.onnx": model for name, (model, _) in adopted.graphs.items()}
        save_graphs(models, folder / "tensors.bin")
        manifest = describe_adopted(adopted, target, statement)
        write_manifest(folder, manifest, adopted_card(manifest, adopted.row_difference, adopted.prompts))

    return place_bundle(target, fill)


def describe_adopted(adopted: Adopted, target: Target, statement: Statement) -> Manifest:
    """The bundle's manifest, but for the hashes of its files."""
    step = adopted.graphs["step"][1]
    widths = [tensor.shape[1] for tensor in step.outputs if tensor.name == "top_tokens"]
    path = adopted.file.path
    return Manifest(
        format_version=1,
        name=target.name,
        version=target.version,
        task="generation",
        description=statement.description,
        license=statement.license,
        architecture={
            "network": "adopted",
            "source": path.name,
            "source_sha256": file_sha256(path),
            "opset": adopted.file.opset,
            **adopted.operators,
        },
        tokenizer=adopted.vocabulary.facts,
        limits=Limits(
            max_text_characters=MAX_INPUT,
            max_input_tokens=MAX_INPUT,
            max_new_tokens=MAX_NEW_TOKENS,
            max_alternatives=min([ALTERNATIVES, *widths]) if widths else 0,
        ),
        graphs={
            name: Graph(inputs=signature.inputs, outputs=signature.outputs, artifacts={ARTIFACT: f"{name}.onnx"})
            for name, (_, signature) in adopted.graphs.items()
        },
        parity=adopted.parity,
        provenance=Provenance(
            command=statement.command,
            data_sets={},
            libraries={name: version(name) for name in ("onnx", "onnxruntime")},
        ),
        files=dict.fromkeys(["tokenizer.json", *(f"{name}.onnx" for name in adopted.graphs)], UNKNOWN),
    )


def _open(path: Path, model: onnx.ModelProto, outputs: Sequence[str]) -> GraphRun:
    try:
        return open_outputs(model.SerializeToString(), outputs)
    except Exception as error:  # ONNX Runtime has an exception class for each status, without a common base
        raise AdoptionError(path, [f"ONNX Runtime does not open it: {first_line(error)}"]) from error
