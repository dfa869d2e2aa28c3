"""Cellular batching: streams join and leave the batch at every step (Gao et al., BatchMaker, EuroSys 2018).

The engine knows neither gRPC nor torch: requests come in as plain values, tokens go out through bounded streams.
"""
