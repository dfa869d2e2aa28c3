"""The manifest's data types in torch."""

from __future__ import annotations

from collections.abc import Mapping

import torch

DTYPES: Mapping[str, torch.dtype] = {"float32": torch.float32, "int64": torch.int64}
