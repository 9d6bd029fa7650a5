"""C as a notebook shows it: one function or one passage of a file, with its place."""

import re
from dataclasses import dataclass
from pathlib import Path

from kit.errors import KitError
from kit.paths import ROOT


@dataclass(frozen=True)
class Excerpt:
    """A passage of C; in a notebook it shows colored, elsewhere as text."""

    place: str
    text: str

    def __repr__(self) -> str:
        return f"/* {self.place} */\n{self.text}"

    def _repr_markdown_(self) -> str:
        return f"`{self.place}`\n```c\n{self.text}\n```"


def passage(path: Path, first: str, last: str) -> Excerpt:
    """The lines of a C file from the first that begins with `first` to the next with `last`.
    Raises KitError: there is no such passage."""
    pattern = rf"^(?={re.escape(first)}).*?^{re.escape(last)}[^\n]*"
    return _find(path, pattern, f"passage from {first!r} to {last!r}")


def function(path: Path, name: str) -> Excerpt:
    """A function of a C file, from its comment to its closing brace. Raises KitError: the file has
    no function of that name."""
    pattern = rf"(?:^/\*(?:(?!\*/).)*\*/\n)?^[a-z][^\n;]*\b{re.escape(name)}\([^;{{]*\)\n\{{.*?^\}}"
    return _find(path, pattern, f"function {name}")


def _find(path: Path, pattern: str, what: str) -> Excerpt:
    found = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if found is None:
        raise KitError(
            f"{path.name} has no {what}.",
            "The file has changed since the notebook was written.",
            "Open the file itself.",
        )
    path = path.resolve()
    place = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    return Excerpt(place, found.group())
