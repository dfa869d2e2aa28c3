from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.engine.request import GeneratedToken
from ostinato_server.engine.stops import StopFilter


def run(pieces: list[str], stop: list[str]) -> tuple[str, bool, list[str]]:
    """What is sent of a stream: its text, whether a stop ended it, and what each token sent at once."""
    stops = StopFilter(stop)
    sent: list[str] = []
    for piece in pieces:
        safe, stopped = stops.push(GeneratedToken(0, piece, 0.0))
        sent.append("".join(token.text for token in safe))
        if stopped:
            return "".join(sent), True, sent
    sent.append("".join(token.text for token in stops.flush()))
    return "".join(sent), False, sent


def test_text_before_the_stop_is_sent_and_the_stop_is_not() -> None:
    assert run(list("one\n\ntwo"), ["\n\n"])[:2] == ("one", True)


def test_token_that_cannot_begin_a_stop_is_sent_at_once() -> None:
    assert run(list("abc"), ["xyz"])[2] == ["a", "b", "c", ""]


def test_beginning_of_a_stop_is_held_back_until_it_is_none() -> None:
    assert run(list("abac"), ["abx"])[2] == ["", "", "ab", "ac", ""]


def test_stop_inside_a_longer_token_shortens_it() -> None:
    assert run(["he", "llo wor", "ld"], ["o w"])[:2] == ("hell", True)


def test_what_is_held_is_sent_when_the_stream_ends_otherwise() -> None:
    assert run(list("ab"), ["abc"])[:2] == ("ab", False)


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), max_size=20),
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_stream_ends_at_the_first_stop_that_appears(pieces: list[str], stop: list[str]) -> None:
    text, stopped, _ = run(pieces, stop)
    seen = ""
    for piece in pieces:
        seen += piece
        if any(word in seen for word in stop):
            first = min(index for index in (seen.find(word) for word in stop) if index >= 0)
            assert (text, stopped) == (seen[:first], True)
            return
    assert (text, stopped) == (seen, False)


def test_what_is_withheld_and_what_is_sent_are_all_that_was_generated() -> None:
    stops = StopFilter(["o w"])
    sent = [token.text for piece in ("he", "llo wor") for token in stops.push(GeneratedToken(0, piece, 0.0))[0]]
    assert ("".join(sent), stops.withheld) == ("hell", "o wor")
