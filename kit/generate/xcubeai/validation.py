"""ST's own validation: its C model against the original one, on this computer or on a board."""

import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.errors import KitError
from kit.generate.xcubeai.drive import Driven, Job, ask, perform
from kit.generate.xcubeai.engine import Settings, described, figures_of, options, prepared
from kit.generate.xcubeai.figures import Figures
from kit.generate.xcubeai.find import find_tool
from kit.generate.xcubeai.license import check_may_run_on
from kit.model import Model

MODES = {"host": "x86", "target": "stm32"}
"""The two modes, and what the older stm32ai calls them."""
BAUD = 115200
NAMES = ("acc", "rmse", "mae", "l2r", "mean", "std", "nse", "cos")
_DURATION = re.compile(r"^\s*duration\s*:\s*([\d.]+) ms", re.MULTILINE)


@dataclass(frozen=True)
class Metrics:
    """One row of the tool's evaluation, such as "X-cross #1" (C model against the original).

    `values` by the tool's names: acc is a fraction from 0 to 1, rmse, mae and l2r are errors, nse
    and cos are best at 1. What it says is not applicable (n.a.) is left out.
    """

    name: str
    values: dict[str, float]


@dataclass(frozen=True)
class Validated:
    """What `stedgeai validate` found.

    `outputs` are the C model's, shape (n, ...) and dtype of the model's output, or None where this
    version writes none. `milliseconds` is the time of an inference: on a board a measurement, on
    this computer no more than an indication.
    """

    tool: str
    mode: str
    metrics: tuple[Metrics, ...]
    milliseconds: float | None
    outputs: npt.NDArray[Any] | None
    figures: Figures


def validate_by_tool(
    path: str | Path,
    inputs: npt.NDArray[Any] | int,
    mode: str = "host",
    board: str | None = None,
    settings: Settings | None = None,
) -> Validated:
    """Run ST's validation on given inputs.

    Args:
        path: a .tflite, .keras or .h5 file.
        inputs: shape (n, ...), in the dtype of the model's input; or a number: so many random
            ones of the tool's own.
        mode: "host" compiles the C for this computer, "target" talks to a board that runs ST's
            validation program.
        board: the serial port for "target"; None lets the tool search.
        settings: what to choose.

    Raises:
        KitError: the mode cannot work here, no tool, a failure of the tool, or results that cannot
            be read.
    """
    chosen = settings or Settings()
    model = described(Path(path))
    check_mode(mode, board)
    driven = ask(find_tool(chosen.tool))
    more = options(driven, chosen)
    with prepared(Path(path)) as (copy, folder):
        rows = inputs if isinstance(inputs, int) else len(inputs)
        if not isinstance(inputs, int):
            np.savez(folder / "inputs.npz", m_inputs_1=inputs)
            more += ["--valinput", "inputs.npz"]
        more += ["--batch-size", str(rows)]
        more += ["--mode", mode if driven.version.is_core else MODES[mode]]
        more += ["--desc", description(board)] if mode == "target" else []
        job = perform(driven, "validate", copy, folder, more, chosen.watch)
        return _result(job, driven, mode, model, rows)


def computer() -> tuple[str, str]:
    """This computer's system and processor, such as ("Linux", "x86_64")."""
    return platform.system(), platform.machine()


def check_mode(mode: str, board: str | None) -> None:
    """Raise KitError where a mode cannot work, before anything is started."""
    if mode not in MODES:
        raise KitError(f"There is no mode {mode!r}.", next_step="Choose host or target.")
    if mode == "target":
        check_may_run_on(board or "")
        return
    here = computer()
    if here == ("Darwin", "arm64"):
        raise KitError(
            "ST's validation on this computer does not work on Apple silicon.",
            "Its libraries for the host are for x86-64 only.",
            "Validate on a board (--mode target), or with the portable engine.",
        )
    if here[0] == "Linux" and not shutil.which("gcc"):
        raise KitError(
            "ST's validation on this computer needs gcc.",
            "The tool compiles the C model for the host with it, and it was not found on PATH.",
            "Install it (sudo apt install gcc), or validate on a board (--mode target).",
        )


def description(board: str | None) -> str:
    """The board as the tool wants it: serial:COM5:115200, or serial:115200 to let it search."""
    return f"serial:{board}:{BAUD}" if board else f"serial:{BAUD}"


def _result(job: Job, driven: Driven, mode: str, model: Model | None, rows: int) -> Validated:
    metrics = tuple(read_metrics(_report(job)))
    if not metrics:
        raise KitError(
            f"{driven.version} left no evaluation.",
            "Neither its report nor what it printed has the table of metrics.",
            "Try again; if it stays so, use ST Edge AI Core 4.0.",
        )
    figures = figures_of(job, "validate", driven, model)
    duration = _DURATION.search(_report(job))
    return Validated(
        str(driven.version),
        mode,
        metrics,
        float(duration[1]) if duration else None,
        _outputs(job, figures, rows),
        figures,
    )


def _report(job: Job) -> str:
    """What the tool wrote and printed; versions differ in what they put where."""
    files = sorted(job.output.rglob("network_validate_report.txt"))
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    return "\n".join([*texts, job.printed])


def read_metrics(text: str) -> list[Metrics]:
    """The rows of the first table "Evaluation report (summary)", by the names in its head."""
    _, _, table = text.partition("Evaluation report (summary)")
    columns: list[str] = []
    found: dict[str, Metrics] = {}
    for line in table.splitlines():
        words = re.split(r"\s{2,}", line.strip())
        if words[0] in ("Output", "Mode"):
            columns = words[1:]
        elif words[0].startswith("---"):
            columns = [] if found else columns
        elif columns and len(words) >= 3:
            values = dict(zip(columns, words[1:], strict=False))
            numbers = {name: _number(values[name]) for name in NAMES if name in values}
            known = {name: value for name, value in numbers.items() if value is not None}
            if known:
                found[words[0]] = Metrics(words[0], known)
    return list(found.values())


def _number(text: str) -> float | None:
    found = re.fullmatch(r"([-+]?[\d.]+(?:e[-+]?\d+)?)(%?)", text)
    return float(found[1]) / (100 if found[2] else 1) if found else None


def _outputs(job: Job, figures: Figures, rows: int) -> npt.NDArray[Any] | None:
    """The outputs of the C model, from network_val_io.npz."""
    for path in sorted(job.output.rglob("*_val_io.npz")):
        with np.load(path) as arrays:
            for name in ("c_outputs_1", "c_outputs"):
                if name in arrays:
                    return stored(np.asarray(arrays[name]), figures, rows)
    return None


def stored(values: npt.NDArray[Any], figures: Figures, rows: int) -> npt.NDArray[Any]:
    """Outputs as the chip holds them.

    Args:
        values: what the tool wrote, (n, 1, 1, classes) or (n, classes); some versions write the
            real values of a quantized output.
        figures: of the network, for its output.
        rows: how many there must be.

    Returns:
        shape (n, *output shape without its batch), in the output's dtype.

    Raises:
        KitError: another number of values, or values that are none of the quantized output's.
    """
    tensor = figures.output
    assert tensor is not None  # gather saw to it
    elements = int(np.prod(tensor.shape[1:]))
    if values.size != rows * elements:
        raise _strange(f"It holds {values.size} values; {rows} rows of {elements} were asked for.")
    values = values.reshape(rows, *tensor.shape[1:])
    if values.dtype == tensor.dtype or tensor.dtype == "float32":
        return values.astype(tensor.dtype)
    steps = values.astype(np.float64) / (tensor.scale or 1.0) + tensor.zero_point
    limits = np.iinfo(tensor.dtype)
    if np.abs(steps - steps.round()).max() > 0.01 or not (
        limits.min <= steps.round().min() and steps.round().max() <= limits.max
    ):
        raise _strange(f"Its values are not multiples of the output's scale {tensor.scale}.")
    return steps.round().astype(tensor.dtype)


def _strange(why: str) -> KitError:
    return KitError(
        "The outputs that ST's validation wrote cannot be compared.",
        why,
        "Validate again; if it stays so, read the metrics in the tool's own report.",
    )
