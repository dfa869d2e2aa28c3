"""The ``ostinato`` command."""
