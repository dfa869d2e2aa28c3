"""attention, put together: settings to result, result to report."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato_models.data.corpora import find_data_set
from ostinato_models.data.examples import TranslationCorpus
from ostinato_models.lab.attention.agreement import Agreement, AlignmentMap, draw_maps, measure_agreement
from ostinato_models.lab.attention.aligner import train_aligner
from ostinato_models.lab.attention.figures import draw_lengths, draw_map
from ostinato_models.lab.attention.findings import findings
from ostinato_models.lab.attention.lengths import LengthScore, score_by_length
from ostinato_models.lab.attention.settings import PRESETS, AttentionSettings
from ostinato_models.lab.attention.translators import Translator, train_translator
from ostinato_models.lab.attention.words import segment
from ostinato_models.lab.experiment import Context, Experiment
from ostinato_models.lab.report import Cell, Plot, Report, Table
from ostinato_models.lab.threads import one_thread

STEPS = 100
"""Into which each training's progress is cut."""


@dataclass(frozen=True, slots=True)
class AttentionResult:
    """Everything measured.

    Attributes:
        settings: what was asked.
        pairs: sentence pairs that both networks and the aligner learnt from.
        parameters: numbers trained, with attention and without.
        valid_losses: nats per target token after every epoch, with attention and without.
        scores: BLEU by length, that of all sentences as the last.
        agreement: attention against the aligner.
        maps: the sentences shown.
    """

    settings: AttentionSettings
    pairs: int
    parameters: tuple[int, int]
    valid_losses: tuple[tuple[float, ...], tuple[float, ...]]
    scores: tuple[LengthScore, ...]
    agreement: Agreement
    maps: tuple[AlignmentMap, ...]


def run(settings: AttentionSettings, context: Context) -> AttentionResult:
    """Train both networks and the aligner, then compare on the test sentences."""
    corpus = find_data_set(settings.dataset).load(context.data_dir)
    assert isinstance(corpus, TranslationCorpus)  # noqa: S101 (for the type checker)
    total = 2 * STEPS + 10
    with one_thread():
        looking, fixed = _train_both(settings, context, total)
        sources = [sentence.source for sentence in corpus.test]
        scores = score_by_length(
            corpus.test, looking.task.translate(sources), fixed.task.translate(sources), settings.lengths
        )
        context.watch(total - 5, total)
        aligner = train_aligner(
            [tuple(segment(looking.tokenizer, text).words for text in pair) for pair in corpus.train],  # type: ignore[misc]
            settings.aligner_iterations,
        )
        agreement = measure_agreement(looking, aligner, corpus.test)
        maps = draw_maps(looking, aligner, settings.shown)
    context.watch(total, total)
    return AttentionResult(
        settings,
        len(corpus.train),
        (looking.parameters, fixed.parameters),
        (looking.valid_losses, fixed.valid_losses),
        scores,
        agreement,
        maps,
    )


def report(result: AttentionResult) -> Report:
    """Say what was measured."""
    return Report(
        title="Attention",
        question="What does an encoder-decoder lose without attention, and where does attention look?",
        findings=findings(result.scores, result.agreement),
        method=_method(result),
        plots=(
            Plot(
                "lengths",
                draw_lengths(result.scores),
                "Greedy translations of the test sentences, grouped by the length of their source.",
            ),
            *(
                Plot(
                    f"map-{number}",
                    draw_map(found),
                    f"“{text}” Shades: where the decoder looks as it writes each word. "
                    "Rings: the aligner's word, where it names one.",
                )
                for number, (text, found) in enumerate(zip(result.settings.shown, result.maps, strict=True), 1)
            ),
        ),
        tables=(_length_table(result), _training_table(result), _agreement_table(result)),
    )


EXPERIMENT = Experiment(presets=PRESETS, run=run, report=report)


def _train_both(settings: AttentionSettings, context: Context, total: int) -> tuple[Translator, Translator]:
    looking = train_translator(
        settings,
        context.data_dir,
        attention=True,
        tokenizer=None,
        watch=lambda share: context.watch(int(share * STEPS), total),
    )
    fixed = train_translator(
        settings,
        context.data_dir,
        attention=False,
        tokenizer=looking.tokenizer,
        watch=lambda share: context.watch(STEPS + int(share * STEPS), total),
    )
    return looking, fixed


def _method(result: AttentionResult) -> str:
    settings = result.settings
    looking, fixed = result.parameters
    return (
        f"Both networks have a bidirectional LSTM encoder ({settings.encoder_size} units a direction) and an LSTM "
        f"decoder ({settings.decoder_size} units) started with the encoder's last states; one also attends to the "
        f"encoder's outputs (Luong et al., 2015). They are trained alike on {result.pairs:,} pairs of "
        f"`{settings.dataset}`, and have {looking:,} and {fixed:,} parameters, the difference being attention's own. "
        "The epoch with the lowest loss on held-out sentences is kept. BLEU is sacreBLEU's, on the test sentences.\n\n"
        "The aligner is IBM Model 1 (Brown et al., 1993), trained on the same pairs: a table of word translations that "
        "knows nothing of order. Words and punctuation marks are what the tokenizer never joins; a source word's "
        "weight is the sum over its tokens, a target word's the mean over its own. Attention is read while the decoder "
        "is fed the reference. Target words that the aligner ascribes to no source word are left out. The aligner errs "
        "too: agreement is no accuracy."
    )


def _length_table(result: AttentionResult) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (score.label, score.sentences, score.attention, score.fixed) for score in result.scores
    )
    columns = ("source length (words)", "sentences", "BLEU with attention", "BLEU without")
    return Table("lengths", columns, rows, shown=True, caption="BLEU by the length of the source:")


def _training_table(result: AttentionResult) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (epoch, *losses) for epoch, losses in enumerate(zip(*result.valid_losses, strict=True), 1)
    ]
    columns = ("epoch", "loss with attention (nats per token)", "loss without (nats per token)")
    return Table("trainings", columns, tuple(rows))


def _agreement_table(result: AttentionResult) -> Table:
    agreement = result.agreement
    rows: tuple[tuple[Cell, ...], ...] = (
        ("attention", agreement.attention),
        ("same relative place", agreement.diagonal),
        ("blind guess", agreement.chance),
    )
    return Table("agreement", ("aligned by", "share of target words"), rows)
