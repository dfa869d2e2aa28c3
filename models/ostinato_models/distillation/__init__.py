"""Knowledge distillation: a large teacher labels texts that a small network then learns from."""
