"""ST's own validation: its C model against the original one, on this computer or on a board."""

import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.errors import KitError, one_of
from kit.generate.result import TensorInfo
from kit.generate.xcubeai.runtime import check_may_run_on
from kit.generate.xcubeai.tool import Settings, open_job
from kit.generate.xcubeai.versions import AGAIN, CORE

MODES = {"host": "x86", "target": "stm32"}  # and what the older stm32ai calls them
NAMES = ("acc", "rmse", "mae", "l2r", "mean", "std", "nse", "cos")
_NUMBER = re.compile(r"([-+]?[\d.]+(?:e[-+]?\d+)?)(%?)")


@dataclass(frozen=True)
class Metrics:
    """One row of the tool's evaluation, such as "X-cross #1" (C model against the original), with
    its values by the tool's names: acc is a fraction from 0 to 1, rmse, mae and l2r are errors, nse
    and cos are best at 1. What is not applicable (n.a.) is left out."""

    name: str
    values: dict[str, float]


@dataclass(frozen=True)
class Validated:
    """What `stedgeai validate` found: the time of an inference, on this computer no more than an
    indication; the C model's outputs, shape (n, ...) and dtype of the model's output, or None
    where this version writes none."""

    tool: str
    metrics: tuple[Metrics, ...]
    milliseconds: float | None
    outputs: npt.NDArray[Any] | None


def validate_by_tool(
    path: str | Path,
    inputs: npt.NDArray[Any] | int,
    mode: str = "host",
    board: str | None = None,
    settings: Settings | None = None,
) -> Validated:
    """Run ST's validation of a .tflite, .keras or .h5 file. `inputs` has shape (n, ...), in the
    dtype of the model's input, or is a number: so many random ones of the tool's own. `mode` "host"
    compiles the C for this computer, "target" talks to a `board` (a serial port; None lets the tool
    search) that runs ST's validation program. Raises KitError: the mode cannot work here, no tool,
    a failure of it, or results that cannot be read."""
    check_mode(mode, board)
    with open_job(Path(path), settings or Settings()) as job:
        rows, more = inputs if isinstance(inputs, int) else len(inputs), []
        if not isinstance(inputs, int):
            np.savez(job.model.parent / "inputs.npz", m_inputs_1=inputs)
            more += ["--valinput", "inputs.npz"]
        more += ["--batch-size", str(rows)]
        more += ["--mode", mode if job.version.tool == CORE else MODES[mode]]
        if mode == "target":
            more += ["--desc", f"serial:{board}:115200" if board else "serial:115200"]
        figures = job.run("validate", *more)
        reports = sorted(job.output.rglob("network_validate_report.txt"))
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in reports]
        text = "\n".join([*texts, job.printed])  # versions differ in what they put where
        duration = re.search(r"^\s*duration\s*:\s*([\d.]+) ms", text, re.M)
        if not (metrics := tuple(read_metrics(text))):
            raise KitError(
                f"{job.version} left no evaluation.",
                "Neither its report nor what it printed has the table of metrics.",
                AGAIN,
            )
        milliseconds = float(duration[1]) if duration else None
        outputs = _outputs(job.output, figures.output, rows)
        return Validated(str(job.version), metrics, milliseconds, outputs)


def check_mode(mode: str, board: str | None) -> None:
    """Raise KitError where a mode cannot work, before anything is started."""
    if one_of(mode, tuple(MODES)) == "target":
        check_may_run_on(board or "")
    elif (platform.system(), platform.machine()) == ("Darwin", "arm64"):
        raise KitError(
            "ST's validation on this computer does not work on Apple silicon.",
            "Its libraries for the host are for x86-64 only.",
            "Validate on a board (--mode target), or with the portable engine.",
        )
    elif platform.system() == "Linux" and not shutil.which("gcc"):
        raise KitError(
            "ST's validation on this computer needs gcc.",
            "The tool compiles the C model for the host with it, and it was not found on PATH.",
            "Install it (sudo apt install gcc), or validate on a board (--mode target).",
        )


def read_metrics(text: str) -> list[Metrics]:
    """The rows of the first table "Evaluation report (summary)", by the names in its head."""
    columns: list[str] = []
    found: dict[str, Metrics] = {}
    for line in text.partition("Evaluation report (summary)")[2].splitlines():
        row, *words = re.split(r"\s{2,}", line.strip())
        if row in ("Output", "Mode"):
            columns = words
        elif row.startswith("---"):
            columns = [] if found else columns
        elif columns and len(words) >= 2:
            numbers = zip(columns, map(_NUMBER.fullmatch, words), strict=False)
            values = {
                name: float(number[1]) / (100 if number[2] else 1)
                for name, number in numbers
                if number and name in NAMES
            }
            found |= {row: Metrics(row, values)} if values else {}
    return list(found.values())


def _outputs(folder: Path, tensor: TensorInfo, rows: int) -> npt.NDArray[Any] | None:
    """The outputs of the C model, from network_val_io.npz."""
    for path in sorted(folder.rglob("*_val_io.npz")):
        with np.load(path) as arrays:
            for name in filter(arrays.__contains__, ("c_outputs_1", "c_outputs")):
                return as_stored(np.asarray(arrays[name]), tensor, rows)
    return None


def as_stored(values: npt.NDArray[Any], tensor: TensorInfo, rows: int) -> npt.NDArray[Any]:
    """Outputs as the chip holds them, shape (rows, *tensor.shape[1:]); some versions write the real
    values. KitError where there are not as many, or none of the quantized output's."""
    elements = int(np.prod(tensor.shape[1:]))
    why = f"It holds {values.size} values; {rows} rows of {elements} were asked for."
    if values.size == rows * elements:
        values = values.reshape(rows, *tensor.shape[1:])
        if values.dtype == tensor.dtype or tensor.dtype == "float32":
            return values.astype(tensor.dtype)
        steps = values.astype(np.float64) / (tensor.scale or 1.0) + tensor.zero_point
        stored = np.clip(steps.round(), np.iinfo(tensor.dtype).min, np.iinfo(tensor.dtype).max)
        if np.abs(steps - stored).max() <= 0.01:
            return stored.astype(tensor.dtype)
        why = f"Its values are not multiples of the output's scale {tensor.scale}."
    raise KitError(
        "The outputs that ST's validation wrote cannot be compared.",
        why,
        "Validate again; if it stays so, read the metrics in the tool's own report.",
    )
