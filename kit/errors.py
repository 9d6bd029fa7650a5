"""The one error family of the kit: what happened, why, and what to do next."""

import os
import re
from collections.abc import Sequence
from difflib import get_close_matches

COMMAND = re.compile("`kit (?=[a-z])")
EVERYWHERE = f"`{'py' if os.name == 'nt' else 'python3'} workshop.py "
"""How `kit` is called where it is not on PATH: in JupyterLab's terminal, and before `.venv`."""


class KitError(Exception):
    """An error a learner can act on.

    Args:
        what: what happened, in one sentence.
        why: the cause, as far as it is known.
        next_step: what to do about it.

    In a notebook it shows as its text, not as a stack; the `kit` command prints it and exits 1.
    """

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        super().__init__(what, why, next_step)
        self.what = what
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"Why: {self.why}")
        if self.next_step:
            lines.append(f"Next: {self.next_step}")
        return "\n".join(lines)

    def _render_traceback_(self) -> list[str]:
        """IPython calls this instead of printing a stack."""
        return COMMAND.sub(EVERYWHERE, str(self)).splitlines()


def one_of(value: str, choices: Sequence[str]) -> str:
    """`value`, which must be one of `choices`.

    Raises:
        KitError: it is none of them; the one that is most like it is named.
    """
    if value in choices:
        return value
    like = get_close_matches(str(value).lower(), choices, 1)
    raise KitError(
        f"{value!r} is not one of the choices: {', '.join(map(repr, choices))}.",
        next_step=f"Did you mean {like[0]!r}?" if like else "Write one of them.",
    )
