from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
import pytest
from tests.integration.harness import CALL_SECONDS, RunningServer, serving, together, violation

from ostinato.v1 import generation_pb2
from ostinato.v1 import translation_pb2 as pb

SENTENCES = ["the cat sees the dog", "a dog", "the big red house is near the small blue house of the old man", "cat"]


@dataclass(frozen=True)
class Translated:
    source: pb.SourceSentence
    tokens: tuple[pb.TargetToken, ...]
    summary: pb.TranslationSummary


def translate(
    server: RunningServer, text: str, *, beam_size: int = 1, include_attention: bool = True, max_tokens: int = 20
) -> Translated:
    request = pb.TranslateRequest(
        model="translation-en-fr",
        text=text,
        beam_size=beam_size,
        include_attention=include_attention,
        max_tokens=max_tokens,
    )
    first, *middle, last = server.translation.Translate(request, timeout=CALL_SECONDS)
    assert first.WhichOneof("payload") == "source"
    assert last.WhichOneof("payload") == "summary"
    return Translated(first.source, tuple(token for each in middle for token in each.chunk.tokens), last.summary)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_attention_has_a_row_per_target_token_over_the_source_tokens(server: RunningServer, beam_size: int) -> None:
    for text in SENTENCES:
        result = translate(server, text, beam_size=beam_size)
        assert result.summary.source_tokens == len(result.source.tokens)
        assert result.summary.target_tokens == len(result.tokens)
        for token in result.tokens:
            assert len(token.attention) == len(result.source.tokens)
            assert sum(token.attention) == pytest.approx(1, abs=1e-5)
            assert min(token.attention) >= 0


def test_attention_is_left_out_when_not_asked_for(server: RunningServer) -> None:
    result = translate(server, SENTENCES[0], include_attention=False)
    assert result.tokens
    assert not any(token.attention for token in result.tokens)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_texts_of_the_tokens_joined_are_the_translation(server: RunningServer, beam_size: int) -> None:
    result = translate(server, SENTENCES[2], beam_size=beam_size)
    assert "".join(token.text for token in result.tokens) == result.summary.text


@pytest.mark.parametrize("beam_size", [1, 4])
def test_sentence_translates_the_same_alone_and_among_31_others(any_artifact: RunningServer, beam_size: int) -> None:
    def run(number: int) -> Translated:
        return translate(any_artifact, SENTENCES[number % 4], beam_size=beam_size)

    alone = [run(number) for number in range(4)]
    for number, result in enumerate(together([partial(run, number) for number in range(32)])):
        assert [t.token for t in result.tokens] == [t.token for t in alone[number % 4].tokens]
        assert result.summary.score == pytest.approx(alone[number % 4].summary.score, abs=1e-4)


def test_beam_never_scores_below_greedy_when_length_is_not_rewarded(server: RunningServer) -> None:
    for text in SENTENCES:
        request = pb.TranslateRequest(model="translation-en-fr", text=text, max_tokens=12, length_penalty=0.0)
        scores = []
        for beam_size in (1, 8):
            request.beam_size = beam_size
            *_, last = server.translation.Translate(request, timeout=CALL_SECONDS)
            if last.summary.finish_reason != generation_pb2.FINISH_REASON_END_OF_SEQUENCE:
                break
            scores.append(last.summary.score)
        else:
            assert scores[1] >= scores[0] - 1e-4


def test_greedy_and_beam_sentences_share_a_batch(server: RunningServer) -> None:
    alone = {(text, beam): translate(server, text, beam_size=beam) for text in SENTENCES for beam in (1, 2, 5)}
    pairs = list(alone) * 3
    results = together([partial(translate, server, text, beam_size=beam) for text, beam in pairs])
    for pair, result in zip(pairs, results, strict=True):
        assert result.summary.text == alone[pair].summary.text


def test_torchscript_translates_as_the_fp32_onnx_file_does(repository: Path) -> None:
    results = []
    for runtime in ("onnx", "torchscript"):
        with serving(repository, runtime=runtime) as running:
            results.append(
                [translate(running, text, beam_size=beam).summary.text for text in SENTENCES for beam in (1, 3)]
            )
    assert results[0] == results[1]


def test_maximum_length_is_kept(server: RunningServer) -> None:
    for beam_size in (1, 4):
        assert len(translate(server, SENTENCES[2], beam_size=beam_size, max_tokens=2).tokens) <= 2


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"text": ""}, "text", "must not be empty"),
        ({"text": " \n\u3000"}, "text", "more than white space"),
        ({"text": "cat " * 10_000}, "text", "at most"),
        ({"beam_size": 0}, "beam_size", "between 1 and 8, not 0"),
        ({"beam_size": 9}, "beam_size", "between 1 and 8, not 9"),
        ({"length_penalty": float("nan")}, "length_penalty", "between 0 and 5, not nan"),
        ({"length_penalty": -1.0}, "length_penalty", "between 0 and 5, not -1"),
        ({"max_tokens": 0}, "max_tokens", "between 1 and"),
        ({"model": "char-lm"}, "model", "does generation, not translation"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_field_is_named_with_its_limit(
    server: RunningServer, changes: dict[str, object], field: str, words: str
) -> None:
    fields: dict[str, object] = {"model": "translation-en-fr", "text": "a cat"} | changes
    with pytest.raises(grpc.RpcError) as caught:
        list(server.translation.Translate(pb.TranslateRequest(**fields), timeout=CALL_SECONDS))  # type: ignore[arg-type]
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    named, description = violation(caught.value)
    assert named == field
    assert words in description
