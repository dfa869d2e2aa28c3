"""Runs a model's graphs: one small protocol, implemented with ONNX Runtime and TorchScript."""
