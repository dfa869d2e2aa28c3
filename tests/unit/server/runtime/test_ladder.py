import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.runtime.ladder import ladder, rung


@pytest.mark.parametrize(
    ("capacity", "rungs"),
    [
        (1, (1,)),
        (4, (1, 2, 4)),
        (5, (1, 2, 4, 5)),
        (16, (1, 2, 4, 8, 16)),
        (17, (1, 2, 4, 8, 16, 17)),
        (64, (1, 2, 4, 8, 16, 32, 48, 64)),
    ],
)
def test_ladder_is_one_two_four_eight_then_by_sixteen_up_to_the_capacity(capacity: int, rungs: tuple[int, ...]) -> None:
    assert ladder(capacity) == rungs


@given(st.integers(1, 2000), st.data())
def test_rung_is_the_smallest_of_the_ladder_that_holds_the_batch(capacity: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, capacity))
    assert rung(count, capacity) == min(size for size in ladder(capacity) if size >= count)


@pytest.mark.parametrize("count", [0, -1, 65])
def test_batch_that_no_rung_holds_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"a step of {count} rows, of 1 to 64"):
        rung(count, 64)
