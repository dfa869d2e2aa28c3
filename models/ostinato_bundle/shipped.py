"""Where a program finds models if none are named."""

from __future__ import annotations

from pathlib import Path

from ostinato_bundle.bundle import MANIFEST

_BESIDE_THIS_PACKAGE = Path(__file__).resolve().parents[1] / "pretrained"
_IN_A_CHECKOUT = Path("models") / "pretrained"


def default_repository() -> Path | None:
    """``repository/`` in the current folder, else the models that a checkout ships; None if there are neither.

    The checkout is the one that holds this package (an editable installation), else the current folder.
    """
    derived = Path("repository")
    if derived.is_dir():
        return derived
    for shipped in (_BESIDE_THIS_PACKAGE, _IN_A_CHECKOUT):
        # Another project may have a folder of this name, with files that are not bundles.
        if any(shipped.glob(f"*/*/{MANIFEST}")):
            return shipped
    return None
