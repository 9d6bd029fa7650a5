"""The proof that the kit is right: LiteRT's reference kernels = the C here = the C on the board."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kit.board import Board, flash
from kit.compile import HostNetwork, build_firmware
from kit.digits import load_mnist
from kit.errors import KitError
from kit.generate import generate_network
from kit.model import Range, Reference, pixels_to_input, read_model
from kit.paths import build_folder
from kit.tables import Table, table

if TYPE_CHECKING:
    from kit.generate import xcubeai

FLOAT_TOLERANCE = 1e-5  # scores are probabilities; the order of float additions is not defined
DEFAULT = "LiteRT, default kernels"


@dataclass(frozen=True)
class Comparison:
    """How outputs compare with those of LiteRT's reference kernels: `mismatches` counts the rows in
    which any value differs (float32: by more than `FLOAT_TOLERANCE`), `largest` is the largest
    difference of a value."""

    name: str
    rows: int
    mismatches: int
    largest: float
    same_digit: int


@dataclass(frozen=True)
class Validation:
    """The comparisons of one model, on `rows` inputs."""

    model: str
    inputs: str
    rows: int
    comparisons: tuple[Comparison, ...]

    @property
    def right(self) -> bool:
        """True when the C agrees everywhere, here and on the board."""
        return not any(c.mismatches for c in self.comparisons if c.name != DEFAULT)

    def shown(self) -> Iterator[Table | str]:
        """For people: a table of the comparisons, and the verdict."""
        columns = {"name": "computed by", "rows": "rows", "mismatches": "differ"}
        columns |= {"largest": "by at most", "same_digit": "same digit"}
        title = f"{self.model} on {self.inputs}, compared with LiteRT's reference kernels"
        yield table([vars(c) for c in self.comparisons], columns, title, {"largest": ".3g"})
        yield "The C is right." if self.right else "The C DIFFERS from the reference."


@dataclass(frozen=True)
class StValidation:
    """What ST's own validation says of a model, on `rows` inputs: its `metrics`, and the time of an
    inference. `comparison` is the tool's C model against LiteRT's reference kernels (for int8, its
    `largest` counts steps of the output, LSB); where it is None, `remark` says why."""

    model: str
    inputs: str
    rows: int
    tool: str
    mode: str
    metrics: "tuple[xcubeai.Metrics, ...]"
    milliseconds: float | None
    comparison: Comparison | None
    remark: str

    def shown(self) -> Iterator[Table | str]:
        """For people: a table of the metrics, the time, and the comparison."""
        unknown = {name: float("nan") for row in self.metrics for name in row.values}
        rows = [{"ST's evaluation": row.name, **unknown, **row.values} for row in self.metrics]
        title = f"{self.model} on {self.inputs}, validated by {self.tool} ({self.mode})"
        yield table(rows, caption=title, formats=dict.fromkeys(unknown, ".6g"))
        if self.milliseconds is not None:
            yield f"{self.milliseconds:g} ms an inference"
        found = self.comparison
        if found is None:
            yield f"Not compared with LiteRT: {self.remark}"
        else:
            yield (
                f"Compared with LiteRT's reference kernels: {found.mismatches:,} of "
                f"{found.rows:,} rows differ, by {found.largest:.3g} at most, "
                f"{found.same_digit:,} with the same digit."
            )


def compare(name: str, outputs: npt.NDArray[Any], reference: npt.NDArray[Any]) -> Comparison:
    """Compare outputs of shape (n, …) with the reference's, row by row."""
    rows = len(reference)
    outputs, reference = outputs.reshape(rows, -1), reference.reshape(rows, -1)
    difference = np.abs(outputs.astype(np.float64) - reference)
    # What is no number agrees with nothing, and JSON has no infinity.
    difference = np.nan_to_num(difference, nan=np.finfo(np.float64).max)
    tolerance = FLOAT_TOLERANCE if reference.dtype.kind == "f" else 0.0
    mismatches = int((difference > tolerance).any(axis=1).sum())
    same_digit = int((outputs.argmax(1) == reference.argmax(1)).sum())
    return Comparison(name, rows, mismatches, float(difference.max()), same_digit)


def mnist_inputs(path: str | Path, count: int, span: Range | None = None) -> npt.NDArray[Any]:
    """The first `count` images of the MNIST test set as a model's inputs, shape (count, …); `span`
    is what a pixel of 0 and one of 255 are to the model, None takes it from its input. Raises
    KitError for an unusable model, and for one that does not take 784 values."""
    tensor, (images, _) = read_model(path).input, load_mnist()[1]
    if tensor.elements != images[0].size:
        raise KitError(
            f"{Path(path).name} does not take images of MNIST.",
            f"Its input has shape {tensor.shape}: {tensor.elements:,} values, and an image has "
            f"{images[0].size}.",
            "Compare on random inputs: --random 1000 on the command line, random_inputs in Python.",
        )
    return pixels_to_input(images[:count], tensor, span).reshape(-1, *tensor.shape[1:])


def random_inputs(path: str | Path, count: int, seed: int = 1) -> npt.NDArray[Any]:
    """`count` random inputs for a model of any input shape: integers over their whole range,
    float32 from 0 to 1. Raises KitError for another dtype."""
    tensor, generator = read_model(path).input, np.random.default_rng(seed)
    shape = (count, *tensor.shape[1:])
    if tensor.dtype in ("int8", "uint8", "int16"):
        limits = np.iinfo(tensor.dtype)
        return generator.integers(limits.min, limits.max, shape, tensor.dtype, endpoint=True)
    if tensor.dtype != "float32":
        raise KitError(
            f"There are no random inputs for {Path(path).name}: it takes {tensor.dtype}.",
            next_step="Convert it to int8, as notebook 02-quantize does.",
        )
    return generator.random(shape, np.float32)


def validate_model(
    path: str | Path,
    inputs: npt.NDArray[Any],
    what: str,
    board_url: str | None = "virtual://validate",
    progress: Any = iter,
) -> Validation:
    """Compute `inputs`, of shape (n, …) as the model takes them and `what` in words, in every way,
    and compare with LiteRT's reference kernels. The board at `board_url` is flashed and asked, None
    leaves it out; `progress` wraps the iteration over its inputs, for a progress bar. Raises
    KitError for a model that cannot be turned into C, or does not fit the chip."""
    network = generate_network(path, build_folder() / "validate")
    reference = Reference(path).run(inputs)
    results = {
        DEFAULT: Reference(path, "default").run(inputs),
        "the C on this computer": HostNetwork(network).run(inputs),
    }
    if board_url:
        flash(board_url, build_firmware(network, "validate-firmware").elf)
        with Board(board_url) as board:
            results[f"the C on {board_url}"] = board.run(inputs, progress)
    comparisons = (compare(name, outputs, reference) for name, outputs in results.items())
    return Validation(Path(path).name, what, len(inputs), tuple(comparisons))


def validate_by_st(
    path: str | Path,
    inputs: npt.NDArray[Any] | int,
    what: str,
    mode: str = "host",
    board: str | None = None,
    settings: "xcubeai.Settings | None" = None,
) -> StValidation:
    """Let ST's tool validate its C of a model, and compare what it computed with LiteRT. All but
    `what`, the inputs in words, and the errors are as for `xcubeai.validate_by_tool`."""
    from kit.generate import xcubeai

    done = xcubeai.validate_by_tool(path, inputs, mode, board, settings)
    comparison, remark = None, "This version of the tool writes no outputs to compare."
    if isinstance(inputs, int):
        remark = "LiteRT reads .tflite files only: hand over one to compare with it."
    elif done.outputs is not None:
        name = f"ST's C model ({mode})"
        comparison, remark = compare(name, done.outputs, Reference(path).run(inputs)), ""
    rows = inputs if isinstance(inputs, int) else len(inputs)
    ran = (done.tool, mode, done.metrics, done.milliseconds)
    return StValidation(Path(path).name, what, rows, *ran, comparison, remark)
