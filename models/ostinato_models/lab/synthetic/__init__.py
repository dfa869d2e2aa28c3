"""Tasks made of random numbers, and many small networks trained on them side by side."""
