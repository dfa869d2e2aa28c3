"""Experiment sampling: what temperature, top-k and top-p do to the text that a language model writes."""
