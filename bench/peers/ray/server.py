"""Starts Ray on this machine and Serve in it."""

from __future__ import annotations

import os
import signal

import ray
from application import application
from ray import serve
from ray.serve.config import gRPCOptions

if __name__ == "__main__":
    ports = os.environ["PEER_PORTS"].split()
    ray.init(include_dashboard=False, num_cpus=2, logging_level="warning", _node_ip_address="127.0.0.1")
    serve.start(
        http_options={"host": "127.0.0.1", "port": int(ports[1])},
        grpc_options=gRPCOptions(
            port=int(ports[0]),
            grpc_servicer_functions=[
                "ostinato.v1.generation_pb2_grpc.add_GenerationServiceServicer_to_server",
                "ostinato.v1.sentiment_pb2_grpc.add_SentimentServiceServicer_to_server",
            ],
        ),
    )
    serve.run(application)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()
