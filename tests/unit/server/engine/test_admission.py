import pytest

from ostinato_server.engine.admission import Admission
from ostinato_server.errors import Overloaded


def test_request_over_the_bound_is_refused_and_told_the_limit() -> None:
    admission = Admission("m", slots=2, max_queue=1)
    admission.enter(3)
    with pytest.raises(Overloaded, match="3 requests running and waiting") as refused:
        admission.enter()
    assert (refused.value.limit, admission.inside) == (3, 3)


def test_place_is_free_again_when_a_request_leaves() -> None:
    admission = Admission("m", slots=1, max_queue=0)
    admission.enter()
    admission.leave(0.1)
    admission.enter()
    assert admission.inside == 1


def test_batch_is_taken_whole_or_not_at_all() -> None:
    admission = Admission("m", slots=2, max_queue=2)
    admission.enter(2)
    with pytest.raises(Overloaded):
        admission.enter(3)
    assert admission.inside == 2


def test_retry_hint_grows_with_the_backlog_and_the_time_a_request_takes() -> None:
    quick, slow = Admission("m", slots=4, max_queue=40), Admission("m", slots=4, max_queue=40)
    for _ in range(100):
        quick.enter()
        quick.leave(0.1)
        slow.enter()
        slow.leave(1.0)
    # Half of 40 waiting, four at a time, is five rounds.
    assert quick.retry_after_seconds() == pytest.approx(0.5, rel=0.01)
    assert slow.retry_after_seconds() == pytest.approx(5.0, rel=0.01)
