"""From weights to a served bundle: graphs, artifacts, parity, manifest and model card."""
