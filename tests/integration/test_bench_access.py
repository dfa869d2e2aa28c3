"""``ostinato bench`` against a server that asks for TLS, a certificate and a token."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.certificates import issue, roots
from tests.integration.harness import serving

from ostinato_client.cli.main import run


def test_a_load_shows_its_certificate_and_its_token(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, client = issue(tmp_path, "server"), issue(tmp_path, "client", common_name="bench")
    tokens, token = tmp_path / "tokens", tmp_path / "token"
    token.write_text("secret")
    tokens.write_text(f"{hashlib.sha256(b'secret').hexdigest()} infer bench\n")
    tokens.chmod(0o600)
    with serving(
        repository,
        tls_certificate=own.certificate,
        tls_key=own.key,
        tls_client_ca=roots(tmp_path),
        auth_tokens=tokens,
    ) as server:
        command = ["bench", "sentiment", "--target", server.address, "--duration", "0.2", "--concurrency", "1"]
        encrypted = ["--tls-ca", str(roots(tmp_path)), "--tls-cert", str(client.certificate), "--tls-key"]
        assert run([*command, *encrypted, str(client.key), "--token-file", str(token)]) == 0
        assert "1 in flight" in capsys.readouterr().out
        assert run([*command, *encrypted, str(client.key)]) == 1
        assert "the call needs a token" in capsys.readouterr().err
