"""A text of several sentences: split, translated one by one, and joined."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import grpc
import pytest
from tests.integration.harness import CALL_SECONDS, RunningServer, together, violation

from ostinato.v1 import generation_pb2
from ostinato.v1 import translation_pb2 as pb

TEXT = " The cat sees the dog. a dog!\n\n- The big red house?  \U0001f600 Cat.Where is 3.14 of it?\r\nyes :) \n"
SENTENCES = ["The cat sees the dog.", "a dog!", "The big red house?", "Cat.", "Where is 3.14 of it?", "yes"]
SEPARATORS = ["", " ", "\n\n- ", "  \U0001f600 ", " ", "\r\n"]
TRAILING = " :)"


@dataclass
class Translated:
    source: pb.SourceSentence
    tokens: list[pb.TargetToken] = field(default_factory=list)
    end: pb.SentenceSummary | None = None

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.tokens)

    @property
    def numbers(self) -> list[tuple[str, float, list[float]]]:
        return [(token.token, token.logprob, list(token.attention)) for token in self.tokens]


def translate(
    server: RunningServer, text: str, *, sentence: int = 0, position: int = 0, **options: int
) -> tuple[dict[int, Translated], pb.TranslationSummary]:
    """Reads a stream; its messages must follow the order that the contract states."""
    request = pb.TranslateRequest(model="translation-en-fr", text=text, include_attention=True, **options)  # type: ignore[arg-type]
    if sentence or position:
        request.resumption.sentence, request.resumption.position = sentence, position
    found: dict[int, Translated] = {}
    summary: pb.TranslationSummary | None = None
    for response in server.translation.Translate(request, timeout=CALL_SECONDS):
        assert summary is None, "nothing may follow the summary"
        last = found[max(found)] if found else None
        match response.WhichOneof("payload"):
            case "source":
                assert last is None or last.end is not None, "a sentence begins when the one before has ended"
                assert response.source.sentence == sentence + len(found)
                found[response.source.sentence] = Translated(response.source)
            case "chunk":
                assert last is not None
                assert response.chunk.sentence == last.source.sentence
                last.tokens.extend(response.chunk.tokens)
            case "sentence":
                assert last is not None
                assert response.sentence.sentence == last.source.sentence
                last.end = response.sentence
            case "summary":
                summary = response.summary
    assert summary is not None
    return found, summary


@pytest.mark.parametrize("beam_size", [1, 3])
def test_each_sentence_translates_as_it_does_alone(any_artifact: RunningServer, beam_size: int) -> None:
    found, summary = translate(any_artifact, TEXT, beam_size=beam_size)
    assert [TEXT[each.source.start : each.source.end] for each in found.values()] == SENTENCES
    translations = []
    for number, sentence in enumerate(SENTENCES):
        alone, whole = translate(any_artifact, sentence, beam_size=beam_size)
        assert found[number].source.tokens == alone[0].source.tokens
        assert found[number].numbers == alone[0].numbers
        end = found[number].end
        assert end is not None
        assert (end.text, end.score, end.finish_reason) == (whole.text, whole.score, whole.finish_reason)
        translations.append(whole.text)
    parts = [separator + text for separator, text in zip(SEPARATORS, translations, strict=True)]
    assert summary.text == "".join(parts) + TRAILING
    assert "".join(each.text for each in found.values()) + summary.trailing_text == summary.text
    assert summary.trailing_text == TRAILING


def test_attention_of_a_token_is_over_its_own_sentence(server: RunningServer) -> None:
    found, summary = translate(server, TEXT)
    for each in found.values():
        for token in each.tokens:
            assert len(token.attention) == len(each.source.tokens)
            assert sum(token.attention) == pytest.approx(1, abs=1e-5)
    assert summary.source_tokens == sum(len(each.source.tokens) for each in found.values())
    assert summary.target_tokens == sum(len(each.tokens) for each in found.values())
    assert summary.score == pytest.approx(sum(each.end.score for each in found.values() if each.end))


def test_texts_in_one_batch_translate_as_they_do_alone(server: RunningServer) -> None:
    texts = [" ".join(SENTENCES[first:]) for first in range(len(SENTENCES))]
    alone = [translate(server, text)[1].text for text in texts]
    calls = [partial(translate, server, text) for text in texts * 4]
    assert [summary.text for _, summary in together(calls)] == alone * 4


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("text", ["cat", "the cat sees the dog"])
def test_output_is_limited_by_the_length_of_the_source(server: RunningServer, text: str, beam_size: int) -> None:
    # The model is not trained, and goes on for as long as it may.
    found, summary = translate(server, text, beam_size=beam_size)
    assert len(found[0].tokens) <= 2 * len(found[0].source.tokens) + 10
    if len(found[0].tokens) == 2 * len(found[0].source.tokens) + 10:
        assert summary.finish_reason == generation_pb2.FINISH_REASON_LENGTH
    shorter, _ = translate(server, text, beam_size=beam_size, max_tokens=3)
    assert len(shorter[0].tokens) <= 3


def test_max_tokens_over_the_relative_limit_is_not_an_error(server: RunningServer) -> None:
    assert translate(server, "cat", max_tokens=96)[0][0].numbers == translate(server, "cat")[0][0].numbers


@pytest.mark.parametrize("beam_size", [1, 3])
def test_resumed_stream_continues_with_the_tokens_it_would_have_had(server: RunningServer, beam_size: int) -> None:
    whole, summary = translate(server, TEXT, beam_size=beam_size)
    for sentence, each in whole.items():
        for position in {0, 1, len(each.tokens) - 1, len(each.tokens)}:
            rest, end = translate(server, TEXT, beam_size=beam_size, sentence=sentence, position=position)
            assert list(rest) == list(whole)[sentence:]
            assert rest[sentence].source == each.source
            assert rest[sentence].tokens == each.tokens[position:]
            assert rest[sentence].end == each.end
            assert all(rest[later].tokens == whole[later].tokens for later in list(rest)[1:])
            assert end.trailing_text == summary.trailing_text
            assert summary.text.endswith(end.text)


def test_stream_that_lacks_only_its_summary_is_resumed(server: RunningServer) -> None:
    rest, summary = translate(server, TEXT, sentence=len(SENTENCES))
    assert rest == {}
    assert summary.trailing_text == TRAILING


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("...", "has no letter and no digit, so nothing to translate"),
        ("\U0001f600 :)\n?!", "has no letter and no digit, so nothing to translate"),
        ("A cat. " + "cat " * 300 + ".", "sentence 2 ('cat cat cat cat cat …') must have at most 96 tokens, not"),
        ("Hi. " * 257, "must have at most 256 sentences, not 257"),
        ("Hi. " * 2501, "must have at most 10000 characters, not 10004"),
    ],
    ids=lambda value: value[:16],
)
def test_text_that_cannot_be_translated_is_refused_before_anything_is_sent(
    server: RunningServer, text: str, words: str
) -> None:
    call = server.translation.Translate(pb.TranslateRequest(model="translation-en-fr", text=text), timeout=CALL_SECONDS)
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    named, description = violation(caught.value)
    assert named == "text"
    assert words in description


@pytest.mark.parametrize(
    ("sentence", "position", "words"),
    [
        (7, 0, "resumption.sentence: must be between 0 and 6, not 7"),
        (6, 1, "resumption.position: must be between 0 and 0, not 1"),
        (0, 97, "resumption.position: must be between 0 and"),
    ],
)
def test_resumption_outside_the_text_is_refused(
    server: RunningServer, sentence: int, position: int, words: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        translate(server, TEXT, sentence=sentence, position=position)
    assert words in str(caught.value.details())


def test_position_behind_the_end_of_its_sentence_is_refused(server: RunningServer) -> None:
    found, _ = translate(server, TEXT)
    ended = [each for each in found.values() if len(each.tokens) < 2 * len(each.source.tokens) + 10]
    for each in ended:
        with pytest.raises(grpc.RpcError) as caught:
            translate(server, TEXT, sentence=each.source.sentence, position=len(each.tokens) + 1)
        assert violation(caught.value)[0] == "resumption.position"


def test_text_over_the_places_of_the_server_runs_with_those_there_are(server: RunningServer) -> None:
    text = "A cat. " * 100
    found, summary = translate(server, text, beam_size=2)
    assert len(found) == 100
    assert len({each.text.strip() for each in found.values()}) == 1
    assert summary.text == " ".join(each.text.strip() for each in found.values())
