"""sentiment-comparison, put together: settings to result, result to report."""

from __future__ import annotations

from ostinato_models.data.examples import POSITIVE
from ostinato_models.lab.experiment import Context, Experiment
from ostinato_models.lab.report import Cell, Plot, Report, Table
from ostinato_models.lab.sentiment_comparison.contenders import CONTENDERS
from ostinato_models.lab.sentiment_comparison.figures import draw_cost, draw_negation, draw_pairs, draw_quality
from ostinato_models.lab.sentiment_comparison.findings import findings
from ostinato_models.lab.sentiment_comparison.negation import NEGATIONS, is_negated
from ostinato_models.lab.sentiment_comparison.pairs import JudgedPair, judge_pairs
from ostinato_models.lab.sentiment_comparison.scores import SentimentComparisonResult
from ostinato_models.lab.sentiment_comparison.settings import PRESETS, SentimentComparisonSettings
from ostinato_models.lab.sentiment_comparison.texts import draw, load_corpus
from ostinato_models.lab.sentiment_comparison.trials import Trial, run_trials
from ostinato_models.lab.threads import one_thread


def run(settings: SentimentComparisonSettings, context: Context) -> SentimentComparisonResult:
    """Train and measure every model from every seed.

    Raises:
        DataError: the corpus cannot be read.
    """
    corpus = load_corpus(settings, context.data_dir)
    total = settings.repeats * len(CONTENDERS)
    trials: list[Trial] = []
    with one_thread():
        for repeat in range(settings.repeats):
            for trial in run_trials(settings, corpus, settings.seed + repeat):
                trials.append(trial)
                context.watch(len(trials), total)
    return SentimentComparisonResult(
        settings,
        len(draw(corpus, settings.train_share, settings.seed).train),
        tuple(row.label for row in corpus.test),
        tuple(is_negated(row.text) for row in corpus.test),
        tuple(trials),
    )


def report(result: SentimentComparisonResult) -> Report:
    """Say what was measured."""
    judged = judge_pairs(result)
    parting = sum(pair.parts for pair in judged)
    return Report(
        title="Sentiment comparison",
        question="What do word order, gates and a second direction add to a bag of words, and what do they cost?",
        findings=findings(result),
        method=_method(result),
        plots=(
            Plot(
                "quality",
                draw_quality(result),
                f"Dots: means over {result.settings.repeats} seeds, with the 95 % interval of the mean; strokes: the "
                "seeds themselves.",
            ),
            Plot(
                "cost",
                draw_cost(result),
                "Means over the seeds; training time and size on logarithmic scales. Latency runs from a text to its "
                "probability.",
            ),
            Plot(
                "negation",
                draw_negation(result),
                "The same test texts in two parts: a text counts as negated if it has one of the words "
                f"{', '.join(f'*{word}*' for word in sorted(NEGATIONS))}, wherever it stands.",
            ),
            Plot(
                "pairs",
                draw_pairs(judged),
                "Sentences of our own, each pair made to differ in what it means by its negation: mean probability of "
                f"positive over the seeds, ✗ where the class is wrong. The models part on {parting} of the "
                f"{len(judged)} pairs.",
            ),
        ),
        tables=(_summary_table(result), _pair_table(judged), _trial_table(result)),
    )


EXPERIMENT = Experiment(presets=PRESETS, run=run, report=report)


def _method(result: SentimentComparisonResult) -> str:
    settings = result.settings
    corpus = "SST-2" if settings.corpus == "sst2" else "opinions written by this project's grammar"
    return (
        f"The corpus is {corpus}. Each of {settings.repeats} seeds draws {result.train_size:,} training texts, the "
        "same for all five models, and decides first weights, dropout and order. The bag of words is this project's "
        "baseline: which words *and pairs of neighbouring words* a text has, weighed by logistic regression; so "
        "*not good* is a feature of its own if the drawn texts have it. The networks are this project's sentiment "
        f"classifier: embeddings of {settings.embedding_size}, one layer of {settings.hidden_size} units (in each "
        f"direction), its last state, two logits; {settings.epochs} epochs of AdamW with the same learning rate for "
        "all, nothing tuned to one of them and no epoch chosen. This is a comparison on a small budget: the "
        "classifier that ships learns from more texts, for longer, and from a teacher.\n\n"
        f"Everything is measured on {len(result.labels):,} test texts as it is served: the networks exported as int8 "
        "ONNX and run by ONNX Runtime on one thread, the bag of words by scikit-learn. The served file is the ONNX "
        "file, without the tokenizer, and for the bag of words its pickle, which holds its vocabulary. Where the "
        "embeddings of all tokens give at most a million numbers once multiplied with a cell's input weights, the "
        "exporter does so beforehand and stores that table, in fp32: a bigger file and a cheaper step, so the RNN's "
        "file can be bigger than the LSTM's. Latency is "
        "wall-clock time from a text to its probability, tokenization included, one text at a time, without a "
        f"server or network around it; the fastest of {settings.latency_rounds} rounds counts for each text, so the "
        "percentiles say how texts differ and not how busy the machine was. Training time is processor time on one "
        "thread.\n\n"
        "Intervals are Student's t, 95 %, over the seeds: they hold what another draw of texts and weights would "
        "change, and not what other test texts would. Differences between models are taken seed by seed before "
        "their interval. F1 is that of the positive class."
    )


def _summary_table(result: SentimentComparisonResult) -> Table:
    columns = (
        "model",
        "accuracy (%)",
        "±",
        "F1 (%)",
        "± ",
        "parameters",
        "served file (MB)",
        "training (s)",
        "latency p50 (ms)",
        "latency p99 (ms)",
        "accuracy without negation (%)",
        "accuracy with negation (%)",
    )
    rows: list[tuple[Cell, ...]] = []
    for name, contender in CONTENDERS.items():
        accuracy, f1 = result.estimate(name, result.accuracy), result.estimate(name, result.f1)
        rows.append(
            (
                contender.label,
                100 * accuracy.mean,
                100 * accuracy.half_width,
                100 * f1.mean,
                100 * f1.half_width,
                round(result.estimate(name, lambda trial: trial.parameters).mean),
                result.estimate(name, lambda trial: trial.size / 1e6).mean,
                result.estimate(name, lambda trial: trial.training_seconds).mean,
                result.estimate(name, lambda trial: trial.latencies[0]).mean,
                result.estimate(name, lambda trial: trial.latencies[1]).mean,
                100 * result.estimate(name, lambda trial: result.accuracy(trial, negated=False)).mean,
                100 * result.estimate(name, lambda trial: result.accuracy(trial, negated=True)).mean,
            )
        )
    return Table("summary", columns, tuple(rows), shown=True, caption="Means over the seeds, with 95 % intervals:")


def _pair_table(judged: list[JudgedPair]) -> Table:
    columns = ("sentence", "meant", *(contender.label for contender in CONTENDERS.values()), "models part")
    rows: list[tuple[Cell, ...]] = []
    for pair in judged:
        for text, chances in pair.sentences():
            meant = "positive" if text.label == POSITIVE else "negative"
            parted = "yes" if pair.parts else "no"
            rows.append((text.text, meant, *(round(chances[name], 3) for name in CONTENDERS), parted))
    return Table(
        "pairs", columns, tuple(rows), shown=True, caption="The pairs in numbers, as probabilities of positive:"
    )


def _trial_table(result: SentimentComparisonResult) -> Table:
    columns = (
        "model",
        "seed",
        "accuracy",
        "F1",
        "accuracy without negation",
        "accuracy with negation",
        "parameters",
        "served file (bytes)",
        "training (s)",
        "latency p50 (ms)",
        "latency p99 (ms)",
    )
    rows: list[tuple[Cell, ...]] = [
        (
            trial.model,
            trial.seed,
            result.accuracy(trial),
            result.f1(trial),
            result.accuracy(trial, negated=False),
            result.accuracy(trial, negated=True),
            trial.parameters,
            trial.size,
            trial.training_seconds,
            *trial.latencies,
        )
        for trial in result.trials
    ]
    return Table("trials", columns, tuple(rows))
