"""Classical models that the networks are compared with."""
