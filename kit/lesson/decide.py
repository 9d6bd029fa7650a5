"""Cases to decide with a table of methods: what a product asks of a network, and who meets it."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kit.boards import DEFAULT
from kit.errors import one_of
from kit.tables import Table

KB = 1024
FRAME_US = 1_000_000 / 60


@dataclass(frozen=True)
class Requirement:
    """A field of a row that must be `at most` or `at least` the limit, named by `words`. The `unit`
    % belongs to shares, 0 to 1."""

    field: str
    limit: float
    sense: Literal["at most", "at least"]
    unit: str
    words: str

    def __str__(self) -> str:
        return f"{self.words} {self.sense} {self._number(self.limit)}"

    def is_met(self, row: Any) -> bool:
        """Whether the row meets it; what is not known does not."""
        value = getattr(row, self.field)
        return value is not None and self._room(value) >= 0

    def judge(self, row: Any) -> str:
        """What the row has, and by how much it meets or misses the limit, in words."""
        value = getattr(row, self.field)
        if value is None:
            return f"not known: {getattr(row, 'error', '') or 'it was not measured'}"
        room = self._room(value)
        points = self._number(abs(room)).replace(" %", " points")
        if room < 0:
            words = f"{points} too {'many' if self.sense == 'at most' else 'few'}"
        else:
            words = f"{points} to spare" if room else "just so"
        return f"{self._number(value)}: {words}"

    def _room(self, value: float) -> float:
        return self.limit - value if self.sense == "at most" else value - self.limit

    def _number(self, value: float) -> str:
        return f"{100 * value:.2f} %" if self.unit == "%" else f"{value:,.0f} {self.unit}"


@dataclass(frozen=True)
class Case:
    """A product: its story, what it requires, and the field of which it wants as little as it can
    get (one of the requirements)."""

    title: str
    story: str
    requirements: tuple[Requirement, ...]
    fewest: str

    def __repr__(self) -> str:
        return "\n".join([self.title, self.story, *(f"- {each}" for each in self.requirements)])

    def _repr_html_(self) -> str:
        listed = "".join(f"<li>{html.escape(str(each))}</li>" for each in self.requirements)
        title, story = html.escape(self.title), html.escape(self.story)
        return f"<p><b>{title}.</b> {story}</p><ul>{listed}</ul>"

    def is_met(self, row: Any) -> bool:
        """Whether the row meets all requirements."""
        return all(each.is_met(row) for each in self.requirements)


CASES = (
    Case(
        "A battery sensor",
        "A meter reads its own dial once an hour and lives on a coin cell: every cycle comes out "
        "of it. The rest of its program leaves 16 KB of flash and 8 KB of RAM.",
        (
            Requirement("flash_bytes", 16 * KB, "at most", "bytes", "flash"),
            Requirement("ram_bytes", 8 * KB, "at most", "bytes", "RAM"),
            Requirement("accuracy", 0.99, "at least", "%", "accuracy"),
            Requirement("cycles", 1_000_000, "at most", "cycles", "one inference takes"),
        ),
        "cycles",
    ),
    Case(
        "A reader of 60 frames a second",
        "A camera brings 60 frames a second, each with 8 digits. Finding them takes 6,000 µs of "
        "every frame, and the chip must give the very scores that were tested on the computer.",
        (
            Requirement("microseconds", (FRAME_US - 6000) / 8, "at most", "µs", "one digit takes"),
            Requirement("accuracy", 0.974, "at least", "%", "accuracy"),
            Requirement("differ_on_board", 0, "at most", "images", "other scores on the chip for"),
        ),
        "microseconds",
    ),
    Case(
        "A result that was signed off",
        "A customer has examined the float32 network and signed what it answers. The chip must "
        "answer the same, and half of its flash belongs to the next version of the program.",
        (
            Requirement("agreement", 0.9999, "at least", "%", "agreement with float32"),
            Requirement("flash_bytes", DEFAULT.flash_bytes // 2, "at most", "bytes", "flash"),
        ),
        "flash_bytes",
    ),
)


@dataclass(frozen=True)
class Decision:
    """What became of a choice: a table of the requirements, and the verdict in words."""

    table: Table
    verdict: str
    right: bool

    def __repr__(self) -> str:
        return f"{self.table!r}\n{self.verdict}"

    def _repr_html_(self) -> str:
        return f"{self.table._repr_html_()}<p><b>{html.escape(self.verdict)}</b></p>"


def check(case: Case, name: str, rows: Sequence[Any]) -> Decision:
    """Whether the row of that name meets all that the case requires, by how much, and whether
    another one would do with less. Raises KitError: no row has the name."""
    row = {each.name: each for each in rows}[one_of(name, [each.name for each in rows])]
    cells = [
        [str(each), each.judge(row), "met" if each.is_met(row) else "missed"]
        for each in case.requirements
    ]
    table = Table(["required", name, ""], cells, [False] * 3, case.title)
    good = [each for each in rows if case.is_met(each)]
    if not case.is_met(row):
        missed = sum(not each.is_met(row) for each in case.requirements)
        also = f"{len(good)} of the {len(rows)} rows meet all" if good else "no row meets all"
        verdict = f"Not {name}: it misses {missed} of {len(case.requirements)}; {also}."
        return Decision(table, verdict, False)
    return Decision(table, _compare(case, row, good), True)


def _compare(case: Case, row: Any, good: list[Any]) -> str:
    """The verdict on a row that meets all, beside the others that do."""
    wanted = next(each for each in case.requirements if each.field == case.fewest)
    best = min(good, key=lambda each: getattr(each, case.fewest))
    least, taken = (getattr(each, case.fewest) for each in (best, row))
    if least == taken:
        return f"{row.name} meets all, and of those that do none takes fewer {wanted.unit}."
    figures = f"{wanted._number(least)} instead of {wanted._number(taken)}"
    return f"{row.name} meets all. So does {best.name}, with {figures}."
