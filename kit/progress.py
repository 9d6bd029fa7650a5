"""Progress a person can watch: a bar in a terminal, a bar in a notebook, lines in a log.

Nothing here writes to stdout, and nothing stays in a notebook: the bar is one display that is
emptied when the work ends. `KIT_PROGRESS=0` in the environment shows nothing at all; notebooks that
are executed by a program get it, so that their outputs do not depend on what had to be made.
"""

import html
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

SWITCH = "KIT_PROGRESS"
SELDOM = 50  # items between two updates: drawing must not cost more than the work

Step = Callable[[int, int], None]
"""Called with how many parts are done and how many there are."""


@contextmanager
def progress_bar(title: str) -> Iterator[Step]:
    """Show `title` and a bar while the block runs; the block calls the step it is given."""
    if os.environ.get(SWITCH) == "0":
        yield lambda done, total: None
    elif _in_notebook():
        handle: Any = import_module("IPython.display").DisplayHandle()
        handle.display(_picture(title, 0, 1), raw=True)
        try:
            yield lambda done, total: handle.update(_picture(title, done, total), raw=True)
        finally:
            handle.update({"text/plain": "", "text/html": ""}, raw=True)
    elif sys.stderr.isatty():
        from rich import console, progress

        shown = "{task.description}", progress.BarColumn(), progress.MofNCompleteColumn()
        columns = *shown, progress.TimeElapsedColumn()
        with progress.Progress(*columns, console=console.Console(stderr=True)) as bars:
            task = bars.add_task(title, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)
    else:
        print(f"{title} ...", file=sys.stderr, flush=True)
        yield lambda done, total: None
        print(f"{title}: done", file=sys.stderr, flush=True)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _picture(title: str, done: int, total: int) -> dict[str, str]:
    bar = f'{html.escape(title)} <progress value="{done}" max="{total}"></progress> {done}/{total}'
    return {"text/plain": f"{title} {done}/{total}", "text/html": bar}


def each(title: str) -> Callable[[Any], Iterator[Any]]:
    """Wraps a sequence so that going through it shows a bar: `for item in each(title)(items)`."""

    def iterate(items: Any) -> Iterator[Any]:
        with progress_bar(title) as step:
            for number, item in enumerate(items):
                if number % SELDOM == 0:
                    step(number, len(items))
                yield item
            step(len(items), len(items))

    return iterate
