import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from ostinato_models.adoption.errors import AdoptionError
from ostinato_models.adoption.vocabulary import AdoptedVocabulary, ReservedTokens, read_characters, read_tokenizer
from ostinato_models.tokenization import build_character_tokenizer, train_byte_pair_tokenizer

NOTHING = ReservedTokens()


def characters(folder: Path, name: str, content: str, reserved: ReservedTokens = NOTHING) -> AdoptedVocabulary:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return read_characters(path, reserved)


def encode(vocabulary: AdoptedVocabulary, text: str) -> list[int]:
    ids: list[int] = Tokenizer.from_str(vocabulary.tokenizer).encode(text, add_special_tokens=False).ids
    return ids


def test_lines_are_characters_in_the_order_of_their_ids(tmp_path: Path) -> None:
    vocabulary = characters(tmp_path, "v.txt", "b\na\n\\n\n \n\\\\\n\\u00e9\n")
    assert encode(vocabulary, "ab \né\\") == [1, 0, 3, 2, 5, 4]
    assert (vocabulary.facts.kind, vocabulary.facts.vocabulary_size) == ("character", 6)
    assert vocabulary.choices == (0, 1, 2, 3, 4, 5)


@given(st.lists(st.characters(exclude_categories=["Cs"]), unique=True, min_size=2, max_size=40))
def test_list_and_object_give_the_same_tokenizer(tmp_path_factory: pytest.TempPathFactory, entries: list[str]) -> None:
    folder = tmp_path_factory.mktemp("v")
    ids = {entry: index for index, entry in enumerate(entries)}
    by_list = characters(folder, "list.json", json.dumps(entries))
    by_object = characters(folder, "object.json", json.dumps(dict(sorted(ids.items()))))
    assert by_list == by_object
    assert encode(by_list, "".join(reversed(entries))) == list(reversed(range(len(entries))))


def test_reserved_tokens_are_found_by_their_usual_names_and_never_generated(tmp_path: Path) -> None:
    vocabulary = characters(tmp_path, "v.json", json.dumps(["a", "<unk>", "b", "<pad>", "</s>", "<s>"]))
    facts = vocabulary.facts
    assert (facts.unknown_id, facts.padding_id, facts.end_id) == (1, 3, 4)
    assert facts.start_id is None, "only a start token that is named is put before prompts"
    assert vocabulary.choices == (0, 2, 4)
    assert encode(vocabulary, "ab?") == [0, 2, 1]


def test_reserved_tokens_may_have_other_names(tmp_path: Path) -> None:
    reserved = ReservedTokens(unknown="?", start="^START", end="\n")
    vocabulary = characters(tmp_path, "v.json", json.dumps(["^START", "a", "?", "\n"]), reserved)
    facts = vocabulary.facts
    assert (facts.unknown_id, facts.start_id, facts.end_id, facts.kind) == (2, 0, 3, "character")
    assert encode(vocabulary, "axa") == [1, 2, 1]
    assert vocabulary.choices == (1, 3)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("v.txt", "a\n\nb\n", r"line 2 is empty; a line break is written \\n"),
        ("v.txt", "a\nb\na\n", "line 3: 'a' is already on line 1"),
        ("v.txt", "a\nbc\n", "'bc' is neither one character nor a reserved token"),
        ("v.txt", "a\n", "has 1 tokens; at least 2 are needed"),
        ("v.json", "[", "is no JSON"),
        ("v.json", "7", "must be a list of different characters, or an object"),
        ("v.json", '["a", "a"]', "must be a list of different characters"),
        ("v.json", '["a", 1]', "must be a list of different characters"),
        ("v.json", '{"a": "0"}', "must be a list of different characters"),
        ("v.json", '{"a": 0, "b": 2}', 'must be 0 to 1; 1 is missing, the largest is 2: .*"<unused1>": 1'),
        ("v.json", '{"a": 0, "b": 3, "c": 5}', "must be 0 to 2; 1, 2, 4 are missing, the largest is 5"),
        ("v.json", '{"a": 0, "b": 90}', "; 1, 2, 3, 4, 5 and 84 more are missing, the largest is 90"),
        (
            "v.json",
            '{"a": 1, "b": 2}',
            'these are 1 to 2: if the model\'s logits are 3 wide, .* add "<pad>": 0; if they are 2 wide, subtract 1',
        ),
        ("v.json", '{"a": 0, "b": 0}', "id 0 is that of 'a' and of 'b'"),
        ("v.json", '{"a": 0, "b": -1}', "'b' has -1"),
        ("v.json", '{"0": "a", "1": "b"}', "this has ids as keys: exchange keys and values"),
        ("v.json", '{"the": 0, "cat": 1}', r"'the' is neither .*words and subwords need a tokenizer\.json"),
        ("v.json", '["a", "\\ud800"]', "is neither one character"),
    ],
)
def test_malformed_list_is_refused(tmp_path: Path, name: str, content: str, problem: str) -> None:
    with pytest.raises(AdoptionError, match=problem):
        characters(tmp_path, name, content)


def test_ids_without_a_meaning_are_never_generated(tmp_path: Path) -> None:
    vocabulary = characters(tmp_path, "v.json", '{"<pad>": 0, "a": 1, "<unused2>": 2, "[unused3]": 3, "b": 4}')
    assert vocabulary.choices == (1, 4)
    assert vocabulary.facts.kind == "character"


@pytest.mark.parametrize(("name", "content"), [("v.txt", "\ufeffa\r\nb\r\n"), ("v.json", '\ufeff["a", "b"]')])
def test_byte_order_mark_and_crlf_are_no_characters(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode())
    assert encode(read_characters(path, NOTHING), "ab") == [0, 1]


def test_missing_file_and_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AdoptionError, match="there is no such file"):
        read_characters(tmp_path / "v.txt", NOTHING)
    (tmp_path / "v.txt").write_bytes("é\nö".encode("latin-1"))
    with pytest.raises(AdoptionError, match="is not UTF-8"):
        read_characters(tmp_path / "v.txt", NOTHING)


def test_reserved_token_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdoptionError, match="the start token '<go>' is not in the vocabulary"):
        characters(tmp_path, "v.txt", "a\nb\n", ReservedTokens(start="<go>"))


def test_tokenizer_file_is_taken_as_it_is_but_for_padding_and_truncation(tmp_path: Path) -> None:
    tokenizer = build_character_tokenizer("abc")
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    vocabulary = read_tokenizer(tmp_path / "tokenizer.json", NOTHING)
    assert encode(vocabulary, "abcab") == [1, 2, 3, 1, 2]
    assert (vocabulary.facts.kind, vocabulary.facts.unknown_id, vocabulary.choices) == ("character", 0, (1, 2, 3))


def test_byte_pairs_are_subwords_and_their_end_ends_a_text(tmp_path: Path) -> None:
    train_byte_pair_tokenizer(["low lower lowest"], 300).save(str(tmp_path / "tokenizer.json"))
    vocabulary = read_tokenizer(tmp_path / "tokenizer.json", NOTHING)
    assert (vocabulary.facts.kind, vocabulary.facts.end_id, min(vocabulary.choices)) == ("subword", 3, 3)


def test_words_need_an_unknown_token(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({"low": 0, "high": 1}, unk_token="none"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(AdoptionError, match="a vocabulary of words needs an unknown token"):
        read_tokenizer(tmp_path / "tokenizer.json", NOTHING)
    assert read_tokenizer(tmp_path / "tokenizer.json", ReservedTokens(unknown="low")).facts.kind == "word"


def test_file_that_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"a": 0}')
    with pytest.raises(AdoptionError, match="is no tokenizer in the Hugging Face format"):
        read_tokenizer(tmp_path / "tokenizer.json", NOTHING)
