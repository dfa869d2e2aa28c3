"""An encoder-decoder with attention and without: what a fixed-size memory loses, and where attention looks."""
