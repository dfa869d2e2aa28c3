from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.server.engine.rig import Rig
from tests.unit.server.engine.toy import continuation

from ostinato_server.engine.decode import LONGEST_RUN, Cancel
from ostinato_server.engine.request import Continuation, Finished, FinishReason
from ostinato_server.errors import EngineFault

COMPANION = 1_000_000
TOKENS = st.lists(st.integers(0, 4), min_size=1, max_size=70)


def end(rig: Rig, number: int) -> Finished:
    finished = rig.ends[number]
    assert isinstance(finished, Finished)
    return finished


def until_ended(rig: Rig, number: int) -> None:
    """Lets the engine run until a stream has ended, whatever others do."""
    for _ in range(10_000):
        if number in rig.ends:
            return
        rig.engine.cycle()


def left(rig: Rig, number: int) -> Continuation:
    state = end(rig, number).continuation
    assert state is not None
    return state


@pytest.fixture(params=["step by step", "in runs"])
def rig(request: pytest.FixtureRequest) -> Rig:
    return running_ahead() if request.param == "in runs" else Rig()


def running_ahead(*, prefill: bool = True) -> Rig:
    """An engine that makes 16 steps in a run, beyond the end of many a turn, for the sake of a stream beside it."""
    rig = Rig(prefill=prefill, message_seconds=1e6)
    rig.table.when_stepped = lambda: rig.pass_time(0.0001)
    rig.submit(COMPANION, [4], max_tokens=100_000)
    rig.run(3)
    assert rig.observer.runs[-1] == LONGEST_RUN
    return rig


@settings(deadline=None)
@given(st.lists(st.tuples(TOKENS, st.integers(0, 40)), min_size=1, max_size=5), st.booleans(), st.booleans())
def test_turn_gives_what_the_whole_conversation_as_a_prompt_gives(
    turns: list[tuple[list[int], int]], prefill: bool, ahead: bool
) -> None:
    rig = running_ahead(prefill=prefill) if ahead else Rig(prefill=prefill)
    conversation: list[int] = []
    after: Continuation | None = None
    for number, (text, max_tokens) in enumerate(turns):
        rig.submit(number, text, max_tokens, after=after, keeps_state=True)
        until_ended(rig, number)
        conversation += text
        assert rig.tokens[number] == continuation(conversation, max_tokens)
        conversation += rig.tokens[number]
        after = left(rig, number)


def test_conversation_is_not_read_again() -> None:
    rig = Rig()
    rig.submit(1, [1] * 200, keeps_state=True)
    rig.run()
    read = sum(rig.prefill.chunks)
    rig.submit(2, [2] * 20, after=left(rig, 1), keeps_state=True)
    rig.run()
    assert sum(rig.prefill.chunks) - read == 20  # and the token that was pending; the last one is left to the step


def test_turn_without_text_reads_the_token_that_was_drawn_last() -> None:
    rig = Rig()
    rig.submit(1, [3, 1], 5, keeps_state=True)
    rig.run()
    rig.submit(2, [], 5, after=left(rig, 1))
    rig.run()
    assert rig.tokens[1] + rig.tokens[2] == continuation([3, 1], 10)


@pytest.mark.parametrize("text", [[2], [2, 3, 4], [1] * 40])
def test_text_that_is_only_read_takes_no_row_longer_than_that(text: list[int]) -> None:
    rig = Rig()
    rig.submit(1, text, 0, keeps_state=True)
    rig.run()
    finished = end(rig, 1)
    assert (finished.reason, finished.generated_tokens, rig.tokens[1]) == (FinishReason.LENGTH, 0, [])
    assert left(rig, 1).pending == (text[-1],)
    assert rig.observer.running[-1] == 0


def test_end_of_the_sequence_is_not_part_of_the_conversation(rig: Rig) -> None:
    expected = continuation([2], 30)
    end_id = expected[5]
    rig.submit(1, [2], 30, end_id=end_id, keeps_state=True)
    until_ended(rig, 1)
    assert end(rig, 1).reason is FinishReason.END_OF_SEQUENCE
    rig.submit(2, [4, 4], 6, after=left(rig, 1))
    until_ended(rig, 2)
    assert rig.tokens[2] == continuation([2, *rig.tokens[1], 4, 4], 6)


def test_stop_text_is_part_of_the_conversation_though_it_is_not_sent(rig: Rig) -> None:
    expected = continuation([1, 2, 3], 30)
    stop = "".join(map(str, expected[6:9]))
    rig.submit(1, [1, 2, 3], 30, stop=(stop,), keeps_state=True)
    until_ended(rig, 1)
    finished = end(rig, 1)
    assert (finished.reason, finished.withheld) == (FinishReason.STOP, stop)
    told = [int(token) for token in "".join(map(str, rig.tokens[1])) + finished.withheld]
    rig.submit(2, [0], 6, after=left(rig, 1))
    until_ended(rig, 2)
    assert rig.tokens[2] == continuation([1, 2, 3, *told, 0], 6)


def test_stream_that_nobody_continues_leaves_no_state() -> None:
    rig = Rig()
    rig.submit(1, [1, 2])
    rig.run()
    assert end(rig, 1).continuation is None


def test_cancelled_turn_frees_its_slot_before_the_next_step() -> None:
    rig = Rig(capacity=1)
    rig.submit(1, [1, 2], 10, keeps_state=True)
    rig.run()
    rig.submit(2, [3], 1000, after=left(rig, 1), keeps_state=True)
    rig.run(cycles=5)
    rig.engine.handle(Cancel(2))
    rig.submit(3, [4], 3)
    rig.run(cycles=4)
    assert rig.tokens[3] == continuation([4], 3)
    assert 2 not in rig.ends


@pytest.mark.parametrize("text", [[3], [3] * 40], ids=["in steps", "at once"])
def test_turn_that_the_runtime_fails_ends_and_the_next_stream_runs(text: Sequence[int]) -> None:
    rig = Rig()
    rig.submit(1, [1, 2], 10, keeps_state=True)
    rig.run()
    rig.submit(2, text, 10, after=left(rig, 1), keeps_state=True)
    rig.table.failing = True
    with pytest.raises(RuntimeError, match="broke"):
        rig.run()
    rig.engine.fail()
    rig.table.failing = False
    assert isinstance(rig.ends[2], EngineFault)
    rig.submit(3, [4], 3)
    rig.run()
    assert rig.tokens[3] == continuation([4], 3)


@pytest.mark.parametrize("resumed", range(8))
def test_resumed_stream_that_has_all_its_tokens_ends_without_a_step(rig: Rig, resumed: int) -> None:
    expected = continuation([1, 2, 3], 7)
    rig.submit(1, [1, 2, 3], 7, resumed=tuple(expected[:resumed]), keeps_state=True)
    until_ended(rig, 1)
    assert (rig.tokens[1], end(rig, 1).generated_tokens) == (expected[resumed:], 7)
    rig.submit(2, [], 5, after=left(rig, 1))
    until_ended(rig, 2)
    assert rig.tokens[2] == continuation([1, 2, 3], 12)[7:]


def test_resumed_stream_of_which_part_of_the_last_token_was_sent_ends_at_its_stop_text(rig: Rig) -> None:
    expected = continuation([1, 2, 3], 9)
    rig.words = [f"<{token}>" for token in range(5)]
    stop = f"{expected[3]}>{'<'}{expected[4]}"  # begins within the fourth token and ends within the fifth
    rig.submit(1, [1, 2, 3], 9, stop=(stop,), keeps_state=True)
    until_ended(rig, 1)
    whole = end(rig, 1)
    assert (whole.reason, whole.withheld, whole.withheld_tokens) == (FinishReason.STOP, f"{stop}>", (expected[4],))
    assert rig.tokens[1] == expected[:4]
    for cut in range(5):
        rig.submit(2 + cut, [1, 2, 3], 9, stop=(stop,), resumed=tuple(expected[:cut]), keeps_state=True)
        until_ended(rig, 2 + cut)
        again = end(rig, 2 + cut)
        assert rig.tokens[2 + cut] == expected[cut:4]
        assert (again.reason, again.withheld, again.generated_tokens) == (whole.reason, whole.withheld, 5)


def test_stop_text_within_the_last_token_sent_ends_a_resumed_stream_without_a_step() -> None:
    rig = Rig()
    expected = continuation([1, 2, 3], 9)
    rig.words = [f"<{token}>" for token in range(5)]
    rig.submit(1, [1, 2, 3], 9, stop=(f"{expected[3]}>",), resumed=tuple(expected[:4]), keeps_state=True)
    until_ended(rig, 1)
    ended = end(rig, 1)
    assert (ended.reason, ended.withheld, ended.generated_tokens) == (FinishReason.STOP, f"{expected[3]}>", 4)
    assert left(rig, 1).pending == (expected[3],)
