import weakref
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ostinato_server.engine.scheduler import MOST_STALE_DEADLINES, Scheduler


@dataclass
class Stream:
    id: int
    width: int = 1
    deadline: float = float("inf")
    priority: int = 0
    client: str = "one"


def ids(streams: object) -> list[int]:
    return [stream.id for stream in streams]  # type: ignore[attr-defined]


def test_streams_are_admitted_in_the_order_of_arrival() -> None:
    scheduler: Scheduler[Stream] = Scheduler(2)
    for number in (1, 2, 3):
        scheduler.submit(Stream(number))
    assert ids(scheduler.admit()) == [1, 2]
    assert scheduler.waiting == 1
    scheduler.remove(1)
    assert ids(scheduler.admit()) == [3]


def test_wide_stream_at_the_head_is_not_overtaken_by_narrow_ones() -> None:
    scheduler: Scheduler[Stream] = Scheduler(4)
    scheduler.submit(Stream(1, width=2))
    scheduler.submit(Stream(2, width=3))
    scheduler.submit(Stream(3, width=1))
    assert ids(scheduler.admit()) == [1]
    assert ids(scheduler.admit()) == []
    scheduler.remove(1)
    assert ids(scheduler.admit()) == [2, 3]


def test_cancelled_stream_in_the_queue_is_skipped() -> None:
    scheduler: Scheduler[Stream] = Scheduler(1)
    for number in (1, 2, 3):
        scheduler.submit(Stream(number))
    scheduler.remove(1)
    scheduler.remove(2)
    assert ids(scheduler.admit()) == [3]


def test_resumed_stream_goes_before_streams_that_have_not_started() -> None:
    scheduler: Scheduler[Stream] = Scheduler(1)
    first = Stream(1)
    scheduler.submit(first)
    assert ids(scheduler.admit()) == [1]
    scheduler.submit(Stream(2))
    scheduler.submit(Stream(3))
    scheduler.park(first)
    assert ids(scheduler.admit()) == [2]
    scheduler.resume(1)
    scheduler.remove(2)
    assert ids(scheduler.admit()) == [1]


def test_parked_stream_that_was_cancelled_does_not_come_back() -> None:
    scheduler: Scheduler[Stream] = Scheduler(1)
    stream = Stream(1)
    scheduler.submit(stream)
    list(scheduler.admit())
    scheduler.park(stream)
    scheduler.remove(1)
    scheduler.resume(1)
    assert ids(scheduler.admit()) == []
    assert len(scheduler) == 0


def test_expired_streams_are_told_once_wherever_they_are() -> None:
    scheduler: Scheduler[Stream] = Scheduler(1)
    for number in (1, 2, 3):
        scheduler.submit(Stream(number, deadline=float(number)))
    list(scheduler.admit())
    assert ids(scheduler.expired(2.0)) == [1, 2]
    assert ids(scheduler.expired(2.0)) == []


def test_ended_stream_no_longer_counts_as_the_next_deadline() -> None:
    scheduler: Scheduler[Stream] = Scheduler(4)
    for number, deadline in ((1, 5.0), (2, 9.0), (3, 7.0)):
        scheduler.submit(Stream(number, deadline=deadline))
    scheduler.remove(1)
    assert scheduler.next_deadline == 7.0
    scheduler.remove(3)
    scheduler.remove(2)
    assert scheduler.next_deadline == float("inf")


def test_deadlines_of_ended_streams_are_not_kept_until_they_pass() -> None:
    scheduler: Scheduler[Stream] = Scheduler(4)
    scheduler.submit(Stream(0, deadline=1.0))
    for number in range(1, 10_000):
        scheduler.submit(Stream(number, deadline=300.0 + number))
        scheduler.remove(number)
    assert scheduler.deadlines_kept <= 2 + MOST_STALE_DEADLINES + 1
    assert ids(scheduler.expired(1.0)) == [0]


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 10), st.booleans()), max_size=200))
def test_next_deadline_is_that_of_the_streams_that_have_not_ended(actions: list[tuple[int, float, bool]]) -> None:
    scheduler: Scheduler[Stream] = Scheduler(4)
    alive: dict[int, float] = {}
    for number, (target, deadline, submits) in enumerate(actions):
        if submits:
            scheduler.submit(Stream(number, deadline=deadline))
            alive[number] = deadline
        elif alive:
            ended = sorted(alive)[target % len(alive)]
            scheduler.remove(ended)
            del alive[ended]
        assert scheduler.next_deadline == min(alive.values(), default=float("inf"))
    assert sorted(ids(scheduler.expired(5.0))) == sorted(number for number, at in alive.items() if at <= 5.0)


def test_cancelled_stream_in_the_queue_is_not_kept_until_its_turn() -> None:
    scheduler: Scheduler[Stream] = Scheduler(1)
    scheduler.submit(Stream(0))
    list(scheduler.admit())
    scheduler.submit(Stream(1))
    cancelled = []
    for number in range(2, 5):
        stream = Stream(number)
        cancelled.append(weakref.ref(stream))
        scheduler.submit(stream)
        scheduler.remove(number)
        del stream
    assert [reference() for reference in cancelled] == [None] * 3
    assert scheduler.waiting == 1


def test_stream_wider_than_all_slots_is_refused() -> None:
    with pytest.raises(ValueError, match="width 3 never fits into 2 slots"):
        Scheduler[Stream](2).submit(Stream(1, width=3))


@given(st.lists(st.integers(1, 4), max_size=30), st.integers(4, 8))
def test_every_stream_runs_exactly_once_when_each_ends(widths: list[int], capacity: int) -> None:
    scheduler: Scheduler[Stream] = Scheduler(capacity)
    for number, width in enumerate(widths):
        scheduler.submit(Stream(number, width))
    ran: list[int] = []
    while len(scheduler):
        admitted = list(scheduler.admit())
        assert admitted
        assert sum(stream.width for stream in admitted) <= capacity
        for stream in admitted:
            ran.append(stream.id)
            scheduler.remove(stream.id)
    assert ran == list(range(len(widths)))


def test_a_higher_class_goes_before_all_others() -> None:
    scheduler: Scheduler[Stream] = Scheduler(1)
    for number, priority in ((1, 1), (2, 2), (3, 1), (4, 0), (5, 0)):
        scheduler.submit(Stream(number, priority=priority))
    order: list[int] = []
    while len(scheduler):
        order += ids(scheduler.admit())
        scheduler.remove(order[-1])
    assert order == [4, 5, 1, 3, 2]


def test_a_client_with_a_thousand_requests_waits_behind_its_own() -> None:
    scheduler: Scheduler[Stream] = Scheduler(4)
    for number in range(1000):
        scheduler.submit(Stream(number, client="greedy"))
    assert ids(scheduler.admit()) == [0, 1, 2, 3]
    for number in range(1000, 1003):
        scheduler.submit(Stream(number, client="modest"))
    for number in (0, 1):
        scheduler.remove(number)
    assert ids(scheduler.admit()) == [1000, 1001]
    scheduler.remove(2)
    assert ids(scheduler.admit()) == [4]  # one of greedy's runs, and two of modest's


def test_a_client_alone_takes_all_slots() -> None:
    scheduler: Scheduler[Stream] = Scheduler(4)
    for number in range(6):
        scheduler.submit(Stream(number, client="only"))
    assert ids(scheduler.admit()) == [0, 1, 2, 3]


class SchedulerMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order: slots are neither lost nor given twice, and turns are taken as promised."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler: Scheduler[Stream] = Scheduler(6)
        self.next_id = 0
        self.running: dict[int, Stream] = {}
        self.parked: dict[int, Stream] = {}
        self.waiting: dict[int, Stream] = {}
        self.returned: list[int] = []

    @rule(width=st.integers(1, 6), priority=st.integers(0, 2), client=st.sampled_from("abc"))
    def submit(self, width: int, priority: int, client: str) -> None:
        stream = Stream(self.next_id, width, priority=priority, client=client)
        self.next_id += 1
        self.scheduler.submit(stream)
        self.waiting[stream.id] = stream

    @rule()
    def admit(self) -> None:
        for stream in self.scheduler.admit():
            assert stream is min(self.waiting.values(), key=self.turn)
            del self.waiting[stream.id]
            self.running[stream.id] = stream
            if stream.id in self.returned:
                self.returned.remove(stream.id)
        if self.waiting:
            assert min(self.waiting.values(), key=self.turn).width > self.scheduler.free

    def turn(self, stream: Stream) -> tuple[int, ...]:
        """What decides a waiting stream's turn, as plainly as it can be said."""
        if stream.id in self.returned:
            return (stream.priority, 0, self.returned.index(stream.id))
        held = sum(other.width for other in self.running.values() if other.client == stream.client)
        return (stream.priority, 1, held, stream.id)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def park(self, data: st.DataObject) -> None:
        stream = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
        self.scheduler.park(stream)
        self.parked[stream.id] = stream

    @precondition(lambda self: self.parked)
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        stream = self.parked.pop(data.draw(st.sampled_from(sorted(self.parked))))
        self.scheduler.resume(stream.id)
        self.waiting[stream.id] = stream
        self.returned.append(stream.id)

    @precondition(lambda self: self.running or self.parked or self.waiting)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        everything = self.running | self.parked | self.waiting
        chosen = data.draw(st.sampled_from(sorted(everything)))
        assert self.scheduler.remove(chosen) is everything[chosen]
        assert self.scheduler.remove(chosen) is None
        for group in (self.running, self.parked, self.waiting):
            group.pop(chosen, None)
        if chosen in self.returned:
            self.returned.remove(chosen)

    @invariant()
    def slots_add_up(self) -> None:
        assert self.scheduler.free == 6 - sum(stream.width for stream in self.running.values())
        assert self.scheduler.free >= 0
        assert self.scheduler.running == len(self.running)
        assert self.scheduler.waiting == len(self.waiting)
        assert len(self.scheduler) == len(self.running) + len(self.parked) + len(self.waiting)


TestSchedulerMachine = SchedulerMachine.TestCase
