"""Experiment word-sense: what an encoder knows of "bank", reading from the left alone and from both sides."""
