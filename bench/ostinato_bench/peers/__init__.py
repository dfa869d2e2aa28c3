"""The same weights and the same work through other model servers: ``python -m ostinato_bench.peers``."""
