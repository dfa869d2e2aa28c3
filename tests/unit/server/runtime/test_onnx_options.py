"""How ONNX Runtime opens a bundle's graphs."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
from tests.bundles import build_tiny_bundle

from ostinato_bundle import open_bundle
from ostinato_server.runtime.select import open_backend


def test_no_plan_of_memory_is_kept_for_each_shape_of_a_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[bool] = []

    class Session(onnxruntime.InferenceSession):  # type: ignore[misc]
        def __init__(self, content: bytes, options: onnxruntime.SessionOptions, **settings: object) -> None:
            planned.append(options.enable_mem_pattern)
            super().__init__(content, options, **settings)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    backend = open_backend(open_bundle(build_tiny_bundle(tmp_path, "generation")), "cpu", "onnx-int8", 2)
    backend.graph("prefill")
    assert planned == [False]
