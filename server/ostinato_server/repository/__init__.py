"""Finds, verifies and loads model bundles, and knows which are served."""
