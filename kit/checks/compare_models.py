"""Models side by side: how well they read, what they take of a chip, and whether the C is exact."""

import csv
import hashlib
import html
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kit.board.address import scheme
from kit.board.ports import chip, require, resolve
from kit.boards import Mcu, find_mcu
from kit.checks.validate import Outputs, ask_board, compare_all, image_inputs
from kit.compile import HostNetwork, NoRoom, build_firmware
from kit.digits import load_mnist, read_uci
from kit.errors import KitError, one_of
from kit.generate import GOALS, generate_network
from kit.generate.step import Refusal
from kit.model import Reference, read_model
from kit.paths import ROOT, build_folder, replacing
from kit.pictures import load_uci
from kit.progress import each
from kit.provenance import digest, file_digest, made_from, note
from kit.tables import Table, table
from kit.workers import MOST, Done, at_once
from virtual_nucleo.options import parse

URL = "virtual://compare"
FOLDER = "compare"  # in build/
KIT = ("board", "checks", "compile", "digits", "generate", "model", "pictures")
DECIDING = ("firmware", "virtual_nucleo", *(f"kit/{name}" for name in KIT))
PACKAGES = ("ai-edge-litert", "unicorn", "ziglang")
"""Whose sources and versions decide the figures: what was kept by others is made anew."""
PART = 250  # images between two updates of the bar

READING = {"name": "model", "file_bytes": "file", "accuracy": "read right"}
READING |= {"agreement": "same digit", "uci_accuracy": "UCI", "differ_here": "differ here"}
READING |= {"differ_on_board": "on board", "digest": "digest"}
TAKING = {"name": "model", "flash_bytes": "flash", "engine_bytes": "engine"}
TAKING |= {"network_bytes": "network", "ram_bytes": "RAM", "buffers_bytes": "buffers"}
TAKING |= {"stack_bytes": "stack", "fits": "fits", "instructions": "instructions"}
TAKING |= {"cycles": "cycles", "microseconds": "us"}
FORMATS = dict.fromkeys(("accuracy", "agreement", "uci_accuracy"), ".2%")
FORMATS |= dict.fromkeys(("instructions", "cycles", "microseconds"), ",.0f")
Progress = Callable[[str], Any]
Models = str | Path | Sequence[str | Path] | Mapping[str, str | Path]


@dataclass(frozen=True)
class ComparedModel:
    """A row; None is what is not known, and `error` says why.

    `accuracy` is the share of the images that LiteRT's reference kernels read right, `agreement`
    that with the digit of the model that all are compared with, `uci_accuracy` the share that is
    read right of UCI's 1,797 digits, whose handwriting is unlike MNIST's (where fewer `images` are
    asked for, of so many). `differ_here` and `differ_on_board` count the images whose scores by the
    C are not LiteRT's, as `Comparison` does; `digest` is the `kit.digest` of the scores here. Bytes
    are those of a bare program: `flash_bytes` are engine and network, `ram_bytes` buffers and
    stack. Instructions (of a virtual board only) and cycles are means of some inferences.
    """

    name: str
    file_bytes: int
    in_float: bool
    accuracy: float | None = None
    agreement: float | None = None
    uci_accuracy: float | None = None
    differ_here: int | None = None
    differ_on_board: int | None = None
    digest: str = ""
    flash_bytes: int | None = None
    engine_bytes: int | None = None
    network_bytes: int | None = None
    ram_bytes: int | None = None
    buffers_bytes: int | None = None
    stack_bytes: int | None = None
    fits: bool | None = None
    instructions: float | None = None
    cycles: float | None = None
    microseconds: float | None = None
    error: str = ""


@dataclass(frozen=True, repr=False)
class ComparisonTable:
    """A row for each model; a notebook shows it as tables. `reference` is the name of the model
    that all are compared with, empty where there is none; `board` is empty where none was asked."""

    rows: tuple[ComparedModel, ...]
    images: int
    board_images: int
    board: str
    mcu: str
    core_hz: int
    optimize: str
    reference: str

    @property
    def right(self) -> bool:
        """True when no C differs, here or on the board."""
        return not any(row.differ_here or row.differ_on_board for row in self.rows)

    def shown(self) -> Iterator[str]:
        """For people: two tables, what is missing, and the verdict. It is text, because it is
        wider than 80 columns."""
        yield from map(str, self._parts())

    def csv(self) -> str:
        """The rows as text with commas, a line of names first."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [x.name for x in fields(ComparedModel)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, self.rows))
        return text.getvalue()

    def __repr__(self) -> str:
        return "\n".join(self.shown())

    def _repr_html_(self) -> str:
        return "\n".join(
            part._repr_html_() if isinstance(part, Table) else f"<p>{html.escape(part)}</p>"
            for part in self._parts()
        )

    def _parts(self) -> Iterator[Table | str]:
        rows, board = [vars(row) for row in self.rows], self.board
        some = f", {self.board_images:,} of them on {board}" if board else ""
        yield table(rows, READING, f"On {self.images:,} test images of MNIST{some}", FORMATS)
        yield "differ: images whose scores by the C are not those of LiteRT's reference kernels"
        if self.reference:
            yield f"same digit: as {self.reference}"
        others = min(self.images, len(read_uci()[1]))
        yield f"UCI: read right of {others:,} digits in handwriting unlike MNIST's"
        how = "measured" if board and scheme(board) != "virtual" else "estimated"
        title = f"Alone on a {self.mcu.upper()}, saving {self.optimize}: bytes; an inference, {how}"
        yield table(rows, TAKING, f"{title} at {self.core_hz / 1e6:g} MHz", FORMATS)
        yield from (f"{row.name}: {row.error}" for row in self.rows if row.error)
        if any(row.differ_here is not None for row in self.rows):
            yield "The C is right." if self.right else "The C DIFFERS from the reference."


class _Asked(NamedTuple):
    """The settings that figures depend on; `url` is None where no board can be asked."""

    images: int
    board_images: int
    url: str | None
    mcu: Mcu
    optimize: str


class _Found(NamedTuple):
    """A row, without its agreement, and the digits that LiteRT reads, where it can."""

    row: ComparedModel
    digits: list[int]


def compare(
    models: Models,
    images: int = 10_000,
    board_images: int = 1_000,
    board: str = URL,
    mcu: str | None = None,
    optimize: str | None = None,
    reference: str | Path | None = None,
    progress: Progress = each,
) -> ComparisonTable:
    """Compare models, .tflite files or integer networks (.npz), on images of MNIST's test set.

    `models` are paths, or a mapping from what each is to be called; otherwise it is by its file.
    The C is made for the chip `mcu`, by default that of the board, and runs here on all `images`,
    and on the first `board_images` on the `board`, which is flashed. Several models are compared at
    a time where the board is virtual, the others on boards called after it: virtual://compare-1.
    `optimize` is as for `kit.generate_network`. `reference` is the model whose digits the others
    are compared with, which gets a row, too; by default the first that computes in float32. What a
    virtual board says is kept in build/compare, and made anew when anything changes that it
    depends on.

    What the engine cannot do and what does not fit the chip stands in the model's row. Raises
    KitError, before anything is computed, for a file that is missing or damaged, a setting or an
    address that there is not; and where the board does not answer.
    """
    names, paths = _named(models, reference)
    require(url := resolve(board))
    chosen = find_mcu(mcu) if mcu else chip(url)
    goal = one_of(GOALS[0] if optimize is None else optimize, GOALS)
    can_ask = chosen.has_virtual or scheme(url) != "virtual"
    images = min(images, len(load_mnist()[1][1]))
    asked = _Asked(images, min(board_images, images), url if can_ask else None, chosen, goal)
    found = _all(paths, asked, progress)
    floats = (n for n, one in enumerate(found) if one.row.in_float and one.digits)
    number = next(floats, None) if reference is None else paths.index(Path(reference))
    others = [] if number is None else found[number].digits
    rows = tuple(
        replace(row, name=name, agreement=_share(digits, others))
        for name, (row, digits) in zip(names, found, strict=True)
    )
    against = "" if number is None or not others else names[number]
    where = asked.url or "", chosen.name, chosen.core_hz
    return ComparisonTable(rows, images, asked.board_images, *where, goal, against)


def _named(models: Models, reference: str | Path | None) -> tuple[list[str], list[Path]]:
    """What each model is called, and its file; the reference, if it is none of them, first."""
    if isinstance(models, Mapping):
        names, paths = [*models], [*map(Path, models.values())]
    else:
        paths = [Path(one) for one in ([models] if isinstance(models, str | Path) else models)]
        files = [path.name for path in paths]
        names = [str(p) if files.count(p.name) > 1 else p.name for p in paths]
    if reference is not None and Path(reference) not in paths:
        names.insert(0, Path(reference).name)
        paths.insert(0, Path(reference))
    return names, paths


def _all(paths: Sequence[Path], asked: _Asked, progress: Progress) -> list[_Found]:
    """What was kept of each model, or is found when all files have been looked at: several at a
    time, each on a virtual board of its own, or one after the other on a physical board."""
    places = {path: _place(path, asked) for path in paths}
    for path, place in places.items():
        if not made_from(place):
            read_model(path)

    def work(path: Path, worker: int, done: Done) -> _Found:
        return _found(path, places[path], asked, worker, done)

    steps = 2 * asked.images + asked.board_images  # by LiteRT and by the C here, and on the board
    bar = progress("Comparing models" if len(paths) != 1 else f"Comparing {paths[0].name}")
    return at_once(work, paths, steps, bar, 1 if _is_physical(asked.url) else MOST)


def _is_physical(url: str | None) -> bool:
    return url is not None and scheme(url) != "virtual"


def _share(digits: Sequence[int], others: npt.ArrayLike) -> float | None:
    """The share of the digits that are the same, None where one of both is not known."""
    return float(np.mean(np.equal(digits, others))) if len(digits) and np.size(others) else None


def _place(path: Path, asked: _Asked) -> Path:
    """The file that keeps what is found; its name tells all that the figures depend on."""
    url = asked.url and f"{scheme(asked.url)}?{asked.url.partition('?')[2]}"
    words = path.name, file_digest(path), asked._replace(url=url), _deciding()
    return build_folder() / FOLDER / f"{_hash(repr(words))}.json"


@cache
def _deciding() -> str:
    """A digest of the sources and packages that decide the figures; Python keeps its own beside."""
    files = [file for name in DECIDING for file in sorted((ROOT / name).rglob("*"))]
    digests = [f"{x} {file_digest(x)}" for x in files if x.is_file() and x.suffix != ".pyc"]
    return _hash(" ".join([*digests, *map(version, PACKAGES)]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _found(path: Path, place: Path, asked: _Asked, worker: int, done: Done) -> _Found:
    """What was kept, unless it is damaged; or what is found now, which is kept but for what a
    physical board says."""
    if made_from(place):
        kept = json.loads(place.read_text(encoding="utf-8"))
        return _Found(ComparedModel(**kept["row"]), kept["digits"])
    found = _compute(path, asked, worker, done)
    if not _is_physical(asked.url):
        with replacing(place) as file:
            content = {"row": asdict(found.row), "digits": found.digits}
            file.write_text(json.dumps(content) + "\n", encoding="utf-8")
        note(place, path)
    return found


def _compute(path: Path, asked: _Asked, worker: int, done: Done) -> _Found:
    model, digits = read_model(path), list[int]()
    in_float = model.input.dtype == "float32" and not any(x.scales.size for x in model.tensors)
    row = ComparedModel(path.name, path.stat().st_size, in_float)
    few, both = asked.images, (load_mnist()[1], load_uci())
    try:
        inputs, others = (image_inputs(path, images[:few]) for images, _ in both)
    except KitError as error:
        return _Found(replace(row, error=error.in_a_line), digits)
    reference = Reference(path)
    expected = _in_parts(reference.run_all, inputs, done)
    scores = expected[0], reference.run(others)
    digits, unlike = (each.reshape(len(each), -1).argmax(1).tolist() for each in scores)
    right, right_unlike = map(_share, (digits, unlike), (labels[:few] for _, labels in both))
    row = replace(row, accuracy=right, uci_accuracy=right_unlike)
    try:
        for figures in _by_c(path, asked, worker, inputs, expected, done):
            row = replace(row, **figures)
    except (Refusal, NoRoom) as error:
        row = replace(row, error=error.in_a_line)
    return _Found(row, digits)


def _in_parts(
    run: Callable[[npt.NDArray[Any]], Outputs], inputs: npt.NDArray[Any], done: Done
) -> Outputs:
    """What `run` gives for all inputs, told in parts."""
    parts = []
    for start in range(0, len(inputs), PART):
        parts.append(run(inputs[start : start + PART]))
        done(len(parts[-1][0]))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _by_c(
    path: Path,
    asked: _Asked,
    worker: int,
    inputs: npt.NDArray[Any],
    expected: Outputs,
    done: Done,
) -> Iterator[dict[str, Any]]:
    """The figures of a model's C, step by step; Refusal or NoRoom where there are no more. Each
    worker has a folder and a virtual board of its own."""
    folder = build_folder() / FOLDER / str(worker)
    network = generate_network(path, folder / "network", optimize=asked.optimize)
    outputs, own = _in_parts(HostNetwork(network).run_all, inputs, done), network.weights_bytes
    differ = compare_all("", outputs, expected).mismatches
    yield {"differ_here": differ, "digest": digest(outputs[0]), "network_bytes": own}
    yield {"fits": False}  # until it is seen that it does
    taken = build_firmware(network, folder, asked.mcu, bare=True).footprint
    assert taken is not None  # a bare program has one
    yield {"flash_bytes": taken.flash_bytes, "engine_bytes": taken.flash_bytes - own, "fits": True}
    yield {"ram_bytes": taken.ram_bytes, "buffers_bytes": taken.variables_bytes}
    yield {"stack_bytes": taken.stack_bytes}
    program, few = build_firmware(network, folder, asked.mcu), asked.board_images
    if asked.url is None:
        yield {"error": f"no board was asked: there is no virtual {asked.mcu.name.upper()}."}
        return
    url = _own_board(asked.url, worker)
    answers, costs = ask_board(network, program, url, inputs[:few], partial(_telling, done))
    differ = compare_all("", answers, [one[:few] for one in expected]).mismatches
    yield {"differ_on_board": differ}
    if costs:
        cycles, counted = costs.all.cycles, costs.all.instructions or None
        yield {
            "instructions": counted,
            "cycles": cycles,
            "microseconds": cycles / costs.core_hz * 1e6,
        }


def _own_board(url: str, worker: int) -> str:
    """The virtual board of a worker: the first has the one that was asked for, the others' are
    called after it."""
    if not worker:
        return url
    return f"virtual://{parse(url)[0]}-{worker}?{url.partition('?')[2]}"


def _telling(done: Done, items: Sequence[Any]) -> Iterator[Any]:
    for item in items:
        yield item
        done(1)
