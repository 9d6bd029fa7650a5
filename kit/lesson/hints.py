"""An extension of IPython: a name that is not known says which cell to run, without a stack.

The set-up has it loaded in every notebook (`ipython_config.json` in .venv/etc/ipython), because
the cell that would load it may be the one that was left out.
"""

import builtins
from collections.abc import Iterable
from difflib import get_close_matches
from traceback import walk_tb
from types import TracebackType
from typing import Any

from kit.errors import KitError

RUN_ABOVE = "un the cells above first (Run > Run All Above Selected Cell), then this one again."


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython: a NameError of a cell shows in two lines, any other one as usual."""
    shell.set_custom_exc((NameError,), _show)


def _show(
    shell: Any, kind: type, error: NameError, trace: TracebackType, tb_offset: int | None = None
) -> None:
    *_, (frame, _) = walk_tb(trace)
    if kind is NameError and frame.f_globals is shell.user_ns:
        lines = str(hint(str(error), error.name or "", shell.user_ns)).splitlines()
        error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]  # IPython asks for it
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def hint(message: str, name: str, known: Iterable[str]) -> KitError:
    """What to do about a name that is not known, among those that are."""
    names = [each for each in (*known, *dir(builtins)) if not each.startswith("_")]
    like = get_close_matches(name, names, 1, 0.79)  # `board` is not `ord`
    next_step = (f"Did you mean `{like[0]}`? Else r" if like else "R") + RUN_ABOVE
    return KitError(f"NameError: {message}", next_step=next_step)
