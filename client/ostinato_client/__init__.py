"""The Ostinato client."""
