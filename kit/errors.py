"""The one error family of the kit: what happened, why, and what to do next."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from string import Template

from kit.programs import system

COMMAND = re.compile("`kit (?=[a-z])")
EVERYWHERE = f"`{'py' if os.name == 'nt' else 'python3'} workshop.py "
"""How `kit` is called where it is not on PATH: in JupyterLab's terminal, and before `.venv`."""


class KitError(Exception):
    """An error a learner can act on: what happened, in one sentence, why, as far as it is known,
    and what to do about it.

    In a notebook it shows as its text, not as a stack; the `kit` command prints it and exits 1.
    """

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        super().__init__(what, why, next_step)
        self.what = what
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        labeled = (("Why: ", self.why), ("Next: ", self.next_step))
        return "\n".join([self.what, *(label + text for label, text in labeled if text)])

    @property
    def in_a_line(self) -> str:
        """What happened and why; of a compiler's many lines, the first that is an error."""
        lines = self.why.splitlines()
        if len(lines) > 1:
            lines = [line for line in lines if "error:" in line][:1] or lines[-1:]
        return " ".join([self.what, *lines])

    def _render_traceback_(self) -> list[str]:
        """IPython calls this instead of printing a stack."""
        return COMMAND.sub(EVERYWHERE, str(self)).splitlines()


def one_of(value: str, choices: Sequence[str]) -> str:
    """`value`, which must be one of `choices`; else KitError names the one that is most like it."""
    if value in choices:
        return value
    like = get_close_matches(str(value).lower(), choices, 1)
    raise KitError(
        f"{value!r} is not one of the choices: {', '.join(map(repr, choices))}.",
        next_step=f"Did you mean {like[0]!r}?" if like else "Write one of them.",
    )


@dataclass(frozen=True)
class Pattern:
    """A row of a table that says what the words of a tool mean, the first fitting row counting.

    `pattern` is a regular expression, in small or capital letters; `$name` in the texts stands for
    a word that is filled in, and the advice for this system follows `next`.
    """

    pattern: str
    what: str = ""
    why: str = ""
    next: str = ""
    windows: str = ""
    darwin: str = ""
    linux: str = ""

    def fits(self, said: str) -> bool:
        """Whether the pattern is somewhere in what was said."""
        return bool(re.search(self.pattern, said, re.IGNORECASE))

    def error(self, **words: str) -> KitError:
        """The row as an error, with its words filled in."""
        steps = (self.next, getattr(self, system().lower()))
        texts = (self.what, self.why, " ".join(filter(None, steps)))
        return KitError(*(Template(text).safe_substitute(words) for text in texts))


def explain(said: str, patterns: Iterable[Pattern], **words: str) -> KitError:
    """The error for what a tool said: the first of `patterns` that it fits; the last should fit
    everything (`""`)."""
    return next(row for row in patterns if row.fits(said)).error(**words)
