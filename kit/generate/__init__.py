"""From a .tflite file to C: one entry, one result type, whichever engine makes it."""

import math
from pathlib import Path
from typing import Any

from kit.errors import KitError, one_of
from kit.generate.graph import GOALS as GOALS
from kit.generate.portable import generate_portable
from kit.generate.result import FILE
from kit.generate.result import Generated as Generated
from kit.generate.result import load_network as load_network
from kit.model import Range
from kit.provenance import note

ENGINES = ("portable", "xcubeai")


def generate_network(
    model: str | Path,
    out: str | Path,
    engine: str = "portable",
    input_range: Range | None = None,
    optimize: str | None = None,
    **settings: Any,
) -> Generated:
    """Turn a model into C in the folder `out`, replaced as a whole and only when all went well.

    `model` is a .tflite file; for xcubeai, ST's tool, also a .keras or .h5 one. `optimize` is what
    the portable engine saves, one of `GOALS`: "time", as without it; "ram", which some time pays
    for; "data", time that depends on the data: what is zero in an input is not multiplied; or
    "flash", by plain loops without the chip's fast versions.
    `input_range` is what a pixel of 0 and one of 255 were in training, such as (0, 1); None takes
    it from the input's quantization (`kit.model.input_range`). `settings` are for xcubeai: the
    fields of `kit.generate.xcubeai.Settings`, such as compression="high".

    Raises KitError: an unusable model, an operator the engine cannot do, an unknown engine or one
    without such settings, or a folder with files that were not generated.
    """
    check_engine(engine, settings, optimize)
    settings = {name: value for name, value in settings.items() if value is not None}
    folder = Path(out).resolve()
    if folder.is_dir() and any(folder.iterdir()) and not (folder / FILE).is_file():
        raise KitError(
            f"{folder} is left alone.",
            "Generating replaces a folder as a whole, and this one was not generated: it has "
            f"files but no {FILE}.",
            "Name another folder, or empty this one yourself.",
        )
    span = _checked(input_range)
    if engine == "portable":
        goal = one_of(GOALS[0] if optimize is None else optimize, GOALS)
        made = generate_portable(Path(model), folder, span, goal)
    else:
        from kit.generate import xcubeai  # ST's tool is no concern of who does not ask for it

        chosen = xcubeai.Settings(input_range=span, **settings)
        made = xcubeai.generate_by_st(Path(model), folder, chosen)
    note(made.folder, model)
    return made


def check_engine(
    name: str, settings: dict[str, Any], optimize: str | None = None, bare: bool = False
) -> None:
    """Raise KitError for an engine that there is not, or that would ignore a setting."""
    if name not in ENGINES:
        raise KitError(
            f"There is no engine {name!r}.", next_step=f"Choose one of: {', '.join(ENGINES)}."
        )
    chosen = [setting for setting, value in settings.items() if value is not None]
    if chosen and name == "portable":
        raise KitError(
            f"The portable engine has no setting {chosen[0].replace('_', '-')}.",
            "It is one of ST's tool.",
            "Leave it out, or add --engine xcubeai.",
        )
    if optimize is not None and name != "portable":
        raise KitError(
            f"The engine {name} has no setting optimize.",
            "It is one of the portable engine; ST's tool has its own, optimization: time, ram or "
            "balanced.",
            "Leave it out, or write optimization in its place (--optimization in a command).",
        )
    if bare and name != "portable":
        raise KitError(
            f"The engine {name} has no bare program.",
            "ST's runtime needs the start-up and the C library of the whole one.",
            "Leave --bare out, or --engine.",
        )


def _checked(span: Range | None) -> Range | None:
    if span is None:
        return None
    low, high = map(float, span)
    if low == high or not math.isfinite(low) or not math.isfinite(high):
        raise KitError(
            f"{low:g} to {high:g} is no range of pixels.",
            "A pixel of 0 and one of 255 must be two different numbers to the network.",
            "Give what they were in training, such as 0 1, 0 255 or -1 1.",
        )
    return low, high
