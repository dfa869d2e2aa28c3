import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.errors import StartupError
from ostinato_server.tokens import Holder, Role, read_tokens, watch_tokens

words = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=20)


def sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "tokens"
    found.touch(mode=0o600)
    return found


@given(tokens=st.dictionaries(words, st.sampled_from(Role), min_size=1, max_size=5), stranger=words)
def test_every_token_has_its_holder_and_no_other_has_one(
    tmp_path_factory: pytest.TempPathFactory, tokens: dict[str, Role], stranger: str
) -> None:
    path = tmp_path_factory.mktemp("tokens") / "tokens"
    path.touch(mode=0o600)
    lines = [f"{sha256(token)} {role.name.lower()} n{index}\n" for index, (token, role) in enumerate(tokens.items())]
    path.write_text("".join(lines))
    table = read_tokens(path)
    assert [table.find(token) for token in tokens] == [
        Holder(f"n{index}", role) for index, role in enumerate(tokens.values())
    ]
    assert (table.find(stranger) is None) == (stranger not in tokens)
    assert table.find(sha256(next(iter(tokens)))) is None


def test_comments_blank_lines_and_capital_digits_are_fine(path: Path) -> None:
    path.write_text(f"# who\n\n  {sha256('a').upper()}\tinfer   alice  \n{sha256('b')} infer alice\n")
    table = read_tokens(path)
    assert table.find("a") == table.find("b") == Holder("alice", Role.INFER)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("secret-token infer alice", "tokens:2: must begin with a SHA-256, 64 hexadecimal digits"),
        ("secret-token", "tokens:2: must hold a hash, a role and a name, not 1 words"),
        (f"{sha256('secret-token')} root alice", "tokens:2: the role must be one of infer, admin"),
        (f"{sha256('secret-token')} infer {'x' * 129}", "tokens:2: the name must have at most 128 printable"),
        (f"{sha256('known')} infer alice", "tokens:2: holds the hash of an earlier line"),
    ],
)
def test_a_line_that_will_not_do_is_named_and_not_repeated(path: Path, line: str, words: str) -> None:
    path.write_text(f"{sha256('known')} infer bob\n{line}\n")
    with pytest.raises(StartupError, match=words) as caught:
        read_tokens(path)
    assert "secret-token" not in str(caught.value)
    assert sha256("secret-token") not in str(caught.value)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
def test_a_file_open_to_every_user_is_refused(path: Path, mode: int) -> None:
    path.write_text(f"{sha256('a')} infer alice\n")
    path.chmod(mode)
    with pytest.raises(StartupError, match=f"tokens: is open to every user \\(mode 0{mode:o}\\); chmod o="):
        read_tokens(path)


def test_a_file_that_is_opened_to_every_user_later_is_told_of(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text(f"{sha256('a')} infer alice\n")
    watched = watch_tokens(path)
    path.chmod(0o644)
    assert watched.get().find("a") is not None
    assert "is open to every user (mode 0644)" in caplog.text


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400])
def test_a_file_open_to_its_owner_and_group_is_read(path: Path, mode: int) -> None:
    path.write_text(f"{sha256('a')} infer alice\n")
    path.chmod(mode)
    assert read_tokens(path).find("a") is not None


@pytest.mark.parametrize(
    ("content", "words"), [(b"# nobody\n", "holds no token, so nobody could call"), (b"\xff", "is not UTF-8")]
)
def test_a_file_without_tokens_is_refused(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    with pytest.raises(StartupError, match=words):
        read_tokens(path)


def test_a_file_that_is_gone_after_it_was_opened_is_still_read_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delivered secrets are replaced by renames; the path may name nothing, or another file, at any moment."""
    path.write_text(f"{sha256('a')} infer alice\n")
    opened = Path.open

    def open_and_remove(self: Path, *arguments: Any, **options: Any) -> Any:
        file = opened(self, *arguments, **options)
        self.unlink()
        return file

    monkeypatch.setattr(Path, "open", open_and_remove)
    monkeypatch.setattr(Path, "read_bytes", lambda self: open_and_remove(self, "rb").read())
    assert read_tokens(path).find("a") is not None


def test_a_file_that_is_replaced_by_one_open_to_every_user_after_it_was_opened_is_judged_by_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(f"{sha256('a')} infer alice\n")
    opened = Path.open

    def open_and_replace(self: Path, *arguments: Any, **options: Any) -> Any:
        file = opened(self, *arguments, **options)
        self.unlink()
        self.touch()
        self.chmod(0o644)
        return file

    monkeypatch.setattr(Path, "open", open_and_replace)
    monkeypatch.setattr(Path, "read_bytes", lambda self: open_and_replace(self, "rb").read())
    assert read_tokens(path).find("a") is not None
