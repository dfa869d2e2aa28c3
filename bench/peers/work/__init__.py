"""The work that every peer does, the same code for all: one ONNX step for a batch of streams, one ONNX classifier.

What differs between peers, and is measured, is all that lies around it: how requests come in, how they are batched, and
how characters get out.  Needs numpy, onnxruntime and tokenizers; runs in each peer's own environment.
"""
