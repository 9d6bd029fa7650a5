"""An extension of IPython: a name that is not known says which cell to run, without a stack.

The set-up has it loaded in every notebook (`ipython_config.json` in .venv/etc/ipython), because
the cell that would load it may be the one that was left out.
"""

import builtins
from difflib import get_close_matches
from types import TracebackType
from typing import Any

from kit.errors import KitError

RUN_ABOVE = "un the cells above first (Run > Run All Above Selected Cell), then this one again."


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython."""
    shell.set_custom_exc((NameError,), explain)


def explain(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> None:
    """Show a NameError of a cell in two lines; any other one as usual."""
    if kind is NameError and _is_of_a_cell(shell, trace):
        lines = str(hint(str(error), str(getattr(error, "name", "")), shell.user_ns)).splitlines()
        error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]  # IPython asks for it
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def _is_of_a_cell(shell: Any, trace: TracebackType) -> bool:
    while trace.tb_next:
        trace = trace.tb_next
    return trace.tb_frame.f_globals is shell.user_ns


def hint(message: str, name: str, known: dict[str, Any]) -> KitError:
    """What to do about a name that is not known, among those that are."""
    names = [each for each in (*known, *dir(builtins)) if not each.startswith("_")]
    like = get_close_matches(name, names, 1, 0.79)  # `board` is not `ord`
    next_step = (f"Did you mean `{like[0]}`? Else r" if like else "R") + RUN_ABOVE
    return KitError(f"NameError: {message}", next_step=next_step)
