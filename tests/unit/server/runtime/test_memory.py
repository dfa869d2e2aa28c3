import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ostinato_bundle import Tensor
from ostinato_server.runtime.memory import SOURCE_STEP, MemoryBlock

TENSORS = (
    Tensor(name="memory_0", data_type="float32", shape=(-1, -1, 3)),
    Tensor(name="memory_1", data_type="float32", shape=(-1, -1, 2)),
)


def memory(length: int, fill: float) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return [np.full((length, width), fill, np.float32) for width in (3, 2)]


def test_source_is_padded_to_a_multiple_with_zeros() -> None:
    block = MemoryBlock(TENSORS, 4)
    block.write(0, memory(SOURCE_STEP + 1, 7.0), alone=True)
    assert block.source == 2 * SOURCE_STEP
    assert [b.shape for b in block.blocks] == [(4, 32, 3), (4, 32, 2)]
    assert block.blocks[0][0, 16].tolist() == [7.0] * 3
    assert not block.blocks[0][0, 17:].any()


def test_row_that_was_longer_before_leaves_nothing_behind() -> None:
    block = MemoryBlock(TENSORS, 2)
    block.write(0, memory(16, 5.0), alone=True)
    block.write(0, memory(2, 1.0), alone=False)
    assert not block.blocks[0][0, 2:].any()


def test_longer_source_keeps_the_rows_that_are_there() -> None:
    block = MemoryBlock(TENSORS, 2)
    assert not block.write(0, memory(3, 1.0), alone=True)
    assert block.write(1, memory(40, 2.0), alone=False)
    assert [part.tolist() for part in block.read(0)] == [part.tolist() for part in memory(3, 1.0)]


def test_block_shrinks_only_when_no_other_row_is_live() -> None:
    block = MemoryBlock(TENSORS, 2)
    block.write(0, memory(40, 1.0), alone=True)
    assert not block.write(1, memory(3, 1.0), alone=False)
    assert block.write(0, memory(3, 1.0), alone=True)
    assert block.source == SOURCE_STEP


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60)), min_size=1, max_size=20))
def test_what_is_written_is_read_back_whatever_came_between(writes: list[tuple[int, int]]) -> None:
    block = MemoryBlock(TENSORS, 4)
    kept: dict[int, tuple[int, float]] = {}
    for number, (row, length) in enumerate(writes):
        block.write(row, memory(length, number + 1), alone=False)
        kept[row] = (length, number + 1)
    for row, (length, fill) in kept.items():
        assert [part.tolist() for part in block.read(row)] == [part.tolist() for part in memory(length, fill)]
