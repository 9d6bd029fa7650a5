"""kit/workers.py: results in order, one bar for all, an end with whoever fails or interrupts."""

import threading
import time

import pytest

from kit import workers
from kit.workers import at_once


@pytest.fixture(autouse=True)
def processors(monkeypatch):
    """As many as are wanted, whatever this computer has."""
    monkeypatch.setattr(workers.os, "cpu_count", lambda: 8)


def test_results_are_in_the_order_of_the_items_and_the_bar_sees_every_step():
    """Also of items that tell fewer steps than they have, or none."""
    seen = []

    def bar(steps):
        seen.append(len(steps))
        for step in steps:
            seen.append(step)
            yield step

    def work(item, _worker, done):
        time.sleep(0.02 * (5 - item))  # the first is the slowest
        for _ in range(item):
            done(1)
        return item * item

    assert at_once(work, range(5), 4, bar) == [0, 1, 4, 9, 16]
    assert seen == [20, *range(20)]
    assert at_once(work, [], 4) == [] and at_once(work, [3], 0) == [9]


def test_workers_are_numbered_and_each_does_one_thing_at_a_time():
    """What a worker has for itself, a folder or a board, nobody else uses meanwhile."""
    met, busy = threading.Barrier(3, timeout=60), set()

    def work(item, worker, _done):
        assert worker not in busy
        busy.add(worker)
        if item < 3:
            met.wait()  # three are at work together
        busy.remove(worker)
        return worker

    numbers = at_once(work, range(30), 1, most=3)
    assert {*numbers[:3]} == {*numbers} == {0, 1, 2}
    assert at_once(work, range(3, 9), 1, most=1) == [0] * 6


def test_an_error_is_raised_and_ends_the_others():
    """The first error, not what ended the others; nothing is begun after it."""
    begun, failed = [], threading.Event()

    def work(item, _worker, done):
        begun.append(item)
        if item == 1:
            failed.set()
            raise ValueError("this one")
        failed.wait(60)
        for _ in range(6_000):  # a minute, unless it is ended
            done(0)
            time.sleep(0.01)

    started = time.monotonic()
    with pytest.raises(ValueError, match="this one"):
        at_once(work, range(9), 1, most=2)
    assert sorted(begun) == [0, 1] and time.monotonic() - started < 50


def test_an_interrupt_ends_all():
    """Ctrl-C reaches the thread that shows the bar."""
    begun = []

    def work(item, _worker, done):
        begun.append(item)
        while True:
            done(1)
            time.sleep(0.001)

    def bar(steps):
        for step in steps:
            yield step
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        at_once(work, range(4), 1_000_000, bar, most=2)
    assert sorted(begun) == [0, 1]
