"""Measuring a bundle on a file: which graphs are opened, and what is done with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from ostinato_bundle import Artifact, Bundle, Evaluation, open_bundle
from ostinato_bundle.sentences import join_sentences, split_sentences
from ostinato_models.data.examples import ReferencedSentence
from ostinato_models.data.negation import negation_pairs
from ostinato_models.evaluation.bleu import score_translations
from ostinato_models.evaluation.classification import classify
from ostinato_models.evaluation.decoding import translate
from ostinato_models.evaluation.errors import EvaluationError
from ostinato_models.evaluation.files import read_labelled, read_parallel, read_text, read_translations
from ostinato_models.evaluation.perplexity import nats_per_char, open_score
from ostinato_models.evaluation.result import Measured, ProgressReport, no_report
from ostinato_models.evaluation.typing import is_runaway, joined, typed_reviews, typed_sentences
from ostinato_models.export.card import model_card
from ostinato_models.export.execution import GraphRun, open_graph
from ostinato_models.export.signatures import Signature
from ostinato_models.export.source import RECORD, TASKS, read_json
from ostinato_models.export.writer import write_manifest

MAX_CONTEXT_CHARACTERS = 10_000
"""Characters before the part to score that are tokenized; fewer are read."""

MAX_NAMED_CHARACTERS = 10
"""Different unknown characters that a result names, the most frequent ones."""


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
        variant: how the texts are typed, a name of `VARIANTS` or `REVIEW_VARIANTS` (sentiment, translation).
        words: texts of one class are joined until they have as many words (sentiment); 0 leaves them.
    """

    runtime: Artifact = "onnx-int8"
    split: str = "all"
    beam_size: int = 1
    references: Path | None = None
    lanes: int = 1
    threads: int = 1
    variant: str | None = None
    words: int = 0


def evaluate(
    task: str, path: Path, data: Path | None, options: Options, report: ProgressReport = no_report
) -> Measured:
    """Measure a bundle.

    Args:
        task: ``char-lm``, ``sentiment`` or ``translation``.
        path: the bundle's folder.
        data: the data file; None for the minimal pairs of `data/negation.py` (sentiment).
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
    if task == "sentiment":
        texts = negation_pairs() if data is None else read_labelled(data)
        if options.variant is not None:
            texts = typed_reviews(texts, options.variant)
        if options.words:
            texts = joined(texts, options.words)
        run = _open(bundle, "classifier", options)
        return classify(run, _encode(bundle, tokenizer, [text.text for text in texts]), texts, report=report)
    if data is None:
        raise EvaluationError(f"there are no minimal pairs for {task}: give a data file")
    if task == "char-lm":
        return _score_text(path, tokenizer, data, options, report)
    if options.references is not None:
        sentences = read_parallel(data, options.references)
    else:
        sentences = read_translations(data, options.split)
    normalizer = tokenizer.normalizer
    if normalizer is not None:  # typography is not what a translation is compared for
        sentences = [
            ReferencedSentence(source, tuple(map(normalizer.normalize_str, references)))
            for source, references in sentences
        ]
    if options.variant is not None:
        sentences = typed_sentences(sentences, options.variant)
    limits = bundle.manifest.limits
    if not 1 <= options.beam_size <= limits.max_beam_size:
        raise EvaluationError(f"beam size {options.beam_size}: must be 1 to {limits.max_beam_size}")
    outputs = _translate(bundle, tokenizer, [sentence.source for sentence in sentences], options, report)
    measured = score_translations(outputs, sentences)
    runaways = sum(is_runaway(sentence.source, output) for sentence, output in zip(sentences, outputs, strict=True))
    return Measured(
        {**measured.measures, "runaways": float(runaways)},
        measured.count,
        {"beam_size": options.beam_size, **measured.details},
    )


def record(path: Path, measured: Measured, options: Options, data_set: str) -> None:
    """Write what was measured into the bundle's manifest and model card, over earlier values of the same kind.

    Of a variant only the accuracy, or the BLEU and the runaways, are written.

    Args:
        path: the bundle's folder.
        measured: what was found.
        options: how.
        data_set: what it was measured on, in words.
    """
    manifest = open_bundle(path).manifest
    how = [f"beam {options.beam_size}"] if options.beam_size > 1 else []
    how += [options.variant] if options.variant else []
    how += [f"{options.words} words"] if options.words else []
    suffix = f" ({', '.join(how)})" if how else ""
    wanted = ("accuracy", "bleu", "runaways") if options.variant else tuple(measured.measures)
    new = [
        Evaluation(measure=f"{name}{suffix}", value=round(value, 6), data_set=data_set, artifact=options.runtime)
        for name, value in measured.measures.items()
        if name in wanted
    ]
    replaced = {(row.measure, row.data_set, row.artifact) for row in new}
    kept = [row for row in manifest.evaluation if (row.measure, row.data_set, row.artifact) not in replaced]
    updated = manifest.model_copy(update={"evaluation": (*kept, *new)})
    write_manifest(path, updated, model_card(updated, read_json(path / RECORD)))


def _score_text(path: Path, tokenizer: Tokenizer, data: Path, options: Options, report: ProgressReport) -> Measured:
    """Nats per character of a plain text, with what of it the model's vocabulary lacks."""
    only_line_feeds = tokenizer.token_to_id("\n") is not None and tokenizer.token_to_id("\r") is None
    given = read_text(data, options.split, universal_newlines=only_line_feeds)
    graph = open_score(path, options.runtime)
    context = np.array(tokenizer.encode(given.context[-MAX_CONTEXT_CHARACTERS:]).ids, np.int64)
    encoding = tokenizer.encode(given.text)
    tokens = np.array(encoding.ids, np.int64)
    measured = nats_per_char(graph, context, tokens, lanes=options.lanes, report=report)
    first = 0 if len(context) else 1  # without a context the first character is not scored
    unknown = Counter(
        given.text[slice(*encoding.offsets[place])]
        for place in np.flatnonzero(tokens < graph.first_choice).tolist()
        if place >= first
    )
    details = {
        **measured.details,
        "unknown_characters": dict(unknown.most_common(MAX_NAMED_CHARACTERS)),
        "mapped_line_ends": given.mapped_line_ends,
    }
    return Measured(measured.measures, measured.count, details)


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
