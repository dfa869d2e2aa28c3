"""Versions come, go and change places while streams run: no stream notices."""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import rmtree

import grpc
import pytest
from grpc_health.v1 import health_pb2
from tests.bundles import build_tiny_version
from tests.integration.harness import CALL_SECONDS, generate, serving
from tests.integration.versions import STREAMS, TOKENS, References, ask, put, states, streams, texts_of

from ostinato.v1 import models_pb2, sentiment_pb2
from ostinato_server.engine.worker import Worker
from ostinato_server.errors import BundleNotFound, ModelNotFound
from ostinato_server.repository.index import State


def engines() -> tuple[int, int]:
    """How many engines there are, as threads and as objects in memory."""
    gc.collect()
    running = [thread for thread in threading.enumerate() if thread.name.startswith("engine-")]
    return len(running), sum(issubclass(type(each), Worker) for each in gc.get_objects())


def test_streams_end_on_the_version_they_began_on_and_new_ones_take_the_new(
    store: Path, first_version: Path, references: References
) -> None:
    with serving(first_version, window=4) as server:
        (old,) = server.wait(server.lifecycle.load("char-lm"))
        with streams(server) as finish:
            put(store, first_version, 2)
            (new,) = server.wait(server.lifecycle.load("char-lm"))
            assert (old.version, new.version) == (1, 2)
            assert states(server) == {1: State.DRAINING, 2: State.LOADED}
            assert old.uses.count == STREAMS

            after = generate(server, ask(0))
            assert (after.summary.version, after.text) == (2, references[2, 0])
            before = finish()
        assert [result.text for result in before] == texts_of(1, references)
        assert {result.summary.version for result in before} == {1}
        server.wait(server.lifecycle.drained())
        assert states(server) == {1: State.AVAILABLE, 2: State.LOADED}


def test_version_that_has_drained_is_out_of_memory(store: Path, first_version: Path) -> None:
    with serving(first_version) as server:
        (old,) = server.wait(server.lifecycle.load("char-lm"))
        engine = weakref.ref(old.worker)
        generate(server, ask(0, tokens=5))
        put(store, first_version, 2)
        server.wait(server.lifecycle.load("char-lm"))
        server.wait(server.lifecycle.drained())
        del old
        assert engine() is None


def test_unloaded_model_ends_its_streams_and_is_not_found_by_new_ones(
    first_version: Path, references: References
) -> None:
    with serving(first_version, window=4) as server, streams(server) as finish:
        assert server.health("char-lm") == health_pb2.HealthCheckResponse.SERVING
        assert server.wait(server.lifecycle.unload("char-lm")) == []
        with pytest.raises(grpc.RpcError) as caught:
            generate(server, ask(0))
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        assert caught.value.details() == "no model 'char-lm'; loaded: none"
        assert server.health("char-lm") == health_pb2.HealthCheckResponse.NOT_SERVING
        assert server.models.ListModels(models_pb2.ListModelsRequest()).models == []

        assert [result.text for result in finish()] == texts_of(1, references)
        server.wait(server.lifecycle.drained())
        samples = server.scrape()
        assert samples["ostinato_model_versions_draining", (("model", "char-lm"),)] == 0
        assert samples["ostinato_requests_running", (("model", "char-lm"),)] == 0
        assert samples["ostinato_generated_tokens_total", (("model", "char-lm"),)] == STREAMS * TOKENS
        assert not [name for name, _ in samples if name == "ostinato_model_info"]
        with pytest.raises(ModelNotFound):
            server.wait(server.lifecycle.unload("char-lm"))


def test_swapping_back_and_forth_under_streams_loses_no_character_and_no_thread(
    store: Path, first_version: Path, references: References
) -> None:
    put(store, first_version, 2)
    swaps = 10
    outside = engines()
    with serving(first_version) as server:
        before = engines()
        stop = threading.Event()

        def stream_until_told(seed: int) -> Counter[int]:
            seen: Counter[int] = Counter()
            while not (stop.is_set() and seen):
                result = generate(server, ask(seed, tokens=200))
                assert result.text == references[result.summary.version, seed][:200]
                seen[result.summary.version] += 1
            return seen

        with ThreadPoolExecutor(STREAMS) as pool:
            readers = [pool.submit(stream_until_told, seed) for seed in range(STREAMS)]
            try:
                for _ in range(swaps):
                    for there, back in ((1, 2), (2, 1)):
                        server.wait(server.lifecycle.load("char-lm", there))
                        server.wait(server.lifecycle.unload("char-lm", back))
                        assert generate(server, ask(0, tokens=5)).summary.version == there
            finally:
                stop.set()
            seen = sum((reader.result(CALL_SECONDS) for reader in readers), Counter[int]())
        server.wait(server.lifecycle.drained())
        assert seen.total() >= STREAMS
        assert engines() == before
        changes = {
            dict(labels)["change"]: value
            for (name, labels), value in server.scrape().items()
            if name == "ostinato_model_changes_total"
        }
        assert changes == {"loaded": 2 * swaps + 1, "unloaded": 2 * swaps, "refused": 0}
    assert engines() == outside


def test_policy_serves_the_newest_two_and_lets_the_third_go(store: Path, first_version: Path) -> None:
    put(store, first_version, 2)
    with serving(first_version, versions=("char-lm=latest:2",), model_control="poll", poll_seconds=3600) as server:
        assert states(server) == {1: State.LOADED, 2: State.LOADED}
        assert generate(server, ask(0, version=1, tokens=5)).summary.version == 1
        assert generate(server, ask(0, tokens=5)).summary.version == 2

        put(store, first_version, 3)
        server.wait(server.lifecycle.refresh())
        server.wait(server.lifecycle.drained())
        assert states(server) == {1: State.AVAILABLE, 2: State.LOADED, 3: State.LOADED}
        with pytest.raises(grpc.RpcError) as caught:
            generate(server, ask(0, version=1))
        assert caught.value.details() == "no model 'char-lm' version 1; loaded: char-lm version 2, char-lm version 3"


def test_named_versions_are_served_and_no_newer_one(store: Path, first_version: Path) -> None:
    put(store, first_version, 2)
    with serving(first_version, versions=("char-lm=1",)) as server:
        assert states(server) == {1: State.LOADED, 2: State.AVAILABLE}
        assert generate(server, ask(0, tokens=5)).summary.version == 1


def test_version_named_in_a_load_is_served_beside_the_others(store: Path, first_version: Path) -> None:
    put(store, first_version, 2)
    with serving(first_version) as server:
        assert states(server) == {1: State.AVAILABLE, 2: State.LOADED}
        server.wait(server.lifecycle.load("char-lm", 1))
        assert states(server) == {1: State.LOADED, 2: State.LOADED}
        server.wait(server.lifecycle.load("char-lm"))
        assert states(server)[2] == State.LOADED
        with pytest.raises(BundleNotFound, match="no model 'char-lm' version 7; it has version 1, 2"):
            server.wait(server.lifecycle.load("char-lm", 7))
        with pytest.raises(BundleNotFound, match=r"the repository has no model '\.\./char-lm'$"):
            server.wait(server.lifecycle.load("../char-lm"))


def test_polling_server_starts_empty_and_serves_what_appears(store: Path, tmp_path: Path) -> None:
    with serving(tmp_path, model_control="poll", poll_seconds=0.1) as server:
        assert server.health() == health_pb2.HealthCheckResponse.NOT_SERVING
        watch = server.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )(health_pb2.HealthCheckRequest(service="char-lm"), timeout=CALL_SECONDS)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        put(store, tmp_path, 1)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        assert generate(server, ask(0, tokens=5)).summary.version == 1
        build_tiny_version(tmp_path, "sentiment", 1)  # an empty repository would unload nothing
        rmtree(tmp_path / "char-lm")
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()


def test_bundle_that_is_missing_for_a_moment_stays(store: Path, first_version: Path) -> None:
    with serving(first_version) as server:
        folder = first_version / "char-lm" / "1"
        folder.rename(first_version / "aside")
        server.wait(server.lifecycle.refresh())
        assert states(server) == {1: State.LOADED}
        (first_version / "aside").rename(folder)
        server.wait(server.lifecycle.refresh())
        assert states(server) == {1: State.LOADED}
        put(store, first_version, 2)
        rmtree(folder)
        server.wait(server.lifecycle.refresh())
        server.wait(server.lifecycle.refresh())
        server.wait(server.lifecycle.drained())
        assert states(server) == {2: State.LOADED}


def test_bundle_that_is_written_anew_is_loaded_anew(store: Path, first_version: Path, references: References) -> None:
    with serving(first_version) as server:
        (old,) = server.wait(server.lifecycle.load("char-lm"))
        assert server.wait(server.lifecycle.load("char-lm")) == [old]
        rmtree(first_version / "char-lm" / "1")
        put(store, first_version, 1)
        (new,) = server.wait(server.lifecycle.load("char-lm"))
        assert new is not old
        assert generate(server, ask(3)).text == references[1, 3]


def test_stream_of_texts_keeps_its_version_to_its_end(tmp_path: Path) -> None:
    build_tiny_version(tmp_path, "sentiment", 1)
    with serving(tmp_path) as server:
        more = threading.Event()

        def texts() -> Iterator[sentiment_pb2.ClassifyStreamRequest]:
            for number in range(4):
                if number == 2:
                    more.wait(CALL_SECONDS)
                yield sentiment_pb2.ClassifyStreamRequest(model="sentiment", text="a good film", request_id=str(number))

        answers = server.sentiment.ClassifyStream(texts(), timeout=CALL_SECONDS)
        versions = [next(answers).score.version, next(answers).score.version]
        build_tiny_version(tmp_path, "sentiment", 2)
        server.wait(server.lifecycle.load("sentiment"))
        request = sentiment_pb2.ClassifyRequest(model="sentiment", text="a good film")
        assert server.sentiment.Classify(request, timeout=CALL_SECONDS).score.version == 2
        more.set()
        assert versions + [answer.score.version for answer in answers] == [1, 1, 1, 1]
        server.wait(server.lifecycle.drained())


def test_stopping_server_ends_what_drains(store: Path, first_version: Path) -> None:
    threads, _ = engines()
    with serving(first_version, window=4, grace_seconds=0.1) as server, streams(server):
        put(store, first_version, 2)
        server.wait(server.lifecycle.load("char-lm"))
        server.begin_stop()()
        assert engines()[0] == threads
