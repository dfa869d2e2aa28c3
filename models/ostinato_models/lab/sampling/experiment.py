"""sampling, put together: settings to result, result to report."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato_models.lab.experiment import Context, Experiment
from ostinato_models.lab.report import Cell, Plot, Report, Table
from ostinato_models.lab.sampling.balance import balance
from ostinato_models.lab.sampling.figures import draw_sweeps, draw_variety
from ostinato_models.lab.sampling.findings import findings
from ostinato_models.lab.sampling.measures import Measures
from ostinato_models.lab.sampling.model import load_model
from ostinato_models.lab.sampling.settings import PRESETS, SamplingSettings
from ostinato_models.lab.sampling.sweeps import CONTROLS, Sampled, sample_all
from ostinato_models.lab.sampling.writing import Sampler
from ostinato_models.lab.threads import one_thread

EXCERPT = 240
"""Characters of a text that the report shows."""


@dataclass(frozen=True, slots=True)
class SamplingResult:
    """Everything measured.

    Attributes:
        settings: what was asked.
        dataset: what the model was trained on.
        parameters: how many numbers it learned.
        nats: its negative log-probability of a held-out character, by its training's record.
        sampled: what it wrote.
    """

    settings: SamplingSettings
    dataset: str
    parameters: int
    nats: float
    sampled: Sampled


def run(settings: SamplingSettings, context: Context) -> SamplingResult:
    """Load or train the model, then write with every sampler."""
    with one_thread():
        model = load_model(settings, context.data_dir)
        sampled = sample_all(model, settings, context.watch)
    return SamplingResult(
        settings,
        model.corpus.name,
        sum(value.size for value in model.source.weights.values()),
        model.source.record["results"]["nats_per_char"],
        sampled,
    )


def report(result: SamplingResult) -> Report:
    """Say what was measured."""
    settings, sampled = result.settings, result.sampled
    return Report(
        title="Sampling",
        question="What do temperature, top-k and top-p do to the text that a language model writes?",
        findings=findings(settings, sampled),
        method=f"{_method(result)}\n\n{_excerpts(result)}",
        plots=(
            Plot(
                "sweeps",
                draw_sweeps(settings, sampled),
                "Each control alone: temperature without truncation, top-k and top-p at temperature 1. Dashed: the "
                "held-out text that really follows the prompts.",
            ),
            Plot(
                "variety",
                draw_variety(settings, sampled),
                "Correctness against variety. Every line runs from the strictest value on the left to the loosest on "
                "the right; of two lines, the upper one pays less for its variety. The star is real text.",
            ),
        ),
        tables=(_measure_table(result), _text_table(result)),
    )


EXPERIMENT = Experiment(presets=PRESETS, run=run, report=report)


def _method(result: SamplingResult) -> str:
    settings = result.settings
    origin = f"the shipped `{settings.model}`" if settings.model else "`char-lm` in its quick size, trained first"
    return (
        f"The model is {origin} ({result.parameters:,} parameters, trained on `{result.dataset}`, {result.nats:.3f} "
        "nats per held-out character by its training's record), in the int8 graphs that are served: sampling is in the "
        "step graph, which divides by the temperature, keeps the top_k most probable characters and of them those "
        "before which less than top_p of the probability lies, and inverts the cumulative sum at a number from "
        "outside.\n\n"
        f"{settings.texts} passages of {settings.prompt_characters} characters, evenly spaced in the held-out text, "
        f"are continued by {settings.characters} characters with every sampler, always with the same random numbers. "
        "*Real text* is what follows the passages. *Perplexity* is that of the written characters under the model's "
        "own distribution, whatever the sampler. *Real words* occur in the training text; not every word of the "
        "held-out text does. *Distinct* is the share of different ones among all sequences of n words (Li et al., "
        "NAACL 2016), *repetition* the share of four-word sequences that the same text had before (Welleck et al., "
        "ICLR 2020). Words are runs of letters without regard to case; one that the end may have cut is left out. "
        "Variety at equal correctness is read off the straight line between the two values that enclose the real "
        "text's share of real words.\n\n"
        "These are one model's texts: a model that knows its text better would need less truncation."
    )


def _excerpts(result: SamplingResult) -> str:
    """How texts begin: greedy, the model's own distribution, the hottest, and each control near the real text."""
    settings, sampled = result.settings, result.sampled
    hottest = sampled.sweep("temperature", settings)[-1].sampler
    chosen = [Sampler(temperature=0.0), Sampler(), hottest]
    for control in CONTROLS:
        crossing = balance(sampled.sweep(control, settings), sampled.reference.real_words)
        if crossing is not None:
            chosen.append(crossing.nearer.sampler)
    blocks = ["How the first of the texts begins with some of the samplers:"]
    for sampler in dict.fromkeys(chosen):
        blocks += [f"**{_name(sampler)}**", f"~~~text\n{sampled.written[sampler].texts[0][:EXCERPT].rstrip()}\n~~~"]
    return "\n\n".join(blocks)


def _name(sampler: Sampler) -> str:
    parts = [f"temperature {sampler.temperature:g}"]
    if sampler.top_k:
        parts.append(f"top-k {sampler.top_k}")
    if sampler.top_p < 1:
        parts.append(f"top-p {sampler.top_p:g}")
    return ", ".join(parts)


def _measure_table(result: SamplingResult) -> Table:
    columns = (
        "sampler",
        "perplexity (per character)",
        "real words (share)",
        "distinct words (share)",
        "distinct pairs (share)",
        "distinct triples (share)",
        "repetition (share)",
        "words",
    )
    rows = [(_name(sampler), *_cells(measures)) for sampler, measures in result.sampled.measures.items()]
    return Table(
        "measures",
        columns,
        (*rows, ("real text", *_cells(result.sampled.reference))),
        shown=True,
        caption="Every sampler:",
    )


def _cells(measures: Measures) -> tuple[Cell, ...]:
    return (measures.perplexity, measures.real_words, *measures.distinct, measures.repetition, measures.words)


def _text_table(result: SamplingResult) -> Table:
    rows = tuple((_name(sampler), written.texts[0]) for sampler, written in result.sampled.written.items())
    return Table("texts", ("sampler", "first text"), rows)
