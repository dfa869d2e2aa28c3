"""Training, evaluation and the server read a text in the one normal form that the tokenizer file holds."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from click.testing import CliRunner
from tests.bundles import build_tiny_bundle
from tests.integration.harness import CALL_SECONDS, RunningServer
from tokenizers import Tokenizer

from ostinato.v1 import sentiment_pb2, translation_pb2
from ostinato_models.cli.evaluate import evaluate
from ostinato_models.data.examples import ReferencedSentence, SentencePair, TranslationCorpus
from ostinato_models.networks import Seq2Seq, Seq2SeqConfig
from ostinato_models.training.configuration import TrainingConfig
from ostinato_models.training.translation_task import TranslationTask

NORMAL = '"It\'s the cat - a dog..."'
TYPED = "\t\u201cIt\u2019s  the\u00a0cat\u2014a do\u00adg\u2026\u201d \u200b"
ALL_LETTERS = "the quick brown fox jumps over a lazy dog"
REVIEW = 'it did n\'t "work" , soo bad \u2639'
SCRAPED = "<p>It didnt &quot;WORK&quot;,&nbsp;soooooo bad :(</p>"


def test_the_server_reads_the_normal_form(server: RunningServer) -> None:
    def translated(text: str) -> str:
        request = translation_pb2.TranslateRequest(model="translation-en-fr", text=text, max_tokens=20)
        *_, last = server.translation.Translate(request, timeout=CALL_SECONDS)
        return str(last.summary.text)

    def scored(text: str) -> sentiment_pb2.SentimentScore:
        request = sentiment_pb2.ClassifyRequest(model="sentiment", text=text)
        return server.sentiment.Classify(request, timeout=CALL_SECONDS).score

    assert translated(TYPED) == translated(NORMAL)
    assert scored(SCRAPED) == scored(REVIEW)


def test_an_evaluation_reads_the_normal_form(tmp_path: Path) -> None:
    bundle = build_tiny_bundle(tmp_path, "translation")
    measured = []
    for text in (TYPED.strip(), NORMAL, "It is another text"):
        data = tmp_path / "data.tsv"
        data.write_text(f"{text}\t{ALL_LETTERS}\n", encoding="utf-8")
        result = CliRunner().invoke(evaluate, ["translation", "--bundle", str(bundle), "--data", str(data), "--json"])
        assert result.exit_code == 0, result.output
        measured.append(json.loads(result.stdout)["chrf"])
    assert measured[0] == measured[1] != measured[2]


def test_a_training_reads_the_normal_form(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(build_tiny_bundle(tmp_path, "translation") / "tokenizer.json"))
    sizes = Seq2SeqConfig(vocabulary_size=tokenizer.get_vocab_size(), embedding_size=4, encoder_size=4, decoder_size=4)
    read = []
    for text in (TYPED, NORMAL):
        held_out = [ReferencedSentence(text, (text,))]
        corpus = TranslationCorpus("tiny", {}, "en", "fr", [SentencePair(text, text)], held_out, held_out)
        torch.manual_seed(0)
        task = TranslationTask(Seq2Seq(sizes), tokenizer, corpus, TrainingConfig(epochs=1), torch.device("cpu"))
        (batch,) = task.batches(0)
        read.append((task.loss(batch, 0.0)[0].item(), task.evaluate()["valid_loss"]))
    assert read[0] == read[1]
