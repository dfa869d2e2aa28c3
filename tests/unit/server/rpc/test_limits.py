from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.errors import TooManyCalls
from ostinato_server.rpc.limits import CallerLimit


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
