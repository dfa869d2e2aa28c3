"""The experiments: each a plain function from settings to a result, and a report made of it."""
