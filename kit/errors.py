"""The one error family of the kit: what happened, why, and what to do next."""

import os
import re

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
