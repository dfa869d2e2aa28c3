from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from tests.certificates import issue, roots

from ostinato_client import AsyncClient, Client, tls_credentials
from ostinato_client.channels import call_metadata


def test_credentials_are_made_of_roots_alone_of_a_pair_and_of_nothing(tmp_path: Path) -> None:
    own = issue(tmp_path, "client")
    for credentials in (
        tls_credentials(),
        tls_credentials(ca=roots(tmp_path)),
        tls_credentials(ca=str(roots(tmp_path)), certificate=own.certificate, key=own.key),
    ):
        assert isinstance(credentials, grpc.ChannelCredentials)


def test_half_a_pair_is_refused(tmp_path: Path) -> None:
    own = issue(tmp_path, "client")
    for half in ({"certificate": own.certificate}, {"key": own.key}):
        with pytest.raises(ValueError, match="go together; one of them is missing"):
            tls_credentials(**half)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pem"):
        tls_credentials(ca=tmp_path / "nowhere.pem")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_a_token_does_not_leave_in_plain_text_unless_that_is_asked_for(
    kind: type[Client] | type[AsyncClient],
) -> None:
    with pytest.raises(ValueError, match="a token is sent over TLS only") as caught:
        kind("localhost:1", token="secret")
    assert "secret" not in str(caught.value)
    for allowed in (
        kind("localhost:1", token="secret", insecure_token=True),
        kind("localhost:1", token="secret", credentials=tls_credentials()),
    ):
        if isinstance(allowed, AsyncClient):
            await allowed.close()
        else:
            allowed.close()


def test_a_token_is_sent_as_a_bearer_token() -> None:
    assert call_metadata("me", "secret") == (("ostinato-client-id", "me"), ("authorization", "Bearer secret"))


@pytest.mark.parametrize("token", ["", "two words", "line\n", "clé", "x" * 4097])
def test_a_token_that_metadata_cannot_hold_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(ValueError, match=f"token must have 1 to 4096 .* \\(got {len(token)} characters\\)"):
        call_metadata(None, token)
