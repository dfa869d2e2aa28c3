from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bundles import build_tiny_bundle
from tokenizers.pre_tokenizers import Whitespace

from ostinato_bundle import TokenizerFacts, open_bundle
from ostinato_bundle.manifest import Task
from ostinato_models.tokenization import character_tokenizer
from ostinato_server.engine.request import GeneratedToken
from ostinato_server.repository.codec import TextCodec


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("repository")


def codec(folder: Path, task: Task) -> TextCodec:
    bundle = open_bundle(build_tiny_bundle(folder, task))
    return TextCodec(bundle.read("tokenizer.json"), bundle.manifest.tokenizer)


def pieces(codec: TextCodec, ids: list[int]) -> list[str]:
    """What each token of a stream adds to its text."""
    text = codec.text()
    sent = [token for index in ids for token in text.push(GeneratedToken(index, "", 0.0))]
    return [token.text for token in (*sent, *text.flush())]


@pytest.fixture(scope="module")
def characters(folder: Path) -> TextCodec:
    return codec(folder, "generation")


@pytest.fixture(scope="module")
def subwords(folder: Path) -> TextCodec:
    return codec(folder, "translation")


@given(st.text("The cat.\n", min_size=1))
def test_text_of_known_characters_comes_back_token_by_token(characters: TextCodec, text: str) -> None:
    ids = characters.encode(text)
    assert pieces(characters, ids) == list(text)
    assert characters.unknown(ids) == 0


def test_character_outside_the_vocabulary_is_one_unknown_token_without_text(characters: TextCodec) -> None:
    ids = characters.encode("a\u2603b")
    assert [token == characters.facts.unknown_id for token in ids] == [False, True, False]
    assert characters.unknown(ids) == 1
    assert pieces(characters, ids) == ["a", "", "b"]


def test_vocabulary_without_an_unknown_token_tells_what_it_misses(tmp_path: Path) -> None:
    character_tokenizer({"a": 0, "b": 1}, None).save(str(tmp_path / "tokenizer.json"))
    closed = TextCodec((tmp_path / "tokenizer.json").read_bytes(), TokenizerFacts(kind="character", vocabulary_size=2))
    assert closed.missing("abba") is None
    assert closed.missing("abcd") == "c"


def test_tokenizer_whose_unknown_token_is_not_its_own_is_refused(tmp_path: Path) -> None:
    character_tokenizer({"<unk>": 0, "a": 1}, "<none>").save(str(tmp_path / "tokenizer.json"))
    facts = TokenizerFacts(kind="character", vocabulary_size=2, unknown_id=0)
    with pytest.raises(ValueError, match="fails on text that is not in its vocabulary"):
        TextCodec((tmp_path / "tokenizer.json").read_bytes(), facts)


def test_tokenizer_that_does_not_take_words_of_its_characters_apart_is_refused(tmp_path: Path) -> None:
    tokenizer = character_tokenizer({"a": 0, "b": 1}, None)
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    facts = TokenizerFacts(kind="character", vocabulary_size=2)
    with pytest.raises(ValueError, match="fails on text of its own characters"):
        TextCodec((tmp_path / "tokenizer.json").read_bytes(), facts)


def test_vocabulary_with_an_unknown_token_misses_nothing(characters: TextCodec, subwords: TextCodec) -> None:
    assert characters.missing("a\u2603b") is None
    assert subwords.missing("a\u2603b") is None


@given(st.text("aé ∀x日", min_size=1).map(lambda text: " ".join(text.split())))
def test_any_text_comes_back_from_bytes_with_nothing_sent_before_its_character_is_whole(
    subwords: TextCodec, text: str
) -> None:
    sent = pieces(subwords, subwords.encode(text))
    assert "".join(sent) == text
    assert not any("\ufffd" in piece for piece in sent)


def test_piece_shows_the_space_before_a_word(subwords: TextCodec) -> None:
    assert "".join(subwords.piece(token) for token in subwords.encode("a cat, a dog")) == "a cat, a dog"
