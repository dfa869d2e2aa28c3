"""What the C library keeps: looked at in processes of their own, since it is one setting for a whole process."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="these are glibc's heaps")

ACROSS_THE_END_OF_A_HEAP = """
import ctypes, resource, threading
from ostinato_server import heap

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
MEBIBYTE, BLOCK = 1 << 20, 100_000

def taken(size):
    blocks = [libc.malloc(BLOCK) for _ in range(size // BLOCK)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK)
    return blocks

def again_and_again():
    kept = taken(56 * MEBIBYTE)  # of the 64 that a heap of a thread holds
    for block in taken(16 * MEBIBYTE):
        libc.free(block)
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    for _ in range(5):
        for block in taken(16 * MEBIBYTE):
            libc.free(block)
    print(resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before)

{prepare}
thread = threading.Thread(target=again_and_again)
thread.start()
thread.join()
"""

FREED_AND_GIVEN_BACK = """
import ctypes
from ostinato_server import heap

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 >> 20

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
heap.keep(2)
blocks = [libc.malloc(100_000) for _ in range(1_000)]
for block in blocks:
    ctypes.memset(block, 1, 100_000)
full = resident()
for block in blocks:
    libc.free(block)
freed = resident()
assert heap.give_back()
print(full - freed, full - resident())
"""


ARENAS = """
import ctypes, threading
from ostinato_server import heap

{prepare}
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
everybody = threading.Barrier(8)

def take():
    everybody.wait()
    libc.malloc(100_000)
    everybody.wait()

threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_stats()
"""


def run(script: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a script in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def printed(script: str, environment: Mapping[str, str] | None = None) -> list[int]:
    """The numbers that a process prints."""
    return list(map(int, run(script, environment).stdout.split()))


def test_memory_across_the_end_of_a_heap_is_mapped_once() -> None:
    (faults,) = printed(ACROSS_THE_END_OF_A_HEAP.format(prepare="assert heap.keep(2)"))
    (before,) = printed(ACROSS_THE_END_OF_A_HEAP.format(prepare=""))
    assert faults < 500
    assert before > 5_000, "glibc keeps it by itself now: the module is of no use any more"


def test_the_environment_has_the_last_word() -> None:
    little = {"MALLOC_TOP_PAD_": "0", "MALLOC_TRIM_THRESHOLD_": "100000", "MALLOC_MMAP_THRESHOLD_": "100000000"}
    (faults,) = printed(ACROSS_THE_END_OF_A_HEAP.format(prepare="assert heap.keep(2)"), little)
    assert faults > 5_000


def test_what_is_freed_stays_until_it_is_given_back() -> None:
    freed, given_back = printed(FREED_AND_GIVEN_BACK)
    assert freed < 10
    assert given_back > 80


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_heaps_are_as_few_as_the_threads_that_compute_but_two(threads: int) -> None:
    with_few = run(ARENAS.format(prepare=f"assert heap.keep({threads})")).stderr.count("Arena")
    by_itself = run(ARENAS.format(prepare="")).stderr.count("Arena")
    assert with_few == max(2, threads)
    assert by_itself > 3
