"""The model card: a bundle's README.md, written from its manifest and the record of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ostinato_bundle import Manifest
from ostinato_models.export.datasets import describe, language_pair

_USES = {
    "generation": 'ostinato generate "ROMEO:" --model {name}',
    "sentiment": 'ostinato sentiment "A film that is hard not to like." --model {name}',
    "translation": 'ostinato translate "{sentence}" --model {name}',
}
_SENTENCES = {"de": "Zwei Kinder spielen im Park.", "en": "Where is the station?"}
"""To translate, by language."""


def model_card(manifest: Manifest, record: Mapping[str, Any]) -> str:
    """The card, in Markdown.

    Args:
        manifest: the bundle's; its file table is not read.
        record: the run directory's ``config.json``.
    """
    facts = describe(record["data"]["name"])
    sections = [
        f"# {manifest.name}, version {manifest.version}",
        facts.description,
        f"```\n{_use(manifest, record['data']['name'])}\n```",
        "## Results",
        _results(manifest, record),
        _measuring(facts.measuring),
        "## Network",
        table(("", ""), [(_words(key), value) for key, value in manifest.architecture.items() if value is not None]),
        "## Data",
        facts.about,
        table(("split", "examples"), [(name, f"{count:,}") for name, count in record["data"]["examples"].items()]),
        table(("file", "sha256"), [(name, f"`{digest}`") for name, digest in record["data"]["files"].items()])
        if record["data"]["files"]
        else "The text is made by this project's own generator.",
        f"Licence: {facts.license}.",
        "## Training",
        f"```\n{record['command']}\n```",
        _teacher(record),
        f"Seed {record['seed']}, {record['seconds'] / 60:.0f} minutes on {record['device'].upper()}; "
        + ", ".join(f"{name} {version}" for name, version in record["libraries"].items())
        + ".",
        _curve(record["curve"]),
        "## Files and parity",
        "`weights.safetensors` (fp16) is canonical: `ostinato export --bundle` derives every other graph from it. "
        "Largest differences from PyTorch in fp32, over batches and lengths other than those of the export:",
        table(
            ("file", "quantity", "largest difference", "allowed"),
            [
                (f"`{row.file}`", row.what, f"{row.max_abs_difference:.2g}", f"{row.tolerance:.2g}")
                for row in manifest.parity
            ],
        ),
        "## Limits and biases",
        _limits(manifest),
        facts.biases,
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _use(manifest: Manifest, data_set: str) -> str:
    source, _ = language_pair(data_set) or ("en", "fr")
    return _USES[manifest.task].format(name=manifest.name, sentence=_SENTENCES.get(source, "…"))


def _results(manifest: Manifest, record: Mapping[str, Any]) -> str:
    if manifest.evaluation:
        rows = [(row.measure, f"{row.value:.4g}", row.data_set, row.artifact) for row in manifest.evaluation]
        return table(("measure", "value", "measured on", "artifact"), rows)
    measured = [(_words(name), f"{value:.4g}") for name, value in record["results"].items()]
    return "Measured by the training itself, in PyTorch:\n\n" + table(("measure", "value"), measured)


def _measuring(commands: Sequence[str]) -> str:
    if not commands:
        return ""
    block = "\n".join(("```", *commands, "```"))
    return f"To measure the served files on what was held out, in the data folder:\n\n{block}"


def _teacher(record: Mapping[str, Any]) -> str:
    teacher = record.get("teacher")
    if teacher is None:
        return ""
    results = ", ".join(f"{_words(name)} {value:.4g}" for name, value in teacher["results"].items())
    return (
        f"It learnt from a teacher's judgements of {teacher['data']['texts']:,} texts, made by\n\n"
        f"```\n{teacher['command']}\n```\n\nThe teacher, a fine-tuned {teacher['network']}: {results}."
    )


def _curve(curve: Sequence[Mapping[str, float]]) -> str:
    if not curve:
        return ""
    names = [name for name in curve[0] if all(name in row for row in curve)]
    return table([_words(name) for name in names], [[_number(row[name]) for name in names] for row in curve])


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _limits(manifest: Manifest) -> str:
    limits = manifest.limits
    asked = {name: value for name, value in limits.model_dump().items() if value and name.startswith("max_")}
    unlimited = manifest.task == "generation" and not limits.max_new_tokens
    text = (
        "The server refuses requests beyond: "
        + ", ".join(f"{value:,} {_words(name.removeprefix('max_'))}" for name, value in asked.items()).replace(
            "beam size", "as beam size"
        )
        + "."
        + (" The length of a stream is limited by the server alone (`--max-new-tokens`)." if unlimited else "")
    )
    if manifest.task == "translation":
        text += " The limits of tokens hold for each sentence of a text."
    if limits.new_tokens_per_input_token:
        text += (
            f" A translation ends at {limits.new_tokens_per_input_token:g} tokens for each source token and "
            f"{limits.new_tokens_extra} more."
        )
    return text


def _words(name: str) -> str:
    return name.replace("_", " ")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
