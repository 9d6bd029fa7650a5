"""Progress a person can watch: a bar in a terminal, a bar in a notebook, lines in a log.

Nothing here writes to stdout, and nothing stays in a notebook: the bar is one display that is
emptied when the work ends. `KIT_PROGRESS=0` in the environment shows nothing at all; notebooks that
are executed by a program get it, so that their outputs do not depend on what had to be made.
"""

import html
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

SWITCH = "KIT_PROGRESS"
SECONDS = 0.1  # between two updates: drawing must not cost more than the work


def each(title: str) -> Callable[[Any], Iterator[Any]]:
    """Wraps a sequence so that going through it shows a bar: `for item in each(title)(items)`."""
    return partial(_each, title)


def _each(title: str, items: Any) -> Iterator[Any]:
    ipython = sys.modules.get("IPython")
    if os.environ.get(SWITCH) == "0":
        yield from items
    elif ipython is not None and hasattr(ipython.get_ipython(), "kernel"):
        yield from _each_in_notebook(title, items)
    elif sys.stderr.isatty():
        from rich import console, progress

        shown = "{task.description}", progress.BarColumn(), progress.MofNCompleteColumn()
        columns = *shown, progress.TimeElapsedColumn()
        with progress.Progress(*columns, console=console.Console(stderr=True)) as bars:
            yield from bars.track(items, description=title, update_period=SECONDS)
    else:
        print(f"{title} ...", file=sys.stderr, flush=True)
        yield from items
        print(f"{title}: done", file=sys.stderr, flush=True)


def _each_in_notebook(title: str, items: Any) -> Iterator[Any]:
    handle: Any = import_module("IPython.display").DisplayHandle()
    show, shown = handle.display, 0.0
    try:
        for done, item in enumerate(items):
            if time.monotonic() - shown > SECONDS:
                count = f"{done}/{len(items)}"
                bar = f'<progress value="{done}" max="{len(items)}"></progress>'
                page = f"{html.escape(title)} {bar} {count}"
                show({"text/plain": f"{title} {count}", "text/html": page}, raw=True)
                show, shown = handle.update, time.monotonic()
            yield item
    finally:
        handle.update({"text/plain": "", "text/html": ""}, raw=True)
