"""C as a notebook shows it: one function or one passage of a file, with its place."""

import re
from dataclasses import dataclass
from pathlib import Path

from kit.errors import KitError
from kit.paths import ROOT


@dataclass(frozen=True)
class Code:
    """A passage of C; in a notebook it shows colored, elsewhere as text."""

    place: str
    text: str

    def __repr__(self) -> str:
        return f"/* {self.place} */\n{self.text}"

    def _repr_markdown_(self) -> str:
        return f"`{self.place}`\n```c\n{self.text}\n```"


def _place(path: Path) -> str:
    """The path inside the project, or the file's name where it is elsewhere."""
    inside = path.resolve().is_relative_to(ROOT)
    return path.resolve().relative_to(ROOT).as_posix() if inside else path.name


def passage(path: str | Path, first: str, last: str) -> Code:
    """The lines of a C file from the first that begins with `first` to the next with `last`.

    Raises:
        KitError: there is no such passage.
    """
    path = Path(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith(first)), None)
    if start is not None:
        for end in range(start, len(lines)):
            if lines[end].startswith(last):
                return Code(_place(path), "\n".join(lines[start : end + 1]))
    raise KitError(
        f"{path.name} has no passage from {first!r} to {last!r}.",
        "The file has changed since the notebook was written.",
        "Open the file itself.",
    )


def function(path: str | Path, name: str) -> Code:
    """A function of a C file, from its comment to its closing brace.

    Raises:
        KitError: the file has no function of that name.
    """
    path = Path(path)
    text = path.read_text(encoding="utf-8")
    pattern = rf"(?:^/\*(?:(?!\*/).)*\*/\n)?^[a-z][^\n;]*\b{re.escape(name)}\([^;{{]*\)\n\{{.*?^\}}"
    found = re.search(pattern, text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise KitError(
            f"{path.name} has no function {name}.",
            "The file has changed since the notebook was written.",
            "Open the file itself.",
        )
    return Code(_place(path), found.group(0))
