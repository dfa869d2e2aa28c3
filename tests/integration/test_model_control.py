"""Loading and unloading over the network, where the server allows it."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from tests.integration.harness import generate, serving, violation
from tests.integration.versions import References, ask, put, streams, texts_of

from ostinato.v1 import models_pb2
from ostinato_client import Client, ModelNotFound, ModelState, PermissionDenied, Refused


def test_client_swaps_a_model_under_streams(store: Path, first_version: Path, references: References) -> None:
    with (
        serving(first_version, model_control="explicit", window=4) as server,
        Client(server.address) as client,
        streams(server) as finish,
    ):
        put(store, first_version, 2)
        assert [(model.name, model.version) for model in client.load_model("char-lm")] == [("char-lm", 2)]
        assert [(entry.version, entry.state) for entry in client.repository()] == [
            (1, ModelState.DRAINING),
            (2, ModelState.LOADED),
        ]
        assert client.generate("The cat", seed=0, max_chars=30).text() == references[2, 0][:30]
        assert [result.text for result in finish()] == texts_of(1, references)
        assert client.is_ready("char-lm")
        assert client.unload_model("char-lm") == []
        assert not client.is_ready("char-lm")
        with pytest.raises(ModelNotFound, match="no model 'char-lm'; loaded: none"):
            client.unload_model("char-lm")


def test_refusal_reaches_the_client_with_its_reason(store: Path, first_version: Path) -> None:
    folder = put(store, first_version, 2)
    with serving(first_version, versions=("char-lm=1",), model_control="explicit") as server:
        (folder / "manifest.json").unlink()
        with Client(server.address) as client:
            with pytest.raises(Refused, match=r"version 2 is refused: .+/2/manifest\.json: is missing") as refused:
                client.load_model("char-lm", version=2)
            assert refused.value.reason == "MODEL_REFUSED"
            with pytest.raises(ModelNotFound, match="no model 'char-lm' version 9; it has version 1, 2"):
                client.load_model("char-lm", version=9)
            (_, entry) = client.repository()
            assert (entry.state, entry.reason) == (ModelState.REFUSED, refused.value.message.partition("refused: ")[2])
            assert generate(server, ask(0, tokens=5)).summary.version == 1


@pytest.mark.parametrize("mode", ["none", "poll"])
def test_server_that_does_not_allow_it_changes_nothing(first_version: Path, mode: str) -> None:
    with serving(first_version, model_control=mode) as server, Client(server.address) as client:
        for change in (client.load_model, client.unload_model):
            with pytest.raises(PermissionDenied, match=f"the server runs with --model-control {mode}") as refused:
                change("char-lm")
            assert refused.value.reason == "CONTROL_DISABLED"
        assert [entry.state for entry in client.repository()] == [ModelState.LOADED]


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_name_that_can_be_none_is_an_invalid_argument(first_version: Path, name: str) -> None:
    with serving(first_version, model_control="explicit") as server:
        with pytest.raises(grpc.RpcError) as caught:
            server.models.LoadModel(models_pb2.LoadModelRequest(model=name))
        assert violation(caught.value)[0] == "model"
