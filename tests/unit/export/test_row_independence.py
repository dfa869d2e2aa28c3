"""The promise behind "the same request gives the same text, whatever else is running": rows do not see each other."""

from pathlib import Path

import numpy as np
import pytest
from tests.unit.export.graphs import ONNX, differing, opened, rows_of, stacked, states_after

from ostinato_bundle import Artifact
from ostinato_models.export.execution import Array, Arrays, GraphRun
from ostinato_models.export.source import Source
from ostinato_models.export.untrained import untrained_classifier, untrained_generator, untrained_translator
from ostinato_models.networks.attention import AttentionName
from ostinato_models.networks.cells import CellName

BATCHES = [*range(2, 35), 48, 64, 65]
ROWS = max(BATCHES)


def step_inputs(source: Source, layers_states: int, size: int) -> dict[str, Array]:
    random = np.random.default_rng(7)
    states = {
        f"state_{index}": random.uniform(-1, 1, (ROWS, size)).astype(np.float32) for index in range(layers_states)
    }
    return {
        "token": random.integers(0, source.config.vocabulary_size, ROWS),
        **states,
        "temperature": random.choice([0.0, 0.7, 1.0], ROWS).astype(np.float32),
        "top_k": random.choice([0, 5], ROWS),
        "top_p": random.choice([0.9, 1.0], ROWS).astype(np.float32),
        "uniform": random.random(ROWS, dtype=np.float32),
    }


def texts(vocabulary: int, longest: int) -> tuple[Array, Array]:
    random = np.random.default_rng(11)
    lengths = random.integers(1, longest + 1, ROWS)
    lengths[0] = longest
    return random.integers(0, vocabulary, (ROWS, longest)), lengths


def assert_rows_are_independent(run: GraphRun, inputs: Arrays) -> None:
    alone = [run(rows_of(inputs, row, row + 1)) for row in range(ROWS)]
    for count in BATCHES:
        assert differing(run(rows_of(inputs, 0, count)), stacked(alone[:count])) == [], f"in a batch of {count}"


@pytest.mark.parametrize("artifact", ONNX)
@pytest.mark.parametrize(("cell", "size"), [("lstm", 512), ("lstm", 40), ("gru", 96), ("rnn", 33)])
def test_generation_step_gives_the_same_bits_alone_and_in_any_batch(
    artifact: Artifact, cell: CellName, size: int, tmp_path: Path
) -> None:
    source = untrained_generator(cell=cell, hidden_size=size)
    run = opened(source, artifact, tmp_path, "step")["step"]
    assert_rows_are_independent(run, step_inputs(source, 4 if cell == "lstm" else 2, size))


@pytest.mark.parametrize("artifact", ONNX)
@pytest.mark.parametrize(("cell", "batch", "length"), [("lstm", 1, 37), ("gru", 5, 16), ("rnn", 33, 7)])
def test_prefill_gives_the_bits_of_its_steps(
    artifact: Artifact, cell: CellName, batch: int, length: int, tmp_path: Path
) -> None:
    source = untrained_generator(cell=cell, hidden_size=48)
    runs = opened(source, artifact, tmp_path)
    inputs = rows_of(step_inputs(source, 4 if cell == "lstm" else 2, 48), 0, batch)
    tokens = np.random.default_rng(3).integers(0, source.config.vocabulary_size, (batch, length))
    states = {name: value for name, value in inputs.items() if name.startswith("state_")}
    read = states_after(runs["prefill"]({"tokens": tokens, **states}))
    for time in range(length):
        states = states_after(runs["step"]({**inputs, **states, "token": tokens[:, time]}))
    assert differing(read, states) == []


@pytest.mark.parametrize("artifact", ONNX)
def test_prompt_may_be_read_in_chunks_of_any_size(artifact: Artifact, tmp_path: Path) -> None:
    source = untrained_generator()
    run = opened(source, artifact, tmp_path, "prefill")["prefill"]
    tokens = np.random.default_rng(3).integers(0, source.config.vocabulary_size, (2, 29))
    start = {f"state_{index}": np.zeros((2, 32), np.float32) for index in range(4)}
    states: Arrays = start
    for begin, end in ((0, 1), (1, 17), (17, 29)):
        states = states_after(run({"tokens": tokens[:, begin:end], **states}))
    assert differing(states, states_after(run({"tokens": tokens, **start}))) == []


@pytest.mark.parametrize("artifact", ONNX)
@pytest.mark.parametrize("size", [200, 24])
def test_text_scores_the_same_bits_alone_and_padded_in_any_batch(artifact: Artifact, size: int, tmp_path: Path) -> None:
    source = untrained_classifier(size=size)
    run = opened(source, artifact, tmp_path)["classifier"]
    tokens, lengths = texts(source.config.vocabulary_size, 23)
    alone = [
        run({"tokens": tokens[row : row + 1, : lengths[row]], "lengths": lengths[row : row + 1]}) for row in range(ROWS)
    ]
    for count in BATCHES:
        batch = run({"tokens": tokens[:count], "lengths": lengths[:count]})
        assert differing(batch, stacked(alone[:count])) == [], f"in a batch of {count}"


@pytest.mark.parametrize("artifact", ONNX)
@pytest.mark.parametrize("attention", ["general", "additive"])
def test_translation_gives_the_same_bits_in_any_batch_and_under_any_padding_the_server_uses(
    artifact: Artifact, attention: AttentionName, tmp_path: Path
) -> None:
    source = untrained_translator(attention=attention, size=96)
    runs = opened(source, artifact, tmp_path)
    tokens, lengths = texts(source.config.vocabulary_size, 30)
    encoded = runs["encoder"]({"tokens": tokens, "lengths": lengths})
    memory = {name: encoded[name] for name in ("memory_0", "memory_1")}
    token = np.random.default_rng(5).integers(0, source.config.vocabulary_size, ROWS)
    inputs = {"token": token, **states_after(encoded), "lengths": lengths}

    def step(count: int, width: int) -> dict[str, Array]:
        padded = {name: np.zeros((count, width, value.shape[2]), np.float32) for name, value in memory.items()}
        for name, value in memory.items():
            kept = min(width, value.shape[1])
            padded[name][:, :kept] = value[:count, :kept]
        result = runs["step"]({**rows_of(inputs, 0, count), **padded})
        result["attention"] = np.pad(result["attention"], ((0, 0), (0, 64 - width)))
        return result

    whole = step(ROWS, 64)
    for count in (1, 2, 3, 7, 16, 33, 64):
        assert differing(step(count, 64), rows_of(whole, 0, count)) == [], f"in a batch of {count}"
        assert differing(step(count, 32), rows_of(whole, 0, count)) == [], f"in a batch of {count}, source of 32"


@pytest.mark.parametrize("artifact", ONNX)
def test_encoder_gives_the_same_bits_alone_and_padded(artifact: Artifact, tmp_path: Path) -> None:
    source = untrained_translator(size=64, num_layers=2)
    run = opened(source, artifact, tmp_path, "encoder")["encoder"]
    tokens, lengths = texts(source.config.vocabulary_size, 20)
    batch = run({"tokens": tokens, "lengths": lengths})
    for row in range(12):
        length = int(lengths[row])
        alone = run({"tokens": tokens[row : row + 1, :length], "lengths": lengths[row : row + 1]})
        for name, value in alone.items():
            ours = batch[name][row : row + 1]
            np.testing.assert_array_equal(ours[:, :length] if name.startswith("memory") else ours, value, err_msg=name)
            if name.startswith("memory"):
                assert not ours[:, length:].any()
