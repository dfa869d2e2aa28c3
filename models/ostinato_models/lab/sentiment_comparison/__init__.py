"""Experiment sentiment-comparison: what word order, gates and a second direction are worth, and what they cost."""
