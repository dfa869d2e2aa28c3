"""From somebody's model and vocabulary to graphs that the server can step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch

from ostinato_bundle import Artifact, Parity
from ostinato_models.adoption.contract import follows_step_contract, step_signature
from ostinato_models.adoption.errors import AdoptionError, reason
from ostinato_models.adoption.inclusion import with_wide_integers
from ostinato_models.adoption.onnx_file import ports, read_onnx
from ostinato_models.adoption.parity import check_plain, compare_with_plain
from ostinato_models.adoption.plain import EXACT_LIMIT, PlainModel
from ostinato_models.adoption.roles import NamedRoles, Roles, find_roles
from ostinato_models.adoption.sequences import compare_sequences
from ostinato_models.adoption.torchscript_file import TorchScriptFile
from ostinato_models.adoption.torchscript_wrapping import module_prefill_around, module_step_around
from ostinato_models.adoption.trial import BATCHES, ROUNDING, try_prefill, try_step
from ostinato_models.adoption.vocabulary import AdoptedVocabulary
from ostinato_models.adoption.wrapping import prefill_around, step_around
from ostinato_models.export.differences import MEANINGS, Differences
from ostinato_models.export.execution import Array, Arrays, GraphRun, one_thread, open_outputs, run_module
from ostinato_models.export.signatures import Signature

IN_ONE_CALL = "in one call"
HALF_LIMIT = 2e-2
"""How far a float16 model may be from the same one in float32, relative to values above 1: 20 roundings."""

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
        return _tried(path, "onnx", facts, vocabulary, None, step, None)
    roles = find_roles(path, file.inputs, file.outputs, vocabulary.facts.vocabulary_size, named, dynamo=file.by_dynamo)
    names = [roles.logits.name, *(role.given.name for role in roles.states)]
    plain = PlainModel(path, _open(path, file.model, names), roles, traits=file.traits)
    owners = plain
    if file.half is not None:
        facts |= {"precision": "float16 weights, computed in float32"}
        owners = replace(plain, run=_open_half(path, file.half, names), limit=HALF_LIMIT)
    size = vocabulary.facts.vocabulary_size
    check_plain(plain, size)
    step, prefill = step_around(file.model, roles, vocabulary), prefill_around(file.model, roles)
    return _tried(path, "onnx", facts, vocabulary, (owners, plain), step, prefill)


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
    plain = PlainModel(file.path, file.run, roles, traits=file.traits, ordered=True)
    owners, facts = plain, {"network": "adopted TorchScript module"}
    if file.dtype != torch.float32:
        facts["precision"] = f"{str(file.dtype).removeprefix('torch.')} weights, computed in float32"
        owners = replace(plain, run=file.run_owners, limit=file.limit)
    size = vocabulary.facts.vocabulary_size
    with one_thread():
        check_plain(plain, size)
        step, prefill = module_step_around(file, roles, vocabulary), module_prefill_around(file, roles)
        return _tried(file.path, "torchscript", facts, vocabulary, (owners, plain), step, prefill)


def _tried(
    path: Path,
    artifact: Artifact,
    facts: Mapping[str, str | int],
    vocabulary: AdoptedVocabulary,
    models: tuple[PlainModel, PlainModel] | None,
    step: tuple[AdoptedGraph, Signature],
    prefill: tuple[AdoptedGraph, Signature] | None,
) -> Adopted:
    """Run the graphs, and hold the step against the plain model, as its owner wrote it and in float32, if there is one.

    A prompt is read in one call only where that gives every bit of reading it in steps: a broken stream is taken up by
    reading its own text, and must go on as it would have.
    """
    size = vocabulary.facts.vocabulary_size
    run = _runner(path, step)
    row_difference = try_step(path, run, step[1], size)
    name = file_name("step", artifact)
    differences, parity = Differences(artifact), []
    if models is not None:
        owners, plain = models
        sequences = compare_sequences(owners, plain, size)
        differences.allowed = None if owners.limit == EXACT_LIMIT else dict.fromkeys(MEANINGS, 2 * owners.limit)
        compare_with_plain(owners, vocabulary, run, name, differences)
        if sequences.cases:
            parity.append(
                Parity(
                    file=name,
                    max_abs_difference=sequences.difference,
                    tolerance=owners.limit,
                    cases=sequences.cases,
                    what="the model reading in one call and token by token",
                )
            )
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
    roles = models[0].roles if models is not None else None
    records = (*differences.records(), *parity, alone)
    return Adopted(path, artifact, facts, vocabulary, roles, graphs, prompts, row_difference, records)


def _prompts(path: Path, step: GraphRun, prefill: tuple[AdoptedGraph, Signature], vocabulary: int) -> str:
    """How prompts are to be read, and why not in one call."""
    try:
        difference = try_prefill(path, step, _runner(path, prefill), prefill[1], vocabulary)
    except AdoptionError as error:  # a graph that was traced for one length may still be stepped
        return f"step by step: in one call it {error.problems[0]}"
    return IN_ONE_CALL if difference == 0 else f"step by step: in one call the same to rounding, {difference:.2g}"


def _runner(path: Path, graph: tuple[AdoptedGraph, Signature]) -> GraphRun:
    model, signature = graph
    if isinstance(model, onnx.ModelProto):
        return _open(path, model, [tensor.name for tensor in signature.outputs])
    return run_module(model, signature)


def _open(path: Path, model: onnx.ModelProto, outputs: Sequence[str], *, optimize: bool = True) -> GraphRun:
    try:
        return open_outputs(model.SerializeToString(), outputs, optimize=optimize)
    except Exception as error:  # ONNX Runtime has an exception class for each status, without a common base
        raise AdoptionError(path, [f"ONNX Runtime does not open it: {reason(error)}"]) from error


def _open_half(path: Path, model: onnx.ModelProto, outputs: Sequence[str]) -> GraphRun:
    """A model that computes in float16, with float32 outside; not optimised, which some versions do not survive."""
    taken, _ = ports(model)
    types = {port.name: port.data_type for port in taken}
    run = _open(path, model, outputs, optimize=False)

    def run_half(inputs: Arrays) -> dict[str, Array]:
        results = run({name: value.astype(types[name]) for name, value in inputs.items()})
        return {name: value.astype(np.float32) for name, value in results.items()}

    return run_half
