"""The proof that the kit is right: LiteRT's reference kernels = the C here = the C on the board."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kit.board import Board, flash, run_bare
from kit.checks.measure import Costs, profile_board
from kit.compile import Firmware, Footprint, HostNetwork, NoRoom, build_firmware
from kit.digits import load_mnist
from kit.errors import KitError
from kit.generate import Generated, generate_network
from kit.model import Range, Reference, pixels_to_input, read_model
from kit.paths import build_folder
from kit.provenance import digest
from kit.tables import Table, table

if TYPE_CHECKING:
    from kit.generate import xcubeai

FLOAT_TOLERANCE = 1e-5  # scores are probabilities; the order of float additions is not defined
DEFAULT = "LiteRT, default kernels"
Outputs = Sequence[npt.NDArray[Any]]
PROFILED = 10  # images


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
    """The comparisons of one model, on `rows` inputs; `digest` is the `kit.digest` of the scores
    that the C gave, on the board where there is one, `costs` and `footprint` what the network takes
    there. `remark` says why no board was asked that was to be."""

    model: str
    inputs: str
    rows: int
    comparisons: tuple[Comparison, ...]
    digest: str = ""
    costs: Costs | None = None
    footprint: Footprint | None = None
    remark: str = ""

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
        yield f"digest of the scores: {self.digest}"
        yield from self.costs.shown() if self.costs else ()
        yield str(self.footprint or self.remark)


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


def compare_scores(name: str, outputs: npt.NDArray[Any], reference: npt.NDArray[Any]) -> Comparison:
    """Compare outputs of shape (n, …) with the reference's, row by row."""
    return compare_all(name, [outputs], [reference])


def compare_all(name: str, outputs: Outputs, references: Outputs) -> Comparison:
    """As `compare_scores`, of a network of several outputs: a row differs where any of them does;
    the digit is that of the first. What is not among `outputs` is not compared."""
    rows, largest = len(references[0]), 0.0
    differ = np.zeros(rows, bool)
    pairs = [
        (ours.reshape(rows, -1), theirs.reshape(rows, -1))
        for ours, theirs in zip(outputs, references, strict=False)
    ]
    for ours, theirs in pairs:
        difference = np.abs(ours.astype(np.float64) - theirs)
        # What is no number agrees with nothing, and JSON has no infinity.
        difference = np.nan_to_num(difference, nan=np.finfo(np.float64).max)
        tolerance = FLOAT_TOLERANCE if theirs.dtype.kind == "f" else 0.0
        differ |= (difference > tolerance).any(axis=1)
        largest = max(largest, float(difference.max()))
    same_digit = int((pairs[0][0].argmax(1) == pairs[0][1].argmax(1)).sum())
    return Comparison(name, rows, int(differ.sum()), largest, same_digit)


def mnist_inputs(path: str | Path, count: int, span: Range | None = None) -> npt.NDArray[Any]:
    """The first `count` images of the MNIST test set as a model's inputs, as `image_inputs`."""
    return image_inputs(path, load_mnist()[1][0][:count], span)


def image_inputs(
    path: str | Path, images: npt.NDArray[np.uint8], span: Range | None = None
) -> npt.NDArray[Any]:
    """Images of 28 x 28 pixels as a model's inputs, shape (count, …); `span` is what a pixel of 0
    and one of 255 are to the model, None takes it from its input. Raises KitError for an unusable
    model, and for one that does not take 784 values."""
    tensor = read_model(path).input
    if tensor.elements != images[0].size:
        raise KitError(
            f"{Path(path).name} does not take images of MNIST.",
            f"Its input has shape {tensor.shape}: {tensor.elements:,} values, and an image has "
            f"{images[0].size}.",
            "Compare on random inputs: --random 1000 on the command line, random_inputs in Python.",
        )
    return pixels_to_input(images, tensor, span).reshape(-1, *tensor.shape[1:])


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
    optimize: str | None = None,
    bare: bool = False,
) -> Validation:
    """Compute `inputs`, of shape (n, …) as the model takes them and `what` in words, in every way,
    and compare with LiteRT's reference kernels. The board at `board_url` is flashed and asked, None
    leaves it out; `progress` wraps the iteration over its inputs, for a progress bar; `optimize` is
    as for `kit.generate_network`; with `bare` the board runs nothing but the network. Raises
    KitError for a model that cannot be turned into C.
    """
    network = generate_network(path, build_folder() / "validate", optimize=optimize)
    reference = Reference(path).run_all(inputs)
    results = {
        DEFAULT: Reference(path, "default").run_all(inputs),
        "the C on this computer": HostNetwork(network).run_all(inputs),
    }
    taken, remark = _Taken(), ""
    try:
        if board_url:
            name = f"the {'bare program' if bare else 'C'} on {board_url}"
            results[name], taken = _on_a_board(network, board_url, inputs, progress, bare)
    except NoRoom as error:
        remark = f"No board was asked. {error}"
    comparisons = (compare_all(name, outputs, reference) for name, outputs in results.items())
    *_, last = results.values()
    found = tuple(comparisons), digest(last[0]), *taken, remark
    return Validation(Path(path).name, what, len(inputs), *found)


class _Taken(NamedTuple):
    costs: Costs | None = None
    footprint: Footprint | None = None


def _on_a_board(
    network: Generated, url: str, inputs: npt.NDArray[Any], progress: Any, bare: bool
) -> tuple[list[npt.NDArray[Any]], _Taken]:
    """The outputs, of a bare program the first; and what some inferences take, which neither a bare
    program tells nor a network that takes no pixels."""
    alone = build_firmware(network, "validate-firmware", bare=True)
    if bare:
        flash(url, alone.elf)
        return [run_bare(url, network, inputs, progress)], _Taken(None, alone.footprint)
    program = build_firmware(network, "validate-firmware")
    outputs, costs = ask_board(network, program, url, inputs, progress)
    return outputs, _Taken(costs, alone.footprint)


def ask_board(
    network: Generated,
    program: Firmware,
    url: str,
    inputs: npt.NDArray[Any],
    progress: Any = iter,
) -> tuple[list[npt.NDArray[Any]], Costs | None]:
    """Flash the board at `url` with the firmware of a network: its outputs, and what some
    inferences take, None for a network that takes no pixels."""
    flash(url, program.elf)
    with Board(url) as board:
        outputs = board.run_all(inputs, progress)
    return outputs, profile_board(url, PROFILED) if network.input_range else None


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
        expected, remark = Reference(path).run(inputs), ""
        comparison = compare_scores(name, done.outputs, expected)
    rows = inputs if isinstance(inputs, int) else len(inputs)
    ran = (done.tool, mode, done.metrics, done.milliseconds)
    return StValidation(Path(path).name, what, rows, *ran, comparison, remark)
