"""What needs a CUDA device: reported as skipped, with the reason, where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bundles import build_tiny_repository

from ostinato_bundle import Bundle, open_bundle
from ostinato_server.runtime.select import cuda_runtimes

REASONS = {
    "torchscript": "torch.cuda.is_available() is false",
    "onnx": "onnxruntime has no CUDA provider, or it finds no device",
}


@pytest.fixture(scope="session")
def usable() -> frozenset[str]:
    return cuda_runtimes()


@pytest.fixture(scope="session", params=["torchscript", "onnx"])
def runtime(request: pytest.FixtureRequest, usable: frozenset[str]) -> str:
    """Each runtime that sees a CUDA device."""
    if request.param not in usable:
        pytest.skip(REASONS[request.param])
    return str(request.param)


@pytest.fixture(scope="session")
def torch_on_cuda(usable: frozenset[str]) -> None:
    """Only what torch can record."""
    if "torchscript" not in usable:
        pytest.skip(REASONS["torchscript"])


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="session")
def generation(repository: Path) -> Bundle:
    return open_bundle(repository / "char-lm" / "1")


@pytest.fixture(scope="session")
def translation(repository: Path) -> Bundle:
    return open_bundle(repository / "translation-en-fr" / "1")
