"""Who is compared, and how each is configured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Server:
    """One row of the tables.

    Attributes:
        name: Its name, and that of its folder under ``bench/peers`` and of its results.
        title: Its name for people.
        kind: How it is asked: a key of ``callers.CALLERS``.
        transport: What the client speaks.
        batching: How streams are batched.
        threads: ONNX Runtime's threads, the better of 1 and 2 as measured.
        runtime: Ostinato's ``--runtime``; empty for a peer.
        note: What a reader of its row must know.
    """

    name: str
    title: str
    kind: str
    transport: str
    batching: str
    threads: int = 1
    runtime: str = ""
    note: str = ""


OSTINATO = (
    Server("ostinato-int8", "Ostinato, int8", "ostinato", "gRPC", "continuous", runtime="onnx-int8"),
    Server("ostinato-onnx", "Ostinato, fp32 ONNX", "ostinato", "gRPC", "continuous", runtime="onnx"),
)
PEERS = (
    Server("triton", "Triton", "triton", "gRPC", "continuous"),
    Server("litserve", "LitServe", "litserve", "HTTP chunks", "continuous"),
    Server("bentoml", "BentoML", "bentoml", "HTTP chunks", "continuous"),
    Server("mlserver", "MLServer", "mlserver", "gRPC", "continuous"),
    Server("ray", "Ray Serve", "ray", "gRPC", "continuous"),
    Server("torchserve", "TorchServe", "torchserve", "HTTP chunks", "lockstep"),
)
