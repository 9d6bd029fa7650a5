"""Work done several at a time, in threads, with one bar: for what computes outside of Python."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

MOST = 4  # at once, where there are as many processors
SECONDS = 0.2  # a wait without a limit cannot be ended by Ctrl-C on Windows
Item = TypeVar("Item")
Result = TypeVar("Result")
Done = Callable[[int], None]
"""Told how many steps more are done."""


class _Stopped(Exception):
    """Ends a worker whose result nobody waits for any more."""


class _Steps:
    """The steps that workers have done, for a bar that another thread shows: a sequence of `total`
    steps, which come as they are done."""

    def __init__(self, total: int) -> None:
        self.total, self.stopped, self._parts = total, False, SimpleQueue[int]()

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> Iterator[int]:
        step = 0
        while step < self.total and not self.stopped:
            try:
                until = min(step + self._parts.get(timeout=SECONDS), self.total)
            except Empty:
                continue
            yield from range(step, until)
            step = until

    def add(self, count: int) -> None:
        if self.stopped:
            raise _Stopped
        self._parts.put(count)


def at_once(
    work: Callable[[Item, int, Done], Result],
    items: Sequence[Item],
    steps: int,
    bar: Callable[[Any], Any] = iter,
    most: int = MOST,
) -> list[Result]:
    """What `work(item, worker, done)` returns for each item, in their order.

    At most `most` items are worked on at a time, by workers 0, 1 and so on, which take the next
    item when they have done one. `work` calls `done(n)` when n of an item's `steps` are done; what
    it does not tell counts when it returns. `bar` wraps the sequence of all steps. An error in
    `work` is raised here, and ends the others when they next call `done`; so does Ctrl-C.
    """
    results, errors = dict[int, Result](), list[BaseException]()
    all_steps, rest = _Steps(steps * len(items)), iter(range(len(items)))

    def work_on(place: int, number: int) -> None:
        told = 0

        def done(count: int) -> None:
            nonlocal told
            told += count
            all_steps.add(count)

        results[place] = work(items[place], number, done)
        all_steps.add(steps - told)

    def worker(number: int) -> None:
        try:
            for place in rest:  # each is given to one thread only
                work_on(place, number)
        except BaseException as error:
            errors.append(error)
            all_steps.stopped = True

    count = max(1, min(most, len(items), os.cpu_count() or 1))
    with ThreadPoolExecutor(count) as pool:
        for number in range(count):
            pool.submit(worker, number)
        try:
            for _ in bar(all_steps):
                pass
        except BaseException:
            all_steps.stopped = True
            raise
    if errors:
        raise errors[0]  # the later ones may be of those who were ended
    return [results[place] for place in range(len(items))]
