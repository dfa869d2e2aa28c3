import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato_server.engine.admission import Admission
from ostinato_server.engine.request import Priority
from ostinato_server.errors import DeadlineExpired, DeadlineUnreachable, Overloaded


class Rig:
    """An admission on a clock that only the test moves."""

    def __init__(self, slots: int, max_queue: int) -> None:
        self.now = 50.0
        self.admission = Admission("m", slots, max_queue, lambda: self.now)

    def serve(self, count: int, seconds: float, priority: Priority = Priority.NORMAL) -> None:
        """One leaves after so many seconds in its slot, over and over, and the next one comes."""
        for _ in range(count):
            self.now += seconds
            self.admission.leave(priority, seconds)
            self.admission.enter(priority=priority)


def test_request_over_the_bound_is_refused_and_told_the_limit() -> None:
    admission = Rig(slots=2, max_queue=1).admission
    admission.enter(3)
    with pytest.raises(Overloaded, match="limit of 3 slots in use and waited for") as refused:
        admission.enter()
    assert (refused.value.limit, admission.inside) == (3, 3)


def test_place_is_free_again_when_a_request_leaves() -> None:
    admission = Rig(slots=1, max_queue=0).admission
    admission.enter()
    admission.leave(Priority.NORMAL, 0.1)
    admission.enter()
    assert admission.inside == 1


def test_batch_is_taken_whole_or_not_at_all() -> None:
    admission = Rig(slots=2, max_queue=2).admission
    admission.enter(2)
    with pytest.raises(Overloaded):
        admission.enter(3)
    assert admission.inside == 2


@pytest.mark.parametrize("seconds", [0.01, 0.1])
def test_retry_hint_is_the_time_in_which_half_the_queue_leaves(seconds: float) -> None:
    rig = Rig(slots=1, max_queue=40)
    rig.admission.enter(41)
    rig.serve(100, seconds)
    with pytest.raises(Overloaded) as refused:
        rig.admission.enter()
    assert refused.value.retry_after_seconds == pytest.approx(20 * seconds, rel=0.01)


def test_request_that_would_wait_beyond_its_deadline_is_refused_and_told_when_to_come_back() -> None:
    rig = Rig(slots=1, max_queue=100)
    rig.admission.enter(11)
    rig.serve(50, 0.1)
    # Ten wait: the newcomer begins after 1.1 s and takes 0.1 s; half as much is added.
    with pytest.raises(DeadlineUnreachable):
        rig.admission.enter(deadline=rig.now + 1.75)
    rig.admission.enter(deadline=rig.now + 1.85)
    rig.admission.leave(Priority.NORMAL, None)
    with pytest.raises(DeadlineUnreachable, match=r"in 1\.1 s, too late for its deadline in 1 s") as refused:
        rig.admission.enter(deadline=rig.now + 1.0)
    assert refused.value.retry_after_seconds == pytest.approx(0.8, rel=0.01)
    assert rig.admission.inside == 11


def test_request_whose_deadline_has_passed_is_not_taken_in() -> None:
    rig = Rig(slots=1, max_queue=1)
    with pytest.raises(DeadlineExpired):
        rig.admission.enter(deadline=rig.now)
    assert rig.admission.inside == 0


def test_request_of_a_higher_class_waits_only_for_its_own_and_what_runs() -> None:
    rig = Rig(slots=1, max_queue=100)
    rig.admission.enter(30)
    rig.serve(50, 0.1)
    rig.admission.enter(priority=Priority.HIGH, deadline=rig.now + 0.5)
    with pytest.raises(DeadlineUnreachable):
        rig.admission.enter(priority=Priority.NORMAL, deadline=rig.now + 0.5)
    with pytest.raises(DeadlineUnreachable):
        rig.admission.enter(priority=Priority.LOW, deadline=rig.now + 0.5)


def test_what_is_given_up_says_nothing_of_how_fast_the_queue_drains() -> None:
    rig = Rig(slots=1, max_queue=100)
    rig.admission.enter(50)
    rig.serve(50, 0.1)
    known = rig.admission.wait_seconds(1, Priority.NORMAL)
    for _ in range(20):
        rig.admission.leave(Priority.NORMAL, None)
    rig.admission.enter(20)
    assert rig.admission.wait_seconds(1, Priority.NORMAL) == known


def test_wide_request_waits_for_and_frees_as_many_slots_as_it_has_hypotheses() -> None:
    rig = Rig(slots=8, max_queue=800)
    for _ in range(11):
        rig.admission.enter(8)
    for _ in range(50):  # a search of eight hypotheses at a time, 0.1 s each
        rig.now += 0.1
        rig.admission.leave(Priority.NORMAL, 0.1, 8)
        rig.admission.enter(8)
    assert rig.admission.inside == 88
    assert rig.admission.wait_seconds(8, Priority.NORMAL) == pytest.approx(1.1, rel=0.01)
    with pytest.raises(DeadlineUnreachable):
        rig.admission.enter(8, deadline=rig.now + 1.75)
    for _ in range(11):
        rig.admission.leave(Priority.NORMAL, 0.1, 8)
    assert rig.admission.inside == 0


def test_quiet_time_does_not_count_as_time_to_drain() -> None:
    rig = Rig(slots=1, max_queue=100)
    rig.admission.enter(2)
    rig.serve(50, 0.1)
    known = rig.admission.wait_seconds(1, Priority.NORMAL)
    rig.now += 0.1
    rig.admission.leave(Priority.NORMAL, 0.1)
    rig.now += 1000.0
    rig.admission.enter()
    assert rig.admission.wait_seconds(1, Priority.NORMAL) == pytest.approx(known)


@given(st.lists(st.tuples(st.sampled_from(["enter", "leave", "give up"]), st.floats(0, 2), st.sampled_from(Priority))))
def test_free_slot_is_never_refused_and_counts_stay_true(actions: list[tuple[str, float, Priority]]) -> None:
    rig = Rig(slots=3, max_queue=4)
    inside: list[Priority] = []
    for action, seconds, priority in actions:
        rig.now += seconds
        if action == "enter":
            try:
                rig.admission.enter(priority=priority, deadline=rig.now + seconds)
            except DeadlineExpired:
                assert rig.now + seconds == rig.now
            except DeadlineUnreachable:
                assert len(inside) >= 3
            except Overloaded:
                assert len(inside) == 7
            else:
                inside.append(priority)
        elif inside:
            rig.admission.leave(inside.pop(), seconds if action == "leave" else None)
        assert rig.admission.inside == len(inside)
