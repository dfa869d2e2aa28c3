from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.engine.outbox import Delivery, Outbox
from ostinato_server.engine.request import Finished, FinishReason, GeneratedToken

END = Finished(FinishReason.LENGTH, 1, 0.0, 0.0, 0.0, 0.0)


def token(number: int) -> GeneratedToken:
    return GeneratedToken(number, str(number), 0.0)


def ids(deliveries: list[Delivery]) -> list[tuple[int, list[int]]]:
    return [(each.stream_id, [token.token_id for token in each.tokens]) for each in deliveries]


def test_first_token_goes_out_at_once_and_the_next_ones_when_the_last_messages_are_paid_for() -> None:
    outbox = Outbox(message_seconds=1.0)
    outbox.add(1, [token(1)], first=True)
    outbox.add(2, [token(2)], first=False)
    outbox.add(3, [token(3)], first=False)
    assert ids(outbox.due(10.0, idle=False)) == [(1, [1]), (2, [2]), (3, [3])]
    outbox.add(2, [token(4)], first=False)
    outbox.add(4, [token(5)], first=True)
    assert ids(outbox.due(11.9, idle=False)) == [(4, [5])]
    outbox.add(2, [token(6)], first=False)
    assert ids(outbox.due(12.0, idle=False)) == [(2, [4, 6])]


def test_end_takes_what_was_held_with_it() -> None:
    outbox = Outbox(message_seconds=1.0)
    outbox.add(1, [token(1)], first=False)
    outbox.due(0.0, idle=False)
    outbox.add(1, [token(2)], first=False)
    outbox.end(1, [token(3)], END)
    (last,) = outbox.due(0.1, idle=False)
    assert ids([last]) == [(1, [2, 3])]
    assert last.end == END


def test_nothing_is_held_back_when_no_step_follows() -> None:
    outbox = Outbox(message_seconds=1.0)
    outbox.add(1, [token(1)], first=False)
    outbox.due(0.0, idle=False)
    outbox.add(1, [token(2)], first=False)
    assert ids(outbox.due(0.1, idle=True)) == [(1, [2])]


def test_stream_without_a_reader_is_forgotten() -> None:
    outbox = Outbox(message_seconds=1.0)
    outbox.add(1, [token(1)], first=False)
    outbox.forget(1)
    assert outbox.due(100.0, idle=True) == []


@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(0, 0.01), st.booleans()), max_size=200),
    st.sampled_from([0.0, 200e-6, 1.0]),
)
def test_every_token_arrives_once_and_in_order(events: list[tuple[int, float, bool]], message_seconds: float) -> None:
    outbox = Outbox(message_seconds)
    now = 0.0
    given_: dict[int, list[int]] = defaultdict(list)
    got: dict[int, list[int]] = defaultdict(list)
    for number, (stream_id, seconds, deliver) in enumerate(events):
        outbox.add(stream_id, [token(number)], first=not given_[stream_id])
        given_[stream_id].append(number)
        now += seconds
        if deliver:
            for each, tokens in ids(outbox.due(now, idle=False)):
                got[each] += tokens
    for each, tokens in ids(outbox.due(now, idle=True)):
        got[each] += tokens
    assert got == given_
