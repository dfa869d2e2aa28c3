import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.server.engine.rig import Rig
from tests.unit.server.engine.toy import continuation

from ostinato_server.engine.decode import LONGEST_RUN, Cancel, Grant
from ostinato_server.engine.preparation import BUSY_CHUNK, IDLE_CHUNK
from ostinato_server.engine.request import Finished, FinishReason
from ostinato_server.errors import DeadlineExpired


def test_stream_gives_what_the_model_says_and_ends_at_its_length() -> None:
    rig = Rig()
    rig.submit(1, [3, 1, 4, 1, 5, 9], max_tokens=7)
    rig.run()
    assert rig.tokens[1] == continuation([3, 1, 4, 1, 5, 9], 7)
    end = rig.ends[1]
    assert isinstance(end, Finished)
    assert (end.reason, end.generated_tokens, end.score) == (FinishReason.LENGTH, 7, -3.5)
    assert (rig.observer.first_tokens, rig.observer.generated, rig.observer.gaps) == (1, 7, 6)


def test_stream_ends_where_the_model_ends_the_sequence() -> None:
    expected = continuation([2], 30)
    end_id = expected[5]
    rig = Rig()
    rig.submit(1, [2], max_tokens=30, end_id=end_id)
    rig.run()
    assert rig.tokens[1] == expected[: expected.index(end_id)]
    end = rig.ends[1]
    assert isinstance(end, Finished)
    assert end.reason is FinishReason.END_OF_SEQUENCE


@pytest.mark.parametrize("length", [1, 2, 4, 5, 6, 33, 200])
def test_prompt_read_in_steps_gives_what_a_prefilled_one_gives(length: int) -> None:
    prompt = [(7 * i) % 5 for i in range(length)]
    for prefill in (True, False):
        rig = Rig(prefill=prefill)
        rig.submit(1, prompt)
        rig.run()
        assert rig.tokens[1] == continuation(prompt, 8)


def test_long_prompt_is_read_in_small_chunks_while_others_wait_for_tokens() -> None:
    rig = Rig()
    rig.submit(1, [1], max_tokens=100)
    rig.run(2)
    rig.submit(2, [1] * 100, max_tokens=3)
    rig.run()
    assert rig.prefill.chunks == [BUSY_CHUNK] * 9 + [27]
    assert rig.tokens[1] == continuation([1], 100)
    assert rig.tokens[2] == continuation([1] * 100, 3)
    alone = Rig()
    alone.submit(1, [1] * 100, max_tokens=3)
    alone.run()
    assert alone.prefill.chunks == [99]
    assert IDLE_CHUNK >= 99


def test_long_prompt_takes_its_share_of_the_time_and_no_more_while_others_wait_for_tokens() -> None:
    rig = Rig()
    rig.submit(1, [1], max_tokens=1000)
    rig.run(2)
    rig.prefill.when_run = rig.table.when_stepped = lambda: rig.pass_time(0.01)
    rig.submit(2, [1] * 100, max_tokens=3)
    rig.run(18)
    assert len(rig.prefill.chunks) == 4  # after 0, 5, 10 and 15 steps
    rig.submit(3, [1] * 20, max_tokens=3)  # a short prompt waits for no turn
    rig.run(1)
    assert rig.prefill.chunks[4:] == [19]


def test_steps_follow_each_other_unseen_between_the_turns_of_a_long_prompt() -> None:
    rig = Rig(message_seconds=1e6)
    rig.submit(1, [1], max_tokens=1000)
    rig.run(2)
    rig.prefill.when_run = rig.table.when_stepped = lambda: rig.pass_time(0.001)
    rig.submit(2, [1] * 100, max_tokens=3)
    rig.run(6)
    # A step's duration is known once one was made; from then on a chunk of the prompt, and five times as long of steps.
    assert rig.observer.runs[2:] == [1, 4, 5, 5, 5, 5]
    assert rig.prefill.chunks == [BUSY_CHUNK] * 5
    rig.run()
    assert rig.tokens[1] == continuation([1], 1000)
    assert rig.tokens[2] == continuation([1] * 100, 3)


def test_long_prompt_has_its_turns_though_short_ones_keep_coming() -> None:
    rig = Rig(capacity=4)
    rig.prefill.when_run = rig.table.when_stepped = lambda: rig.pass_time(0.01)
    rig.submit(1, [1] * 200, max_tokens=3)
    for number in range(2, 400):
        rig.submit(number, [2] * 9, max_tokens=1)
        rig.run(1)
        if 1 in rig.ends:
            break
    assert rig.tokens[1] == continuation([1] * 200, 3)


def test_short_prompts_are_read_together_and_long_ones_do_not_hold_them_up() -> None:
    rig = Rig(capacity=8)
    prompts = {1: [1] * 600, 2: [2] * 9, 3: [3] * 9, 4: [1, 2] * 6, 5: [4] * 5}
    for number, prompt in prompts.items():
        rig.submit(number, prompt)
    rig.run(2)
    assert rig.prefill.batches[:3] == [(4, 4), (1, BUSY_CHUNK), (3, 4)]
    rig.run()
    for number, prompt in prompts.items():
        assert rig.tokens[number] == continuation(prompt, 8)


def test_steps_follow_each_other_unseen_until_the_last_messages_are_paid_for() -> None:
    rig = Rig(message_seconds=0.0035)
    rig.table.when_stepped = lambda: rig.pass_time(0.001)
    rig.submit(1, [1], max_tokens=100)
    rig.run(2)
    rig.run(1)
    assert rig.observer.runs == [1, 1, 4]
    assert rig.tokens[1] == continuation([1], 6)
    rig.run()
    assert rig.tokens[1] == continuation([1], 100)
    assert (rig.observer.generated, rig.observer.gaps) == (100, 99)


@pytest.mark.parametrize(("step_seconds", "steps"), [(0.02, 1), (0.001, 10), (0.0001, LONGEST_RUN)])
def test_nobody_waits_long_for_a_run_of_steps(step_seconds: float, steps: int) -> None:
    rig = Rig(message_seconds=1e6)
    rig.table.when_stepped = lambda: rig.pass_time(step_seconds)
    rig.submit(1, [1], max_tokens=100)
    rig.run(3)
    assert rig.observer.runs[-1] == steps


def test_deadline_ends_a_run_of_steps() -> None:
    rig = Rig(message_seconds=1e6)
    rig.table.when_stepped = lambda: rig.pass_time(0.001)
    rig.submit(1, [1], max_tokens=100)
    rig.submit(2, [2], max_tokens=100, deadline=100.0039)
    rig.run(3)
    assert rig.observer.runs[-1] == 2
    rig.run(1)
    assert isinstance(rig.ends[2], DeadlineExpired)


def test_what_is_drawn_after_the_end_of_a_stream_is_left_aside() -> None:
    rig = Rig(message_seconds=1e6)
    rig.submit(1, [1], max_tokens=10)
    rig.submit(2, [2], max_tokens=30)
    rig.run()
    assert rig.tokens == {1: continuation([1], 10), 2: continuation([2], 30)}
    finished = rig.ends[1]
    assert isinstance(finished, Finished)
    assert (finished.generated_tokens, finished.score) == (10, -5.0)
    assert rig.observer.generated == 40


def test_waiting_stream_joins_at_the_step_after_a_slot_is_free() -> None:
    rig = Rig(capacity=1)
    rig.submit(1, [1], max_tokens=3)
    rig.submit(2, [2], max_tokens=3)
    rig.run(3)
    assert (len(rig.tokens[1]), len(rig.tokens[2])) == (3, 0)
    rig.run(1)
    assert len(rig.tokens[2]) == 1


def test_cancelled_stream_frees_its_slot_before_the_next_step() -> None:
    rig = Rig(capacity=1)
    rig.submit(1, [1], max_tokens=100)
    rig.run(5)
    rig.submit(2, [2], max_tokens=2)
    rig.engine.handle(Cancel(1))
    rig.run(1)
    assert rig.tokens[2] == continuation([2], 1)
    assert len(rig.tokens[1]) == 5
    assert 1 not in rig.ends


def test_deadline_of_an_ended_stream_does_not_shorten_a_run_of_steps() -> None:
    rig = Rig(message_seconds=1e6)
    rig.table.when_stepped = lambda: rig.pass_time(0.001)
    rig.submit(1, [1], max_tokens=1, deadline=100.0039)
    rig.run()
    rig.submit(2, [2], max_tokens=100)
    rig.run(3)
    assert rig.observer.runs[-1] == 10


def test_preempted_stream_is_due_at_its_deadline_when_nothing_runs() -> None:
    rig = Rig()
    rig.submit(1, [1], max_tokens=100, credit=3, deadline=130.0)
    rig.run()
    assert (rig.observer.parked, rig.engine.due_at) == (1, 130.0)
    rig.now = 130.0
    assert not rig.engine.cycle()
    assert isinstance(rig.ends[1], DeadlineExpired)
    assert rig.engine.due_at == math.inf


def test_stream_past_its_deadline_ends_with_an_error_and_frees_its_slot() -> None:
    rig = Rig(capacity=1)
    rig.submit(1, [1], max_tokens=100, deadline=101.0)
    rig.submit(2, [2], max_tokens=2)
    rig.run(5)
    rig.now = 101.0
    rig.run(1)
    assert isinstance(rig.ends[1], DeadlineExpired)
    assert rig.tokens[2] == continuation([2], 1)


def test_stream_whose_reader_is_slow_is_parked_and_goes_on_exactly_where_it_stopped() -> None:
    rig = Rig(capacity=1)
    rig.submit(1, [1], max_tokens=20, credit=5)
    rig.submit(2, [2], max_tokens=20)
    rig.run()
    assert len(rig.tokens[1]) == 5
    assert rig.observer.parked == 1
    assert rig.tokens[2] == continuation([2], 20)
    rig.engine.handle(Grant(1, 5))
    rig.run()
    assert len(rig.tokens[1]) == 10
    rig.engine.handle(Grant(1, 50))
    rig.run()
    assert rig.tokens[1] == continuation([1], 20)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.lists(st.integers(0, 4), min_size=1, max_size=50), st.integers(1, 30)),
        st.tuples(st.just("cancel"), st.integers(0, 30), st.none()),
        st.tuples(st.just("grant"), st.integers(0, 30), st.integers(1, 9)),
        st.tuples(st.just("run"), st.integers(1, 20), st.none()),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(ACTIONS, st.integers(1, 5), st.sampled_from([0.0, 1e6]))
def test_no_stream_is_changed_by_what_happens_to_others(
    actions: list[tuple[str, object, object]], capacity: int, message_seconds: float
) -> None:
    rig = Rig(capacity, message_seconds=message_seconds)
    wanted: list[tuple[list[int], int]] = []
    cancelled: set[int] = set()
    for action, first, second in actions:
        match action, first, second:
            case "submit", list(prompt), int(length):
                rig.submit(len(wanted), prompt, length, credit=7)
                wanted.append((prompt, length))
            case "cancel", int(number), _:
                rig.engine.handle(Cancel(number))
                cancelled.add(number)
            case "grant", int(number), int(credit):
                rig.engine.handle(Grant(number, credit))
            case "run", int(cycles), _:
                rig.run(cycles)
    for number in range(len(wanted)):
        rig.engine.handle(Grant(number, 1000))
    rig.run()
    for number, (prompt, length) in enumerate(wanted):
        expected = continuation(prompt, length)
        if number in cancelled and number not in rig.ends:
            assert rig.tokens[number] == expected[: len(rig.tokens[number])]
        else:
            assert rig.tokens[number] == expected
    assert max(rig.table.steps, default=0) <= capacity
    assert rig.observer.running[-1] == 0
