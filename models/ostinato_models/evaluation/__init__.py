"""Measuring a bundle: the served files themselves, on data the model has not learnt from."""
