"""word-sense, put together: settings to result, result to report."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from ostinato_models.lab.experiment import Context, Experiment
from ostinato_models.lab.report import Cell, Plot, Report, Table
from ostinato_models.lab.threads import one_thread
from ostinato_models.lab.word_sense.contexts import DECIDING, FRAMES, SIDES, examples
from ostinato_models.lab.word_sense.corpus import load_corpus
from ostinato_models.lab.word_sense.figures import draw_accuracy, draw_moment, draw_states
from ostinato_models.lab.word_sense.findings import findings, summary_rows
from ostinato_models.lab.word_sense.measurements import Measured, measure
from ostinato_models.lab.word_sense.settings import PRESETS, WordSenseSettings


@dataclass(frozen=True, slots=True)
class WordSenseResult:
    """Everything measured.

    Attributes:
        settings: what was asked.
        sentences: how many the encoders read.
        occurrences: how many of them have the word.
        unknown: words of the constructed sentences that the encoders do not tell apart from other rare ones.
        measured: the encoders on the constructed sentences.
    """

    settings: WordSenseSettings
    sentences: int
    occurrences: int
    unknown: tuple[str, ...]
    measured: Measured


def run(settings: WordSenseSettings, context: Context) -> WordSenseResult:
    """Train the encoders, then read the sense from their states."""
    corpus = load_corpus(settings, context.data_dir)
    words = {word for side in SIDES for example in examples(side) for word in example.words}
    unknown = tuple(sorted(words - set(corpus.vocabulary)))
    with one_thread():
        measured = measure(corpus, settings, context.watch)
    return WordSenseResult(settings, len(corpus.sentences), corpus.occurrences, unknown, measured)


def report(result: WordSenseResult) -> Report:
    """Say what was measured."""
    measured = result.measured
    return Report(
        title="Word sense",
        question='Which "bank" is it? What an encoder knows at the word, reading from the left and reading both ways.',
        findings=findings(measured),
        method=_method(result),
        plots=(
            Plot(
                "accuracy",
                draw_accuracy(measured),
                'How often a linear probe tells the sense from the state at "bank". '
                f"{_spread(result.settings.repeats)}",
            ),
            Plot(
                "moment",
                draw_moment(measured),
                'Sentences whose sense is decided after "bank": what the state at each word tells. '
                '"bank" is three or four words before the deciding word, the full stop one after it.',
            ),
            Plot(
                "states",
                draw_states(measured),
                f'States at "bank" in the {len(examples("right"))} sentences decided after it. On the left every '
                f"circle has a cross in it: there are {len(FRAMES['right'])} beginnings, and as many states.",
            ),
        ),
        tables=(_summary_table(measured), _measurement_table(measured), _training_table(measured)),
    )


EXPERIMENT = Experiment(presets=PRESETS, run=run, report=report)


def _spread(repeats: int) -> str:
    return f"Bars: mean of {repeats} trainings; lines: the lowest and the highest." if repeats > 1 else "One training."


def _method(result: WordSenseResult) -> str:
    settings = result.settings
    frame, pair = FRAMES["right"][0], DECIDING[0]
    river, money = (frame.format(f"*{word}*") for word in pair)
    before = FRAMES["left"][0].format(f"*{pair[0]}*")
    unknown = f" (unknown to them: {', '.join(result.unknown)})" if result.unknown else ""
    real = f", and English sentences of `{settings.corpus}`" if settings.corpus else ""
    return (
        f"The encoders are one-layer LSTM language models trained to predict the next word of {result.sentences:,} "
        "unlabelled sentences: generated ones, each of which keeps to one of four themes (a river, money, a kitchen, a "
        f'school) whose nouns and verbs it draws on{real}. {result.occurrences:,} of them have the word "bank", which '
        "is a noun of two themes. One encoder reads from the left with "
        f"{settings.state_size} units; the other is two models of {settings.state_size // 2} units, one a direction, "
        "whose states are put side by side (Peters et al., *Deep contextualized word representations*, NAACL 2018). "
        "Both know as many numbers at a word. Neither is told a theme or a sense.\n\n"
        f"The test is constructed, of words that the generated sentences have{unknown}, in sentences that they have "
        f'not: {len(examples("right"))} whose sense one word decides after "bank" ("{river}", "{money}") and '
        f'{len(examples("left"))} where it comes before ("{before}"). Two sentences that differ in that word alone are '
        f"a minimal pair. The probe is a ridge classifier on the state, and is always tested on a pair of deciding "
        f"words of which it has seen no sentence: it is trained on the other {len(DECIDING) - 1}. The encoders have "
        "read all these words, in other sentences; that is where they can learn which belong together. A half is "
        "chance.\n\n"
        "In the generated sentences themes are much clearer than in real text, and what is shown is a matter of "
        "direction: how well an encoder of this size separates senses in real text is not. Sizes and updates were "
        "chosen, on this test, so that encoders find the themes; with fewer, some did not, whichever side decided."
    )


def _summary_table(measured: Measured) -> Table:
    columns = (
        "encoder",
        "sense decided by a word",
        "probe (share right)",
        "pairs in order (share)",
        "nearest neighbour of the same sense (share)",
        "pairs with identical states (share)",
    )
    sides = {"left": "before it", "right": "after it"}
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, sides[side], probe, pairs, neighbours, identical)
        for name, side, probe, pairs, neighbours, identical in summary_rows(measured)
    )
    return Table("summary", columns, rows, shown=True, caption='At "bank", means over the trainings:')


def _measurement_table(measured: Measured) -> Table:
    columns = (
        "encoder",
        "training",
        "decided",
        "words from the deciding one",
        "probe",
        "pairs",
        "neighbours",
        "identical",
    )
    rows: list[tuple[Cell, ...]] = [
        (
            each.encoder,
            each.repeat,
            each.side,
            'at "bank"' if each.offset is None else each.offset,
            *astuple(each.separation),
        )
        for each in measured.measurements
    ]
    return Table("measurements", columns, tuple(rows))


def _training_table(measured: Measured) -> Table:
    columns = ("encoder", "training", "parameters", "perplexity from the left", "perplexity from the right")
    rows: list[tuple[Cell, ...]] = [
        (each.encoder, each.repeat, each.parameters, each.perplexities[0], *(each.perplexities[1:] or ("",)))
        for each in measured.trainings
    ]
    return Table("trainings", columns, tuple(rows))
