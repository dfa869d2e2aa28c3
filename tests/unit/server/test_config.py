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
        ("max_new_tokens", 0, "max_new_tokens must be between 1 and 4294967295, not 0"),
        ("window", 0, "window must be between 1"),
        ("max_deadline_seconds", 0.0, "max_deadline_seconds must be between"),
        ("device", "tpu", "device must be one of auto, cpu, cuda, not 'tpu'"),
        ("runtime", "tensorflow", "runtime must be one of auto, onnx"),
        ("max_message_bytes", 10, "max_message_bytes must be between 1024 and 2147483647, not 10"),
        ("max_streams_per_connection", 0, "max_streams_per_connection must be between 1"),
        ("max_requests_per_caller", 0, "max_requests_per_caller must be between 1"),
        ("max_connection_age_seconds", -1.0, "max_connection_age_seconds must be between 0"),
        ("min_ping_interval_seconds", -1.0, "min_ping_interval_seconds must be between 0"),
        ("tls_certificate", Path("cert.pem"), "TLS needs both a certificate and its key"),
        ("tls_key", Path("cert.key"), "TLS needs both a certificate and its key"),
        ("tls_client_ca", Path("ca.pem"), "clients can be asked for certificates only over TLS"),
    ],
)
def test_value_out_of_range_is_named_with_its_limits(field: str, value: object, words: str) -> None:
    config = ServerConfig(repository=Path("repository"))
    with pytest.raises(StartupError, match=words):
        replace(config, **{field: value})  # type: ignore[arg-type]
