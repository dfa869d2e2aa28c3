import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.rpc.call import MAX_MODELS, Call, request_id

printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=128)


@given(given=printable)
def test_a_printable_name_is_kept(given: str) -> None:
    assert request_id([("other", "x"), ("x-request-id", given)]) == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a\nb", "é", b"bytes"])
def test_what_would_break_a_log_or_a_header_is_replaced(given: str | bytes) -> None:
    made = request_id([("x-request-id", given)])
    assert (len(made), set(made) <= set("0123456789abcdef")) == (16, True)
    assert made != request_id([])


def test_a_call_has_one_model_until_it_asks_another_version() -> None:
    call = Call("/a/B", "id", "ipv4:10.0.0.1")
    for _ in range(2):
        call.asked("char-lm", 1, "generation")
        assert (call.model, call.version, call.task) == ("char-lm", 1, "generation")
    for version in (2, 1):
        call.asked("char-lm", version, "generation")
        assert (call.model, call.version, call.task) == (None, None, None)
    assert call.models == {("char-lm", 1), ("char-lm", 2)}


def test_a_call_keeps_no_more_models_than_a_line_may_hold() -> None:
    call = Call("/a/B", "id", "ipv4:10.0.0.1")
    for version in range(MAX_MODELS + 5):
        call.asked("char-lm", version, "generation")
    assert call.models == {("char-lm", version) for version in range(MAX_MODELS)}
