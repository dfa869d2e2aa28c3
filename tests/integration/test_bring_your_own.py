"""The page docs/bring-your-own.md, run: an owner's PyTorch model is exported, adopted, served and streamed."""

from __future__ import annotations

import contextlib
import json
import runpy
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from tests.documentation import code_blocks, commands
from tests.integration.harness import CALL_SECONDS, RunningServer, generate, serving, together
from torch import nn

from ostinato.v1 import generation_pb2 as pb
from ostinato_bundle import open_bundle
from ostinato_client import Client, InvalidRequest
from ostinato_models.cli.export import export

PAGE = "bring-your-own.md"
COMMAND = "ostinato export --from"


@dataclass(frozen=True, slots=True)
class Owner:
    """What the page's code leaves: the model, its characters, and the folder with its files."""

    model: nn.Module
    characters: list[str]
    layers: int
    hidden: int
    folder: Path

    def greedy(self, prompt: str, count: int) -> tuple[str, list[float]]:
        """The most probable continuation and its log-probabilities, one step of plain PyTorch at a time."""
        h = c = torch.zeros(self.layers, 1, self.hidden)
        text, logprobs = prompt, []
        with torch.inference_mode():
            for place in range(len(prompt) + count - 1):
                logits, h, c = self.model(torch.tensor([[self.characters.index(text[place])]]), h, c)
                if place >= len(prompt) - 1:
                    best = logits[0, -1].log_softmax(dim=0).max(dim=0)
                    text += self.characters[int(best.indices)]
                    logprobs.append(float(best.values))
        return text[len(prompt) :], logprobs


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Owner:
    folder = tmp_path_factory.mktemp("owner")
    *model_of_the_owner, _ = code_blocks(PAGE, "python")
    (folder / "mine.py").write_text("\n".join(model_of_the_owner), encoding="utf-8")
    with contextlib.chdir(folder), warnings.catch_warnings():
        # torch calls TorchScript and the exporter based on it deprecated, and warns of every shape that nn.LSTM checks.
        warnings.simplefilter("ignore")
        scope = runpy.run_path("mine.py", run_name="mine")
    model, characters, layers, hidden = (scope[name] for name in ("model", "characters", "LAYERS", "HIDDEN"))
    assert isinstance(model, nn.Module)
    assert isinstance(characters, list)
    assert isinstance(layers, int)
    assert isinstance(hidden, int)
    return Owner(model, characters, layers, hidden, folder)


@pytest.fixture(scope="module")
def printed(owner: Owner) -> str:
    """What the page's commands print, the ONNX one first; they leave `repository/mine/1` and `repository/mine-ts/1`."""
    outputs = []
    for _, _, *arguments in (*commands(PAGE, f"{COMMAND}-onnx"), *commands(PAGE, f"{COMMAND}-torchscript")):
        with contextlib.chdir(owner.folder):
            result = CliRunner().invoke(export, arguments)
        assert result.exit_code == 0, result.output
        outputs.append(result.output)
    assert len(outputs) == 2
    return outputs[0]


@pytest.fixture(scope="module")
def by_hand(owner: Owner, printed: str) -> None:
    """Runs the page's last code, which leaves `repository/by-hand/1`."""
    script = owner.folder / "by_hand.py"
    script.write_text(code_blocks(PAGE, "python")[-1], encoding="utf-8")
    known = {"LAYERS": owner.layers, "HIDDEN": owner.hidden, "characters": owner.characters, "json": json}
    with contextlib.chdir(owner.folder):
        runpy.run_path(str(script), known)


@pytest.fixture(scope="module")
def server(owner: Owner, printed: str, by_hand: None) -> Iterator[RunningServer]:
    with serving(owner.folder / "repository") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


def test_command_prints_what_the_page_says(printed: str) -> None:
    assert printed in code_blocks(PAGE)


@pytest.mark.parametrize("model", ["mine", "mine-ts", "by-hand"])
@pytest.mark.parametrize("prompt", ["T", "To be", "Whether 'tis nobler in the mind to suffer\n"])
def test_greedy_stream_is_what_plain_pytorch_gives_step_by_step(
    client: Client, owner: Owner, model: str, prompt: str
) -> None:
    text, logprobs = owner.greedy(prompt, 60)
    stream = client.generate(prompt, model=model, max_chars=60, temperature=0.0, logprobs=True)
    tokens = [token for chunk in stream for token in chunk.tokens]
    assert "".join(token.text for token in tokens) == text
    assert [token.logprob for token in tokens] == pytest.approx(logprobs, abs=1e-5)


def test_seed_gives_the_same_text_alone_and_in_a_batch(client: Client) -> None:
    def sampled(seed: int) -> str:
        stream = client.generate("To be", model="mine", max_chars=80, temperature=1.0, seed=seed)
        return "".join(chunk.text for chunk in stream)

    alone = [sampled(seed) for seed in range(8)]
    assert len(set(alone)) == 8
    assert together([partial(sampled, seed) for seed in range(8)] * 3) == alone * 3


def test_stream_that_broke_goes_on_with_the_very_tokens_it_would_have_had(server: RunningServer) -> None:
    request = pb.GenerateRequest(
        model="mine",
        version=1,
        prompt="To be",
        sampling=pb.SamplingParameters(seed=5),
        stopping=pb.StoppingParameters(max_tokens=60),
        include_logprobs=True,
    )
    whole = [token for chunk in generate(server, request).chunks for token in chunk.tokens]
    request.resumption.token_ids.extend(token.token_id for token in whole[:37])
    *chunks, _ = server.generation.Generate(request, timeout=CALL_SECONDS)
    assert [token for response in chunks for token in response.chunk.tokens] == whole[37:]


def test_character_outside_the_vocabulary_is_refused_by_name(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="has the character 'é', which model mine does not know"):
        list(client.generate("To bé", model="mine", max_chars=5))


def test_manifest_tells_states_command_and_the_owners_file(owner: Owner, printed: str) -> None:
    manifest = open_bundle(owner.folder / "repository" / "mine" / "1").manifest
    assert [tensor.shape for tensor in manifest.graphs["step"].state] == [(-1, 2, 96), (-1, 2, 96)]
    assert (manifest.provenance.seed, manifest.architecture["LSTM"]) == (None, 2)
    assert manifest.provenance.command.startswith("ostinato export ")
    assert json.loads((owner.folder / "characters.json").read_text()) == owner.characters
    alone = manifest.parity[-1]
    assert (alone.what, alone.max_abs_difference) == ("a row alone and the same row in a batch", 0.0)
