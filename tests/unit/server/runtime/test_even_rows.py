import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.runtime.even_rows import PRODUCT_ROWS, SERIAL_NUMBERS, VECTOR_NUMBERS, even_rows


@given(st.integers(1, 300), st.sets(st.integers(1, 2048), max_size=3), st.integers(1, 16))
def test_nothing_is_left_over_and_no_smaller_batch_would_do(count: int, widths: set[int], threads: int) -> None:
    def even(rows: int) -> bool:
        parts = [max(1, min(threads, -(-rows * width // SERIAL_NUMBERS))) for width in widths]
        whole = all(
            rows * width % part == 0 and rows * width // part % VECTOR_NUMBERS == 0
            for width, part in zip(widths, parts, strict=True)
        )
        return rows % PRODUCT_ROWS == 0 and whole

    rows = even_rows(count, widths, threads)
    assert rows >= count
    assert even(rows)
    assert not any(even(smaller) for smaller in range(count, rows))


@given(st.integers(1, 300), st.integers(0, 300), st.integers(1, 1024), st.integers(1, 8))
def test_room_for_the_largest_batch_is_room_for_all(count: int, more: int, width: int, threads: int) -> None:
    assert even_rows(count, {width}, threads) <= even_rows(count + more, {width}, threads)


@pytest.mark.parametrize(
    ("count", "widths", "threads", "rows"),
    [(1, {512}, 1, 4), (64, {512}, 2, 64), (1, {30}, 1, 16), (1, {33}, 1, 32), (80, {1024}, 8, 84), (9, (), 1, 12)],
)
def test_batches_are_filled_up_by_little(count: int, widths: set[int], threads: int, rows: int) -> None:
    assert even_rows(count, widths, threads) == rows
