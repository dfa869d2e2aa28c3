"""The model card of a bundle that was trained elsewhere."""

from __future__ import annotations

from ostinato_bundle import Manifest
from ostinato_models.export.card import table


def adopted_card(manifest: Manifest, row_difference: float, prompts: str) -> str:
    """The card, in Markdown.

    Args:
        manifest: the bundle's; its file table is not read.
        row_difference: the largest difference between a row alone and in a batch.
        prompts: how they are read.
    """
    step = manifest.graphs["step"]
    promise = (
        "Every bit of a row is the same alone and in a batch, so a request with a seed gives the same text "
        "whatever else is running."
        if row_difference == 0
        else f"A row alone and in a batch agree to rounding ({row_difference:.2g}), not to the bit: "
        "a text may, rarely, depend on what else is running."
    )
    states = ", ".join(f"{tensor.name} {list(tensor.shape[1:])}" for tensor in step.state)
    sections = [
        f"# {manifest.name}, version {manifest.version}",
        manifest.description,
        f"```\nostinato generate TEXT --model {manifest.name}\n```",
        "## Network",
        "It was trained elsewhere and brought here by\n\n" + f"```\n{manifest.provenance.command}\n```",
        table(("", ""), [(key.replace("_", " "), value) for key, value in manifest.architecture.items()]),
        f"States of a row: {states}. {manifest.tokenizer.vocabulary_size:,} tokens.",
        "## What was checked",
        f"{promise} Prompts are read {prompts}.",
        table(
            ("file", "quantity", "largest difference", "allowed"),
            [
                (f"`{row.file}`", row.what, f"{row.max_abs_difference:.2g}", f"{row.tolerance:.2g}")
                for row in manifest.parity
            ],
        ),
        f"Licence: {manifest.license}.",
    ]
    return "\n\n".join(sections) + "\n"
