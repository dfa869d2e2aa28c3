"""Load generator and micro-benchmarks.

``ostinato bench`` loads a server from a process of its own; ``python -m ostinato_bench.micro`` times single steps of
the shipped graphs.
"""
