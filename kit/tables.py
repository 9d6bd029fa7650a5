"""One kind of table: HTML in a notebook, aligned text in a terminal, plain values for JSON."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from rich.table import Table as RichTable
from rich.text import Text

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Table:
    """Cells as text, ready to show; `right` says which columns are numbers."""

    headings: list[str]
    cells: list[list[str]]
    right: list[bool]
    caption: str

    def __repr__(self) -> str:
        columns = zip(self.headings, *self.cells, strict=True)
        widths = [max(map(len, column)) for column in columns]
        aligned = [f"{'>' if r else '<'}{w}" for r, w in zip(self.right, widths, strict=True)]
        lines = [self.headings, ["-" * width for width in widths], *self.cells]
        text = ["  ".join(map(format, line, aligned)).rstrip() for line in lines]
        return "\n".join([self.caption, *text] if self.caption else text)

    def __rich__(self) -> RichTable:
        """For rich's console; cells are plain text: a path may hold what rich takes for markup."""
        table = RichTable(title=Text(self.caption), title_justify="left")
        for heading, right in zip(self.headings, self.right, strict=True):
            table.add_column(heading, justify="right" if right else "left", overflow="fold")
        for line in self.cells:
            table.add_row(*map(Text, line))
        return table

    def _repr_html_(self) -> str:
        style = 'style="white-space:nowrap;text-align:left"'
        caption = f"<caption {style}>{html.escape(self.caption)}</caption>" if self.caption else ""
        head = self._row(self.headings, "th")
        body = "\n".join(self._row(line, "td") for line in self.cells)
        return f"<table>{caption}\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"

    def _row(self, line: list[str], tag: Literal["th", "td"]) -> str:
        cells = (
            f'<{tag} style="text-align:{"right" if right else "left"}">{html.escape(cell)}</{tag}>'
            for cell, right in zip(line, self.right, strict=True)
        )
        return f"<tr>{''.join(cells)}</tr>"


def table(
    rows: Rows,
    columns: Sequence[str] | Mapping[str, str] | None = None,
    caption: str = "",
    formats: Mapping[str, str] | None = None,
) -> Table:
    """A table of some columns of `rows`, numbers to the right.

    `columns` are the keys to show, in order, or a mapping of each to its heading; all keys of the
    first row when they are left out. `formats` are format specifications for some keys, such as
    {"accuracy": ".2%"}; otherwise integers get thousands separators, other numbers 4 digits, True
    and False yes and no.
    """
    keys = list(columns or (rows[0] if rows else ()))
    headings = list(columns.values()) if isinstance(columns, Mapping) else keys
    formats = formats or {}
    cells = [[in_words(row[key], formats.get(key, "")) for key in keys] for row in rows]
    right = [all(row[key] is None or _is_number(row[key]) for row in rows) for key in keys]
    return Table(headings, cells, right, caption)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def in_words(value: Any, spec: str = "") -> str:
    """A value as a table shows it; `spec` is the format specification of a number."""
    if _is_number(value):
        return format(value, spec or ("," if isinstance(value, Integral) else ",.4g"))
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return "" if value is None else str(value)
