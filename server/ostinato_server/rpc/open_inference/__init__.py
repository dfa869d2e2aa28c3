"""The Open Inference Protocol (KServe V2, with Triton's extensions): tensors in front of the native services."""
