"""Measuring a bundle on a file: which graphs are opened, and what is done with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from ostinato_bundle import Artifact, Bundle, Evaluation, open_bundle
from ostinato_bundle.sentences import join_sentences, split_sentences
from ostinato_models.evaluation.bleu import score_translations
from ostinato_models.evaluation.classification import classify
from ostinato_models.evaluation.decoding import translate
from ostinato_models.evaluation.errors import EvaluationError
from ostinato_models.evaluation.files import read_labelled, read_parallel, read_text, read_translations
from ostinato_models.evaluation.perplexity import nats_per_char, open_score
from ostinato_models.evaluation.result import Measured, ProgressReport, no_report
from ostinato_models.export.card import model_card
from ostinato_models.export.execution import GraphRun, open_graph
from ostinato_models.export.signatures import Signature
from ostinato_models.export.source import RECORD, TASKS, read_json
from ostinato_models.export.writer import write_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to measure.

    Attributes:
        runtime: which of the bundle's artifacts.
        split: which part of the data.
        beam_size: hypotheses kept for each sentence (translation).
        references: a text with a reference for every line of the data, when they are not in it (translation).
        lanes: stretches of the text read side by side (char-lm).
        threads: threads that a call may use.
    """

    runtime: Artifact = "onnx-int8"
    split: str = "all"
    beam_size: int = 1
    references: Path | None = None
    lanes: int = 1
    threads: int = 1


def evaluate(task: str, path: Path, data: Path, options: Options, report: ProgressReport = no_report) -> Measured:
    """Measure a bundle.

    Args:
        task: ``char-lm``, ``sentiment`` or ``translation``.
        path: the bundle's folder.
        data: the data file.
        options: how to measure.
        report: told about progress.

    Raises:
        BundleError: the bundle does not hold what its manifest says.
        ModelsError: the data cannot be read, or the bundle not be measured this way.
    """
    bundle = open_bundle(path)
    if bundle.manifest.task != TASKS[task]:
        raise EvaluationError(f"{path} is a {bundle.manifest.task} model; {task} cannot be measured on it")
    tokenizer = Tokenizer.from_file(str(bundle.tokenizer_path))
    match task:
        case "char-lm":
            before, text = read_text(data, options.split)
            run, signature = open_score(path, options.runtime)
            context, tokens = (np.array(tokenizer.encode(part).ids, np.int64) for part in (before[-10_000:], text))
            return nats_per_char(run, signature, context, tokens, lanes=options.lanes, report=report)
        case "sentiment":
            texts = read_labelled(data)
            run = _open(bundle, "classifier", options)
            rows = _encode(bundle, tokenizer, [text.text for text in texts])
            return classify(run, rows, texts, report=report)
    if options.references is not None:
        sentences = read_parallel(data, options.references)
    else:
        sentences = read_translations(data, options.split)
    limits = bundle.manifest.limits
    if not 1 <= options.beam_size <= limits.max_beam_size:
        raise EvaluationError(f"beam size {options.beam_size}: must be 1 to {limits.max_beam_size}")
    outputs = _translate(bundle, tokenizer, [sentence.source for sentence in sentences], options, report)
    measured = score_translations(outputs, sentences)
    return Measured(measured.measures, measured.count, {"beam_size": options.beam_size, **measured.details})


def record(path: Path, measured: Measured, options: Options, data_set: str) -> None:
    """Write what was measured into the bundle's manifest and model card, over earlier values of the same kind.

    Args:
        path: the bundle's folder.
        measured: what was found.
        options: how.
        data_set: what it was measured on, in words.
    """
    manifest = open_bundle(path).manifest
    suffix = f" (beam {options.beam_size})" if options.beam_size > 1 else ""
    new = [
        Evaluation(measure=f"{name}{suffix}", value=round(value, 6), data_set=data_set, artifact=options.runtime)
        for name, value in measured.measures.items()
    ]
    replaced = {(row.measure, row.data_set, row.artifact) for row in new}
    kept = [row for row in manifest.evaluation if (row.measure, row.data_set, row.artifact) not in replaced]
    updated = manifest.model_copy(update={"evaluation": (*kept, *new)})
    write_manifest(path, updated, model_card(updated, read_json(path / RECORD)))


def _translate(
    bundle: Bundle, tokenizer: Tokenizer, texts: Sequence[str], options: Options, report: ProgressReport
) -> list[str]:
    """Translate texts sentence by sentence, as the server does."""
    found = [
        [sentence for sentence in split_sentences(text) if tokenizer.encode(text[sentence.start : sentence.end]).ids]
        for text in texts
    ]
    sentences = [text[part.start : part.end] for text, parts in zip(texts, found, strict=True) for part in parts]
    limits = bundle.manifest.limits
    outputs = translate(
        _open(bundle, "encoder", options),
        _open(bundle, "step", options),
        _encode(bundle, tokenizer, sentences),
        bundle.manifest.tokenizer,
        beam_size=options.beam_size,
        max_tokens=limits.most_new_tokens,
        report=report,
    )
    translated = iter([tokenizer.decode(ids) for ids in outputs])
    return [
        join_sentences(text, parts, [next(translated) for _ in parts]) for text, parts in zip(texts, found, strict=True)
    ]


def _open(bundle: Bundle, name: str, options: Options) -> GraphRun:
    graph = bundle.manifest.graphs[name]
    signature = Signature(graph.inputs, graph.outputs)
    return open_graph(bundle.graph_path(name, options.runtime), options.runtime, signature, options.threads)


def _encode(bundle: Bundle, tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of every text, cut to the bundle's limit; a text without any token becomes one unknown token."""
    limit, unknown = bundle.manifest.limits.max_input_tokens, bundle.manifest.tokenizer.unknown_id or 0
    return [encoding.ids[:limit] or [unknown] for encoding in tokenizer.encode_batch(list(texts))]
