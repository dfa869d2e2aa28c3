from collections import Counter
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.errors import TooManyCalls
from ostinato_server.rpc.limits import CallerLimit, CallShare


@given(most=st.integers(1, 3), moves=st.lists(st.tuples(st.sampled_from("ab"), st.booleans())))
def test_no_caller_has_more_under_way_than_the_limit_and_none_is_refused_below(
    most: int, moves: list[tuple[str, bool]]
) -> None:
    limit = CallerLimit(most)
    inside: Counter[str] = Counter()
    for caller, comes in moves:
        if not comes:
            if inside[caller]:
                limit.leave(caller)
                inside[caller] -= 1
        elif inside[caller] < most:
            limit.enter(caller)
            inside[caller] += 1
        else:
            with pytest.raises(TooManyCalls, match=f"the caller has {most} calls under way, its limit"):
                limit.enter(caller)


def test_first_request_of_a_call_has_the_calls_own_place_and_each_other_one_its_own() -> None:
    limit = CallerLimit(2)
    limit.enter("a")
    share = CallShare(limit, "a")
    with share.request(), ExitStack() as second:
        second.enter_context(share.request())
        with pytest.raises(TooManyCalls), share.request():
            pytest.fail("there is no third place")
        with pytest.raises(TooManyCalls):
            limit.enter("a")
        second.close()
        with share.request():
            pass
    limit.enter("a")
    with share.request(), pytest.raises(TooManyCalls), share.request():
        pytest.fail("the other call has the second place")


@given(most=st.integers(1, 4), moves=st.lists(st.one_of(st.none(), st.integers(0, 3))))
def test_call_takes_as_many_places_as_it_has_requests_and_one_at_least(most: int, moves: list[int | None]) -> None:
    limit = CallerLimit(most)
    limit.enter("a")
    share = CallShare(limit, "a")
    running: list[ExitStack] = []
    for move in moves:
        if move is None and len(running) < most:
            scope = ExitStack()
            scope.enter_context(share.request())
            running.append(scope)
        elif move is not None and move < len(running):
            running.pop(move).close()
        left = most - max(1, len(running))
        for _ in range(left):
            limit.enter("a")
        with pytest.raises(TooManyCalls):
            limit.enter("a")
        for _ in range(left):
            limit.leave("a")
