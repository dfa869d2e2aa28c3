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
        packages: Whose versions the tables show; the results files have all.
        threads: ONNX Runtime's threads, Ostinato's that share a step's rows: of 1 and 2, what served more characters.
        runtime: Ostinato's ``--runtime``; empty for a peer.
        note: What a reader of its row must know.
    """

    name: str
    title: str
    kind: str
    transport: str
    batching: str
    packages: tuple[str, ...]
    threads: int = 1
    runtime: str = ""
    note: str = ""


OSTINATO = (
    Server(
        "ostinato-int8",
        "Ostinato, int8",
        "ostinato",
        "gRPC",
        "continuous",
        ("ostinato", "grpcio", "onnxruntime"),
        threads=2,
        runtime="onnx-int8",
        note="The default. Under load a message carries several characters.",
    ),
    Server(
        "ostinato-onnx",
        "Ostinato, fp32 ONNX",
        "ostinato",
        "gRPC",
        "continuous",
        ("ostinato", "grpcio", "onnxruntime"),
        threads=2,
        runtime="onnx",
        note="The graph that the peers run. Under load a message carries several characters.",
    ),
)
PEERS = (
    Server(
        "triton",
        "Triton",
        "triton",
        "gRPC",
        "continuous",
        ("nvidia-pytriton", "onnxruntime", "numpy"),
        note="Decoupled Python backend; a second thread sends while the next step runs. Sentiment: dynamic batcher.",
    ),
    Server(
        "litserve",
        "LitServe",
        "litserve",
        "HTTP chunks",
        "continuous",
        ("litserve", "uvicorn", "onnxruntime"),
        threads=2,
        note="Its own `ContinuousBatchingLoop`, with `fast_queue`. Sentiment: `max_batch_size`.",
    ),
    Server(
        "bentoml",
        "BentoML",
        "bentoml",
        "HTTP chunks",
        "continuous",
        ("bentoml", "uvicorn", "onnxruntime"),
        threads=2,
        note="An async generator over a batching loop in the service. Sentiment: adaptive batching.",
    ),
    Server(
        "mlserver",
        "MLServer",
        "mlserver",
        "gRPC",
        "continuous",
        ("mlserver", "grpcio", "onnxruntime"),
        threads=2,
        note="`predict_stream` over a batching loop in the model. Sentiment: adaptive batching.",
    ),
    Server(
        "ray",
        "Ray Serve",
        "ray",
        "gRPC",
        "continuous",
        ("ray", "grpcio", "onnxruntime"),
        note="A streaming method over a batching loop in the replica, gRPC proxy. Sentiment: `serve.batch`.",
    ),
    Server(
        "torchserve",
        "TorchServe",
        "torchserve",
        "HTTP chunks",
        "lockstep",
        ("torchserve", "torch", "onnxruntime"),
        threads=2,
        note="A batch runs from its first character to its last; the socket takes one message a step for all streams. "
        "A batch waits up to 20 ms to fill, which a single stream pays.",
    ),
)
