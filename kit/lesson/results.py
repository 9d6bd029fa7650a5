"""`build/report.json`: the figures the notebooks arrive at, in the order they do."""

import json
from typing import Any

from kit.errors import KitError
from kit.paths import build_folder, locked, replacing
from kit.tables import Table, in_words

Report = dict[str, dict[str, Any]]


def report(section: str, **figures: Any) -> None:
    """Add finite numbers or text to a section of the report, such as "int8" or "board"; a figure
    that was there is replaced. Several notebooks may do it at once.

    Raises KitError: a figure is something else; the report is as it was then.
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


def _plain(value: Any) -> Any:
    """numpy's scalars and arrays of one number have `item()`, which gives Python's number."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not a number or text")


def read_report() -> Report:
    """The report so far; empty when no notebook has written to it. Raises KitError: the file is
    not a report."""
    path = build_folder() / "report.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
    except ValueError as error:
        raise KitError(
            f"{path} is not a report.", str(error), "Delete it and run `kit run`."
        ) from error


def report_table(figures: Report) -> Table:
    """The report as a table; a section's name stands in its first row."""
    rows = []
    for section, values in figures.items():
        for number, (name, value) in enumerate(values.items()):
            words = in_words(value, ".2%" if name == "accuracy" else "")
            rows.append(["" if number else section, name.replace("_", " "), words])
    return Table(
        ["", "figure", "value"], rows, [False, False, True], "What the notebooks arrived at"
    )
