import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.errors import StartupError
from ostinato_server.repository.remote_url import RemoteUrl, without_credentials

WORD = st.text("abc:.$%+-", min_size=1, max_size=12)


@pytest.mark.parametrize("text", ["models", "/srv/models", "./a", "a:b", "s3:/bucket", "simplecache::s3://bucket"])
def test_folder_is_no_address(text: str) -> None:
    assert RemoteUrl.parse(text) is None


@pytest.mark.parametrize(
    ("text", "scheme", "full"),
    [
        ("s3://bucket/models/", "s3", "s3://bucket/models"),
        ("HTTPS://host:8443/models", "https", "https://host:8443/models"),
        ("file:///srv/models", "file", "file:///srv/models"),
    ],
)
def test_address_is_read(text: str, scheme: str, full: str) -> None:
    url = RemoteUrl.parse(text)
    assert url is not None
    assert (url.scheme, url.full) == (scheme, full)


@given(WORD, WORD)
def test_credentials_are_used_and_never_shown(user: str, password: str) -> None:
    url = RemoteUrl.parse(f"https://{user}:{password}@host/models")
    assert url is not None
    assert url.full == f"https://{user}:{password}@host/models"
    assert str(url) == repr(url) == f"{url}" == "https://host/models"


def test_credentials_are_taken_out_of_whatever_repeats_them() -> None:
    assert without_credentials("no https://u:p@host/a, nor http://q@b/c") == "no https://host/a, nor http://b/c"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ftp://host/models", "the scheme must be one of s3, gs, https, http, file, memory"),
        ("s3://", "names no place"),
        ("https://host/models?signature=geheim", "without a query"),
        ("https://host/models#geheim", "without a query"),
        ("s3://key:geheim@bucket/models", "credentials belong into the environment"),
        ("ftp://key:geheim@host", "the scheme must be"),
        ("https://host/\n", "without a query"),
    ],
)
def test_address_that_no_repository_can_have_is_refused_without_its_secrets(text: str, words: str) -> None:
    with pytest.raises(StartupError, match=words) as caught:
        RemoteUrl.parse(text)
    assert "geheim" not in str(caught.value)
