"""The model bundle: all that the trainer and the server share.

A bundle is a folder ``<repository>/<model>/<version>/`` with a manifest, canonical weights, a tokenizer and derived
graphs. This package reads, checks and describes such folders; it needs neither torch nor gRPC.
"""

from ostinato_bundle.bundle import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    MODEL_NAME,
    TOKENIZER,
    VERSION,
    Bundle,
    Fingerprint,
    Survey,
    discover,
    file_sha256,
    fingerprint,
    open_bundle,
    read_manifest,
    survey,
)
from ostinato_bundle.errors import BundleError
from ostinato_bundle.manifest import (
    Artifact,
    Evaluation,
    FileRecord,
    Graph,
    Limits,
    Manifest,
    Parity,
    Provenance,
    Tensor,
    TokenizerFacts,
)
from ostinato_bundle.shipped import default_repository

__all__ = [
    "MANIFEST",
    "MAX_MANIFEST_BYTES",
    "MODEL_NAME",
    "TOKENIZER",
    "VERSION",
    "Artifact",
    "Bundle",
    "BundleError",
    "Evaluation",
    "FileRecord",
    "Fingerprint",
    "Graph",
    "Limits",
    "Manifest",
    "Parity",
    "Provenance",
    "Survey",
    "Tensor",
    "TokenizerFacts",
    "default_repository",
    "discover",
    "file_sha256",
    "fingerprint",
    "open_bundle",
    "read_manifest",
    "survey",
]
