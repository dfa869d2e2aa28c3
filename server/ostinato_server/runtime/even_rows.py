"""Batch sizes at which PyTorch's CPU kernels give every row the same bits, whatever the other rows and the threads.

Measured with PyTorch 2.13 and its MKL on AVX-512, 1 to 16 threads:

- a matrix product sums the rows in groups of four; the one to three rows left over go another way and come out with
  other last bits, and a single row goes a third way, as a vector;
- an activation (sigmoid, tanh) reads the batch as one run of numbers, 32 at a time; the numbers left over at the end
  take scalar functions, whose last bits differ;
- from 32,768 numbers on, that run is split evenly between threads, and each part has an end of its own.

So a batch is filled up until none of them is left a remainder.
"""

from __future__ import annotations

from collections.abc import Collection

PRODUCT_ROWS = 4
"""Rows that a matrix product takes together."""

VECTOR_NUMBERS = 32
"""Numbers that an activation takes together."""

SERIAL_NUMBERS = 32_768
"""Numbers per thread: an activation over fewer is not split (ATen's grain size)."""


def even_rows(count: int, widths: Collection[int], threads: int) -> int:
    """The smallest batch of at least ``count`` rows that leaves no kernel a remainder.

    Args:
        count: Rows that are wanted, at least one.
        widths: Numbers a row in the layers' states; each layer's activations take rows times its width.
        threads: Threads that the kernels may use.
    """
    rows = -(-count // PRODUCT_ROWS) * PRODUCT_ROWS
    while any(rows * width % (VECTOR_NUMBERS * _parts(rows * width, threads)) for width in widths):
        rows += PRODUCT_ROWS
    return rows


def _parts(numbers: int, threads: int) -> int:
    """Into how many parts an activation is split."""
    return max(1, min(threads, -(-numbers // SERIAL_NUMBERS)))
