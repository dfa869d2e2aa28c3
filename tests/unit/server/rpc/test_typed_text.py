import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.errors import InvalidArgument
from ostinato_server.rpc.typed_text import TypedText


@given(st.lists(st.tuples(st.integers(0, 12), st.text(max_size=6)), max_size=20))
def test_text_is_what_its_changes_make_it_and_a_refused_one_leaves_it(changes: list[tuple[int, str]]) -> None:
    typed = TypedText(20)
    expected, made = "", 0
    for deleted, appended in changes:
        wanted = expected[: len(expected) - deleted] + appended
        if deleted > len(expected) or len(wanted) > 20:
            with pytest.raises(InvalidArgument, match=r"must be at most|may make the text 20 characters long, not"):
                typed.change(deleted, appended)
        else:
            typed.change(deleted, appended)
            expected, made = wanted, made + 1
        assert (typed.text, typed.changes) == (expected, made)
