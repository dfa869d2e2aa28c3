"""What the collector passes over; each test leaves it as it was."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from ostinato_server import garbage


class Node:
    """Something that can be in a cycle."""

    def __init__(self) -> None:
        self.other = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_stays_is_passed_over() -> None:
    node = Node()
    there = weakref.ref(node)
    garbage.settle()
    assert not any(each is node for each in gc.get_objects())
    del node
    gc.collect()
    assert there() is not None


def test_what_was_to_stay_and_has_gone_is_collected_when_it_settles_again() -> None:
    node = Node()
    there = weakref.ref(node)
    garbage.settle()
    del node
    garbage.settle_again()
    assert there() is None


def test_garbage_is_not_kept() -> None:
    there = weakref.ref(Node())
    garbage.settle()
    assert there() is None


def test_a_process_that_has_not_settled_does_not() -> None:
    garbage.settle_again()
    assert gc.get_freeze_count() == 0
