"""Data sets: files, loaders, small grammars, and batches of them."""
