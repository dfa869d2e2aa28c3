"""Requests as bytes, and the count of tokens in answers."""

from __future__ import annotations

from ostinato.v1 import generation_pb2, sentiment_pb2, translation_pb2
from ostinato_bench.workloads import Generation, Sentiment, Translation


def test_prompts_are_taken_in_turn_and_the_number_is_the_seed() -> None:
    work = Generation(prompts=("a", "b"), max_chars=7)
    asked = generation_pb2.GenerateRequest.FromString(work.request(3))
    assert (asked.prompt, asked.sampling.seed, asked.stopping.max_tokens) == ("b", 3, 7)


def test_only_chunks_of_characters_count() -> None:
    work = Generation(prompts=("a",))
    chunk = generation_pb2.GenerateResponse(chunk=generation_pb2.GeneratedChunk(text="abc", token_count=3))
    summary = generation_pb2.GenerateResponse(summary=generation_pb2.GenerationSummary(generated_tokens=3))
    assert [work.tokens(each.SerializeToString()) for each in (chunk, summary)] == [3, 0]


def test_a_single_text_takes_the_call_for_one() -> None:
    one, two = Sentiment(texts=("a", "b", "c")), Sentiment(texts=("a", "b", "c"), batch=2)
    assert (one.method.rpartition("/")[2], two.method.rpartition("/")[2]) == ("Classify", "ClassifyBatch")
    assert sentiment_pb2.ClassifyRequest.FromString(one.request(1)).text == "b"
    assert list(sentiment_pb2.ClassifyBatchRequest.FromString(two.request(1)).texts) == ["c", "a"]
    assert (one.tokens(b""), two.tokens(b"")) == (1, 2)


def test_target_tokens_count() -> None:
    work = Translation(sentences=("a",), beam_size=2)
    asked = translation_pb2.TranslateRequest.FromString(work.request(0))
    assert (asked.text, asked.beam_size, asked.include_attention) == ("a", 2, True)
    tokens = [translation_pb2.TargetToken(token="x")] * 2
    chunk = translation_pb2.TranslateResponse(chunk=translation_pb2.TargetChunk(tokens=tokens))
    source = translation_pb2.TranslateResponse(source=translation_pb2.SourceSentence(tokens=["a"]))
    assert [work.tokens(each.SerializeToString()) for each in (chunk, source)] == [2, 0]
