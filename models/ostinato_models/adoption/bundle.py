"""Writing the bundle of an adopted model: graphs, tokenizer, card, and the manifest last."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import onnx

from ostinato_bundle import Graph, Limits, Manifest, Provenance, file_sha256
from ostinato_models.adoption.adopt import Adopted
from ostinato_models.adoption.card import adopted_card
from ostinato_models.export.sampling import ALTERNATIVES
from ostinato_models.export.shared_tensors import save_graphs
from ostinato_models.export.torchscript import save_module
from ostinato_models.export.writer import UNKNOWN, Target, place_bundle, write_manifest

MAX_INPUT = 4096
"""Characters and tokens of a prompt, as the shipped language model has it.

A recurrent state does not grow, so nothing in the graph sets a limit, and the length of a stream has none.
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """What the owner says of the model, for the manifest and the card."""

    description: str
    license: str
    command: str


def write_adopted(adopted: Adopted, target: Target, statement: Statement) -> Path:
    """Write the bundle: graphs, tokenizer, card, and the manifest last.

    Returns:
        The bundle's folder.

    Raises:
        ExportError: the name is none that can be served, or the bundle cannot be written.
    """

    def fill(folder: Path) -> None:
        (folder / "tokenizer.json").write_text(adopted.vocabulary.tokenizer, encoding="utf-8")
        _save_graphs(adopted, folder)
        manifest = describe_adopted(adopted, target, statement)
        write_manifest(folder, manifest, adopted_card(manifest, adopted.row_difference, adopted.prompts))

    return place_bundle(target, fill)


def describe_adopted(adopted: Adopted, target: Target, statement: Statement) -> Manifest:
    """The bundle's manifest, but for the hashes of its files."""
    step = adopted.graphs["step"][1]
    widths = [tensor.shape[1] for tensor in step.outputs if tensor.name == "top_tokens"]
    return Manifest(
        format_version=1,
        name=target.name,
        version=target.version,
        task="generation",
        description=statement.description,
        license=statement.license,
        architecture={**adopted.facts, "source": adopted.path.name, "source_sha256": file_sha256(adopted.path)},
        tokenizer=adopted.vocabulary.facts,
        limits=Limits(
            max_text_characters=MAX_INPUT,
            max_input_tokens=MAX_INPUT,
            max_alternatives=min([ALTERNATIVES, *widths]) if widths else 0,
        ),
        graphs={
            name: Graph(
                inputs=signature.inputs,
                outputs=signature.outputs,
                artifacts={adopted.artifact: adopted.file_name(name)},
            )
            for name, (_, signature) in adopted.graphs.items()
        },
        parity=adopted.parity,
        provenance=Provenance(
            command=statement.command,
            data_sets={},
            libraries={name: version(name) for name in ("onnx", "onnxruntime", "torch")},
        ),
        files=dict.fromkeys(["tokenizer.json", *map(adopted.file_name, adopted.graphs)], UNKNOWN),
    )


def _save_graphs(adopted: Adopted, folder: Path) -> None:
    models = {}
    for name, (model, _) in adopted.graphs.items():
        path = folder / adopted.file_name(name)
        if isinstance(model, onnx.ModelProto):
            models[path] = model
        else:
            save_module(model, path)
    save_graphs(models, folder / "tensors.bin")
