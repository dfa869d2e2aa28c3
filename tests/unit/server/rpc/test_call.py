import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.rpc.call import request_id

printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=128)


@given(given=printable)
def test_a_printable_name_is_kept(given: str) -> None:
    assert request_id([("other", "x"), ("x-request-id", given)]) == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a\nb", "é", b"bytes"])
def test_what_would_break_a_log_or_a_header_is_replaced(given: str | bytes) -> None:
    made = request_id([("x-request-id", given)])
    assert (len(made), set(made) <= set("0123456789abcdef")) == (16, True)
    assert made != request_id([])
