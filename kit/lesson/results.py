"""`build/report.json`: the figures the notebooks arrive at, in the order they do."""

import json
from typing import Any

from rich.table import Table

from kit.errors import KitError
from kit.paths import build_folder, locked, replacing

Report = dict[str, dict[str, Any]]


def report(section: str, **figures: Any) -> None:
    """Add figures to a section of the report; a figure that was there is replaced.

    Several notebooks may do it at once.

    Args:
        section: for example "int8" or "board".
        figures: numbers or text; numpy's scalars become Python's.

    Raises:
        KitError: a figure is not a number or text, or is not finite.
    """
    with locked("report.json"):
        merged = read_report()
        merged.setdefault(section, {}).update(figures)
        try:
            text = json.dumps(merged, indent=2, allow_nan=False, default=_plain)
        except (TypeError, ValueError) as error:
            raise KitError(
                f"The report cannot hold these figures of {section}: {figures}.",
                str(error),
                "Report finite numbers and text.",
            ) from error
        with replacing("report.json") as path:
            path.write_text(text + "\n", encoding="utf-8", newline="\n")


def read_report() -> Report:
    """The report so far; empty when no notebook has written to it.

    Raises:
        KitError: the file is not a report.
    """
    path = build_folder() / "report.json"
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise KitError(
            f"{path} is not a report.", str(error), "Delete it and run `kit run`."
        ) from error


def report_table(figures: Report) -> Table:
    """The report as a table for the terminal."""
    rows = Table("", "figure", "value", title="What the notebooks arrived at")
    rows.columns[2].justify = "right"
    for section, values in figures.items():
        for name, value in values.items():
            first = name == next(iter(values))
            rows.add_row(section if first else "", name.replace("_", " "), _text(name, value))
        rows.add_section()
    return rows


def _text(name: str, value: Any) -> str:
    if name == "accuracy":
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _plain(value: Any) -> Any:
    """numpy's scalars and arrays of one number have `item()`, which gives Python's number."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not a number or text")
