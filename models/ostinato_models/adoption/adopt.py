"""From somebody's model and vocabulary to graphs that the server can step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch

from ostinato_bundle import Artifact, Parity
from ostinato_models.adoption.contract import follows_step_contract, step_signature
from ostinato_models.adoption.errors import AdoptionError, reason
from ostinato_models.adoption.inclusion import with_wide_integers
from ostinato_models.adoption.onnx_file import read_onnx
from ostinato_models.adoption.parity import check_plain, compare_with_plain
from ostinato_models.adoption.roles import NamedRoles, Roles, find_roles
from ostinato_models.adoption.torchscript_file import TorchScriptFile
from ostinato_models.adoption.torchscript_wrapping import module_prefill_around, module_step_around
from ostinato_models.adoption.trial import BATCHES, ROUNDING, try_prefill, try_step
from ostinato_models.adoption.vocabulary import AdoptedVocabulary
from ostinato_models.adoption.wrapping import prefill_around, step_around
from ostinato_models.export.differences import Differences
from ostinato_models.export.execution import GraphRun, open_outputs, run_module
from ostinato_models.export.signatures import Signature

IN_ONE_CALL = "in one call"
AdoptedGraph = onnx.ModelProto | torch.jit.ScriptModule


@dataclass(frozen=True, slots=True)
class Adopted:
    """A model brought to the step contract, and what was found on the way.

    Attributes:
        path: the owner's file.
        artifact: what the graphs are.
        facts: what is known of the network, for the manifest.
        vocabulary: how text becomes tokens.
        roles: which of its tensors is which; none where it followed the contract already.
        graphs: the graphs to serve, by name, and what each takes and gives.
        prompts: how they are read, and why not in one call.
        row_difference: the largest one between a row alone and in a batch; 0 when every bit is the same.
        parity: how far the step is from the owner's graph, and a row from itself in a batch.
    """

    path: Path
    artifact: Artifact
    facts: Mapping[str, str | int]
    vocabulary: AdoptedVocabulary
    roles: Roles | None
    graphs: Mapping[str, tuple[AdoptedGraph, Signature]]
    prompts: str
    row_difference: float
    parity: tuple[Parity, ...]

    def file_name(self, graph: str) -> str:
        """The file of a graph in the bundle."""
        return file_name(graph, self.artifact)


def file_name(graph: str, artifact: Artifact) -> str:
    """The file of a graph in a bundle."""
    return f"{graph}.torchscript.pt" if artifact == "torchscript" else f"{graph}.onnx"


def adopt_onnx(path: Path, vocabulary: AdoptedVocabulary, named: NamedRoles) -> Adopted:
    """Read an ONNX file, bring it to the step contract, and try it.

    Args:
        path: a step that follows the contract, or a plain model.
        vocabulary: how text becomes tokens.
        named: what a person said of a plain model's tensors.

    Raises:
        AdoptionError: something does not fit; the message tells what was expected and what was found.
        ParityError: the step's numbers are too far from the owner's graph.
    """
    file = read_onnx(path)
    kinds = Counter(node.op_type for node in file.model.graph.node)
    recurrent = {kind: kinds[kind] for kind in ("LSTM", "GRU", "RNN", "Scan", "Loop") if kinds[kind]}
    facts: dict[str, str | int] = {"network": "adopted ONNX graph", "opset": file.opset, **recurrent}
    if follows_step_contract(file):
        if named != NamedRoles():
            raise AdoptionError(
                path, ["follows the step contract, which names every tensor; nothing is left to be said"]
            )
        signature = step_signature(file)
        step = with_wide_integers(file, signature), signature
        return _tried(path, "onnx", facts, vocabulary, None, None, step, None)
    roles = find_roles(path, file.inputs, file.outputs, vocabulary.facts.vocabulary_size, named)
    plain = _open(path, file.model, [roles.logits.name, *(role.given.name for role in roles.states)])
    check_plain(path, plain, roles, vocabulary.facts.vocabulary_size)
    step, prefill = step_around(file.model, roles, vocabulary), prefill_around(file.model, roles)
    return _tried(path, "onnx", facts, vocabulary, roles, plain, step, prefill)


def adopt_torchscript(file: TorchScriptFile, vocabulary: AdoptedVocabulary, *, time_first: bool = False) -> Adopted:
    """Bring a TorchScript module to the step contract, and try it.

    Args:
        file: a plain model.
        vocabulary: how text becomes tokens.
        time_first: whether its tokens are (T, B).

    Raises:
        AdoptionError: something does not fit; the message tells what was expected and what was found.
        ParityError: the step's numbers are too far from the owner's module.
    """
    roles = file.roles(vocabulary.facts.vocabulary_size, time_first)
    check_plain(file.path, file.run, roles, vocabulary.facts.vocabulary_size)
    step, prefill = module_step_around(file.module, roles, vocabulary), module_prefill_around(file.module, roles)
    facts = {"network": "adopted TorchScript module"}
    return _tried(file.path, "torchscript", facts, vocabulary, roles, file.run, step, prefill)


def _tried(
    path: Path,
    artifact: Artifact,
    facts: Mapping[str, str | int],
    vocabulary: AdoptedVocabulary,
    roles: Roles | None,
    plain: GraphRun | None,
    step: tuple[AdoptedGraph, Signature],
    prefill: tuple[AdoptedGraph, Signature] | None,
) -> Adopted:
    """Run the graphs, and hold the step against the plain model where there is one.

    A prompt is read in one call only where that gives every bit of reading it in steps: a broken stream is taken up by
    reading its own text, and must go on as it would have.
    """
    size = vocabulary.facts.vocabulary_size
    run = _runner(path, step)
    row_difference = try_step(path, run, step[1], size)
    name = file_name("step", artifact)
    differences = Differences(artifact)
    if roles is not None and plain is not None:
        compare_with_plain(path, plain, roles, vocabulary, run, name, differences)
    graphs, prompts = {"step": step}, "step by step: it takes one token at a time"
    if prefill is not None:
        prompts = _prompts(path, run, prefill, size)
        if prompts == IN_ONE_CALL:
            graphs["prefill"] = prefill
    alone = Parity(
        file=name,
        max_abs_difference=row_difference,
        tolerance=ROUNDING,
        cases=len(BATCHES),
        what="a row alone and the same row in a batch",
    )
    parity = (*differences.records(), alone)
    return Adopted(path, artifact, facts, vocabulary, roles, graphs, prompts, row_difference, parity)


def _prompts(path: Path, step: GraphRun, prefill: tuple[AdoptedGraph, Signature], vocabulary: int) -> str:
    """How prompts are to be read, and why not in one call."""
    try:
        difference = try_prefill(path, step, _runner(path, prefill), prefill[1], vocabulary)
    except AdoptionError as error:  # a graph that was traced for one length may still be stepped
        return f"step by step: in one call it {error.problems[0]}"
    return IN_ONE_CALL if difference == 0 else f"step by step: in one call the state is off by {difference:.2g}"


def _runner(path: Path, graph: tuple[AdoptedGraph, Signature]) -> GraphRun:
    model, signature = graph
    if isinstance(model, onnx.ModelProto):
        return _open(path, model, [tensor.name for tensor in signature.outputs])
    return run_module(model, signature)


def _open(path: Path, model: onnx.ModelProto, outputs: Sequence[str]) -> GraphRun:
    try:
        return open_outputs(model.SerializeToString(), outputs)
    except Exception as error:  # ONNX Runtime has an exception class for each status, without a common base
        raise AdoptionError(path, [f"ONNX Runtime does not open it: {reason(error)}"]) from error
