from dataclasses import replace
from pathlib import Path

import pytest

from ostinato_server.config import ServerConfig
from ostinato_server.errors import StartupError


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("port", 70_000, "port must be between 0 and 65535, not 70000"),
        ("max_concurrency", 0, "max_concurrency must be between 1 and 4096, not 0"),
        ("max_queue", -1, "max_queue must be between 0"),
        ("window", 0, "window must be between 1"),
        ("max_deadline_seconds", 0.0, "max_deadline_seconds must be between"),
        ("device", "tpu", "device must be one of auto, cpu, cuda, not 'tpu'"),
        ("runtime", "tensorflow", "runtime must be one of auto, onnx"),
    ],
)
def test_value_out_of_range_is_named_with_its_limits(field: str, value: object, words: str) -> None:
    config = ServerConfig(repository=Path("repository"))
    with pytest.raises(StartupError, match=words):
        replace(config, **{field: value})  # type: ignore[arg-type]
