"""Tiny Shakespeare: 1,115,394 characters of plays, collected for char-rnn (Karpathy, 2015)."""

from __future__ import annotations

from pathlib import Path

from ostinato_models.data.examples import CharacterCorpus
from ostinato_models.data.files import DataFile, locate

FILE = DataFile(
    "tinyshakespeare/input.txt",
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    ("86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",),
)


def load_tinyshakespeare(folder: Path) -> CharacterCorpus:
    """Read the text; the first 90 % are for training, the last 10 % for validation.

    Raises:
        DataError: the file is missing or not the known one.
    """
    file = locate(FILE, folder)
    with file.path.open(encoding="utf-8", newline="") as stream:
        text = stream.read()
    cut = len(text) * 9 // 10
    return CharacterCorpus("tinyshakespeare", {file.name: file.sha256}, text[:cut], text[cut:])
