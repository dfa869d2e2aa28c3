"""What is streamed after a context is what the tokenizer decodes all tokens to, without the context's own text."""

from __future__ import annotations

from functools import cache
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.five_tokenizers import OTHERS, TEXTS, TOKENIZERS, facts, tokenizer

from ostinato_server.engine.request import GeneratedToken
from ostinato_server.engine.text import StreamText
from ostinato_server.repository.codec import REPLAYED_TOKENS, TextCodec, byte_alphabet
from ostinato_server.repository.detokenizers import LONGEST_RUN

NAMES = (*TOKENIZERS, *OTHERS)
WRITTEN = st.one_of(st.sampled_from(TEXTS), st.text("The cat. don't it's é日😀\n", max_size=30), st.text(max_size=8))


@cache
def codec(name: str) -> TextCodec:
    return TextCodec(tokenizer(name).to_str().encode(), facts(name))


def drawn(name: str) -> st.SearchStrategy[list[int]]:
    """Tokens that a model may draw, byte tokens as often as others."""
    known = facts(name)
    usable = [index for index in range(known.vocabulary_size) if index not in (known.unknown_id, known.padding_id)]
    high = [index for index in usable if index >= 258] or usable
    return st.lists(st.one_of(st.sampled_from(usable), st.sampled_from(high)), max_size=24)


def ids_of(name: str) -> st.SearchStrategy[list[int]]:
    """Tokens of a text, or any, or both."""
    encoded = WRITTEN.map(lambda text: codec(name).encode(text))
    return st.lists(st.one_of(encoded, drawn(name)), min_size=1, max_size=3).map(lambda parts: [*chain(*parts)])


def streamed(text: StreamText, token_ids: list[int]) -> list[GeneratedToken]:
    sent = [token for index in token_ids for token in text.push(GeneratedToken(index, "", 0.0))]
    return [*sent, *text.flush()]


def joined(tokens: list[GeneratedToken]) -> str:
    return "".join(token.text for token in tokens)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), name=st.sampled_from(NAMES))
def test_context_and_streamed_text_are_what_all_tokens_decode_to(data: st.DataObject, name: str) -> None:
    context, generated = data.draw(ids_of(name)), data.draw(ids_of(name))
    generated = [index for index in generated if index not in (facts(name).unknown_id, facts(name).padding_id)]
    before, everything = (codec(name).decode(ids) for ids in (context, context + generated))

    sent = streamed(codec(name).text(context), generated)

    assert [token.token_id for token in sent] == generated
    if name == "characters":  # a character that is not known is no text
        before, everything = (text.replace("<unk>", "") for text in (before, everything))
    if everything.startswith(before):
        assert before + joined(sent) == everything
    else:  # bytes that change what the context ended with
        assert name in ("byte-pairs", "sentence-pieces")
        assert "\ufffd" in before + everything


@settings(max_examples=100, deadline=None)
@given(data=st.data(), name=st.sampled_from(NAMES), stop=st.sampled_from([(), ("t",), ("e c", "\ufffd"), ("\n", "ca")]))
def test_stream_cut_anywhere_goes_on_with_the_same_tokens_and_text(
    data: st.DataObject, name: str, stop: tuple[str, ...]
) -> None:
    context, generated = data.draw(ids_of(name)), data.draw(drawn(name))
    whole = codec(name).text(context, stop=stop)
    sent: list[GeneratedToken] = []
    used = 0
    for index in generated:
        sent += whole.push(GeneratedToken(index, "", 0.0))
        used += 1
        if whole.stopped:
            break
    else:
        sent += whole.flush()
    withheld = whole.withheld()
    assert [token.token_id for token in sent] + list(withheld[1]) == generated[:used]

    for cut in range(len(sent) + 1):
        received = [token.token_id for token in sent[:cut]]
        again = codec(name).text(context, resumed=received, stop=stop)
        rest: list[GeneratedToken] = []
        for index in generated[cut:used]:
            if not again.stopped:
                rest += again.push(GeneratedToken(index, "", 0.0))
        if not again.stopped:
            rest += again.flush()
        assert rest == sent[cut:]
        assert again.stopped == whole.stopped
        assert again.withheld() == withheld


@pytest.mark.parametrize("name", ["byte-pairs", "sentence-pieces"])
def test_character_is_sent_once_it_is_whole_and_an_incomplete_one_at_the_end_as_the_decoder_has_it(name: str) -> None:
    ids = codec(name).encode("日本")
    text = codec(name).text(codec(name).encode("a"))
    sent = [joined(text.push(GeneratedToken(index, "", 0.0))) for index in ids[-6:-1]]
    assert not any("\ufffd" in piece for piece in sent)
    assert "".join(sent) + joined(text.flush()) in ("日\ufffd", "\ufffd" * 5)


EURO = "\u20ac".encode()
COPYRIGHT = "\u00a9".encode()


def of_bytes(name: str, data: bytes) -> list[int]:
    """A token for each byte."""
    ids = tokenizer(name).get_vocab(with_added_tokens=True)
    if name == "sentence-pieces":
        return [ids[f"<0x{byte:02X}>"] for byte in data]
    written = {byte: character for character, byte in byte_alphabet().items()}
    return [ids[written[byte]] for byte in data]


@pytest.mark.parametrize(
    ("name", "before", "bytes_after", "expected"),
    [
        ("byte-pairs", b"a" + EURO[:1], EURO[1:] + b"b", "b"),  # shown as U+FFFD before: what completes it adds nothing
        ("byte-pairs", b"a" + EURO[:1], b"b", "b"),
        ("byte-pairs", b"a" + EURO[:1], EURO, "\u20ac"),
        ("sentence-pieces", b"a" + EURO[:1], COPYRIGHT, "\ufffd\ufffd"),  # as the decoder has the whole run
        ("sentence-pieces", b"a" + EURO[:1], EURO[1:], "\ufffd\ufffd"),
        ("sentence-pieces", b"a" + EURO, COPYRIGHT, "\u00a9"),
        ("sentence-pieces", b"a" + EURO, EURO[:2], "\ufffd\ufffd"),
    ],
)
def test_context_that_ends_within_a_character_is_not_shown_again(
    name: str, before: bytes, bytes_after: bytes, expected: str
) -> None:
    text = codec(name).text(of_bytes(name, before))
    assert joined(streamed(text, of_bytes(name, bytes_after))) == expected


def test_stop_text_of_bytes_ends_the_stream_with_its_last_byte() -> None:
    line_break = codec("sentence-pieces").encode("\n")[-1]
    text = codec("sentence-pieces").text(codec("sentence-pieces").encode("a"), stop=("\n\n",))
    assert text.push(GeneratedToken(line_break, "", 0.0)) == []
    assert text.push(GeneratedToken(line_break, "", 0.0)) == []
    assert text.stopped
    assert text.withheld() == ("\n\n", (line_break, line_break))


def test_long_run_of_bytes_is_given_out_before_it_ends() -> None:
    (run,) = [codec("sentence-pieces").encode("日" * 100)[-300:]]
    text = codec("sentence-pieces").text(codec("sentence-pieces").encode("a"))
    held = most = 0
    for index in run:
        held += 1 - len(text.push(GeneratedToken(index, "", 0.0)))
        most = max(most, held)
    assert most < LONGEST_RUN + 4


@settings(max_examples=20, deadline=None)
@given(data=st.data(), name=st.sampled_from(NAMES))
def test_only_the_last_tokens_of_a_long_stream_are_replayed(data: st.DataObject, name: str) -> None:
    received = data.draw(drawn(name)) * (1 + REPLAYED_TOKENS // 8)
    following = data.draw(drawn(name))
    context = codec(name).encode("a cat")
    in_one = codec(name).text(context)
    sent = streamed(in_one, received + following)
    for cut in {len(received), max(0, len(received) - 1)}:
        again = codec(name).text(context, resumed=[token.token_id for token in sent[:cut]])
        assert streamed(again, (received + following)[cut:]) == sent[cut:]
