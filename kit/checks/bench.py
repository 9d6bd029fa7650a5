"""Peers, side by side: the same networks by this engine and by others, counted alike.

All are compiled by one compiler with one set of options, run on the virtual board, and taken for
what they are alone on a chip. What cannot be had here is quoted, and marked as that.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unicorn import arm_const as arm

from kit.board import Board, flash
from kit.board.address import scheme
from kit.checks.doctor import project
from kit.checks.measure import profile_board, profile_network
from kit.checks.peers import Peer, generate_by, python_of, read_table
from kit.checks.validate import Comparison, compare_scores, mnist_inputs
from kit.compile import Program
from kit.digits import load_mnist
from kit.errors import KitError
from kit.generate import GOALS, Generated, generate_network
from kit.lesson.artifacts import artifact
from kit.lesson.show.picture import BLUE, GRAY, ORANGE, Picture, draw_bars
from kit.model import Reference
from kit.paths import DATA, ROOT, build_folder, replacing
from kit.programs import run_program
from kit.tables import Table, in_words
from virtual_nucleo.core import Core
from virtual_nucleo.mcus import find_mcu

URL = "virtual://bench"
CNN = "digits_cnn_int8.tflite"
NETWORKS = {
    "MLP int8": "digits_int8.tflite",
    "CNN int8": CNN,
    "MLP float32": "digits_float32.tflite",
}
OWN, HERE = "this kit", "here"
FLAGS = f"zig {version('ziglang')} cc -O2 -ffreestanding -ffp-contract=off, Cortex-M4 with FPU"
COLUMNS = {"engine": "engine", "network": "network", "instructions": "instructions"}
COLUMNS |= {"per_mac": "per MAC", "cycles": "cycles", "cycles_per_mac": "per MAC"}
COLUMNS |= {"flash_bytes": "flash", "ram_bytes": "RAM", "exact": "scores are LiteRT's"}
FORMATS = {"instructions": ",.0f", "cycles": ",.0f", "per_mac": ".2f", "cycles_per_mac": ".2f"}
FORMATS |= {"measured": ",.0f"}
SLOW, FEW = 1_000_000, 10  # instructions of an inference, and how many images are enough then
RUNS = 20  # of the network, for the emulator's bare rate
SECONDS = 600  # for the conversion of the convolutional network


@dataclass(frozen=True)
class Row:
    """A network by an engine: means of an inference over `images`, bytes alone on a chip, and how
    its scores compare with LiteRT's. `counted` is "here", or the letter of a source whose figure is
    quoted; `measured` are the cycles on a real board; `remark` says what is missing, and why. None
    is what is not known."""

    engine: str
    version: str = ""
    network: str = ""
    arithmetic: str = ""
    instructions: float | None = None
    per_mac: float | None = None
    cycles: float | None = None
    cycles_per_mac: float | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    images: int = 0
    exact: str = ""
    counted: str = HERE
    measured: float | None = None
    remark: str = ""


@dataclass(frozen=True)
class Emulator:
    """How fast the virtual board is on this computer: images a second over its serial line, and all
    instructions that it executes for them; and instructions a second of the same network in Unicorn
    with nothing watching."""

    images: float
    instructions: float
    bare_instructions: float

    @property
    def ratio(self) -> float:
        """How many times as fast it would be without the board around the core."""
        return self.bare_instructions / self.instructions

    def __str__(self) -> str:
        millions = self.instructions / 1e6, self.bare_instructions / 1e6
        return (
            f"the emulator: {self.images:,.1f} images a second over the serial line, "
            f"{millions[0]:,.1f} million instructions a second; the network in Unicorn alone "
            f"{millions[1]:,.1f} million, {self.ratio:.1f} times as many"
        )


@dataclass(frozen=True)
class SideBySide:
    """The rows, counted over `images` images, with the sources of what is quoted."""

    images: int
    flags: str
    rows: tuple[Row, ...]
    sources: dict[str, str]
    emulator: Emulator | None = None
    board: str = ""

    def shown(self) -> Iterator[str]:
        """For people: the one table, what it leaves out, and where what is quoted is from. It is
        text, because it is wider than 80 columns."""
        columns = COLUMNS | ({"measured": "measured"} if self.board else {})
        known = [row for row in self.rows if row.counted != HERE or row.instructions]
        right = [name not in ("engine", "network", "exact") for name in columns]
        caption = f"{self.flags}; means of {self.images:,} images, of {FEW} where one takes long; "
        caption += "flash and RAM: bytes alone on a chip"
        cells = [[_cell(row, name) for name in columns] for row in known]
        yield str(Table(list(columns.values()), cells, right, caption))
        for row in filter(lambda row: row.remark, self.rows):
            yield " ".join(f"{row.engine} {row.version} {row.network}".split()) + f": {row.remark}"
        for letter, text in self.sources.items():
            yield f"quoted [{letter}]: not measured here, but {text}."
        yield str(self.emulator or "")
        yield "" if self.board else "No real board was measured: name its port with --board."


def _cell(row: Row, name: str) -> str:
    """What a table shows of a row: not every number is known."""
    if name == "engine":
        return f"{row.engine} {row.version}".strip()
    if name == "network":
        return f"{row.network} {row.arithmetic}"
    if name == "exact" and row.counted != HERE:
        return f"quoted [{row.counted}]"
    return in_words(getattr(row, name), FORMATS.get(name, "") if row.counted == HERE else "")


@dataclass(frozen=True)
class Task:
    """A row to be made: `make` generates the network of a model's file into a folder."""

    row: Row
    make: Callable[[Path, Path], Generated]

    @property
    def place(self) -> str:
        """Where its files go, from `build_folder()`."""
        words = self.row.engine, self.row.network, self.row.arithmetic
        return "bench/" + re.sub(r"\W+", "-", " ".join(words))


def _unseen(_title: str) -> Any:
    """Progress that nobody watches."""
    return iter


def run_bench(board: str = URL, count: int = 100, progress: Any = _unseen) -> SideBySide:
    """Build, run and compare everything, over `count` images of MNIST's test set; `board` is a real
    one that is flashed and measured, too, unless it is virtual; `progress` is `kit.progress.each`.
    What cannot be had says so in its row. Writes bench.json and bench.png, in `build_folder()`."""
    peers, told = read_table()
    pythons = {peer: _python(peer) for peer in progress("getting the peers")(peers)}
    tasks = [*_ours(), *(task for peer, found in pythons.items() for task in _theirs(peer, found))]
    real = "" if scheme(board) == "virtual" else board
    rows = [_row(task, count, real) for task in progress("building and counting")(tasks)]
    rows += [
        Row(peer.name, peer.version, remark=found)
        for peer, found in pythons.items()
        if isinstance(found, str)
    ]
    rows += [Row(counted=source, **one) for source, ones in told["quoted"].items() for one in ones]
    emulator = _emulator(tasks[0], rows[0], count) if rows[0].instructions else None
    made = SideBySide(count, FLAGS, tuple(rows), told["sources"], emulator, real)
    with replacing("bench.json") as file:
        file.write_text(json.dumps(asdict(made), indent=1) + "\n", encoding="utf-8")
    with replacing("bench.png") as file:
        draw(made).savefig(
            file, dpi=144, metadata={"Software": None, "Description": describe(made)}
        )
    return made


def _python(peer: Peer) -> Path | str:
    """The Python of a peer, or in words why there is none."""
    try:
        return python_of(peer)
    except KitError as error:
        return error.in_a_line


def _ours() -> Iterator[Task]:
    """This engine: each goal for the dense network, and what the others can do."""
    for goal in GOALS:
        yield _our(goal, "MLP int8")
    yield from (_our(GOALS[0], name) for name in NETWORKS if name != "MLP int8")


def _our(goal: str, name: str) -> Task:
    network, arithmetic = name.split()
    row = Row(f"{OWN} ({goal})", project()["version"], network, arithmetic)
    return Task(row, lambda path, out: generate_network(path, out, optimize=goal))


def _theirs(peer: Peer, python: Path | str) -> Iterator[Task]:
    for name in () if isinstance(python, str) else peer.networks:
        network, arithmetic = name.split()
        row = Row(peer.name, peer.version, network, arithmetic)
        yield Task(row, partial(generate_by, peer, Path(python)))


def model_of(name: str) -> Path:
    """The model of a name in `NETWORKS`, which is made first where it is missing."""
    file = NETWORKS[name]
    if file != CNN:
        return artifact(file)
    path = build_folder() / file
    if not path.exists():
        with replacing(path) as made:
            out = made.with_name("digits_cnn.keras")  # beside which the script writes it
            command: list[str | Path] = [sys.executable, DATA / "train_cnn.py", "--kept"]
            places = {"KIT_BUILD": str(build_folder()), "PYTHONPATH": str(ROOT)}
            done = run_program([*command, "--out", out], SECONDS, env=os.environ | places)
            if done.code or done.trouble:
                why = done.trouble or done.printed.strip()[-300:]
                raise KitError(f"{file} could not be made.", why)
    return path


def _row(task: Task, count: int, real: str) -> Row:
    """A row, counted; or what was in the way, in words."""
    row = task.row
    try:
        path = model_of(f"{row.network} {row.arithmetic}")
        network = task.make(path, build_folder() / task.place)
        row = counted(row, network, path, count, f"{task.place}-program")
        if real:
            flash(real, build_folder() / f"{task.place}-program" / "firmware.elf")
            row = replace(row, measured=profile_board(real, count).all.cycles)
    except KitError as error:
        row = replace(row, remark=error.in_a_line)
    return row


def counted(row: Row, network: Generated, path: Path, count: int, out: str) -> Row:
    """A row with the figures of a network that was made of the model at `path`: on the virtual
    board, `count` images; its programs go to `out` in build/."""
    costs = profile_network(network, out, 1, URL)
    footprint, count = costs.footprint, min(count, FEW) if costs.all.instructions > SLOW else count
    costs = profile_board(URL, count)
    with Board(URL) as board:
        scores = board.scores(load_mnist()[1][0][:count])
    expected = Reference(path).run(mnist_inputs(path, count))
    found = compare_scores(row.engine, scores, expected)
    total = costs.all
    return replace(
        row,
        instructions=total.instructions,
        per_mac=total.per_mac,
        cycles=total.cycles,
        cycles_per_mac=total.cycles / total.macs,
        flash_bytes=footprint.flash_bytes if footprint else None,
        ram_bytes=footprint.ram_bytes if footprint else None,
        images=count,
        exact=_against(found, network.output.dtype),
    )


def _against(found: Comparison, dtype: str) -> str:
    """How scores compare with the reference's: exact or not, and whether digits change."""
    others = found.rows - found.same_digit
    digits = f", {others} other digits" if others else ""
    if dtype == "float32":
        return f"within {found.largest:.0e}{digits}"
    return f"{found.mismatches} of {found.rows} differ{digits}" if found.mismatches else "exact"


def _emulator(task: Task, row: Row, count: int) -> Emulator:
    """The speed of the virtual board with the program of a row, and of its network alone."""
    elf, images = build_folder() / f"{task.place}-program" / "firmware.elf", load_mnist()[1][0]
    flash(URL, elf)
    with Board(URL) as board:
        board.recognize(images[0])
        before, start = board.port.inside.instructions, time.perf_counter()
        board.scores(images[:count])
        seconds = time.perf_counter() - start
        executed = board.port.inside.instructions - before
    bare = RUNS * (row.instructions or 0.0) / _run_alone(Program(elf))
    return Emulator(count / seconds, executed / seconds, bare)


def _run_alone(program: Program) -> float:
    """Seconds for `RUNS` inferences of a program's network in Unicorn, with nothing watching."""
    places = {function.name: at for at, function in program.functions().items()}
    core = Core(find_mcu(program.mcu.name), program.flash_image)
    core.reset()
    for run in range(RUNS + 1):
        if run == 1:  # the first translates the code
            start = time.perf_counter()
        core.uc.reg_write(arm.UC_ARM_REG_R0, 0)  # no observer
        core.uc.reg_write(arm.UC_ARM_REG_LR, places["Reset_Handler"] | 1)  # where it stops
        core.uc.emu_start(places["engine_run"] | 1, places["Reset_Handler"])
    return time.perf_counter() - start


def describe(made: SideBySide) -> str:
    """The picture in words."""
    bars = (f"{_name(row)} {_cell(row, 'cycles_per_mac')}" for row in _bars(made))
    return f"Cycles for each multiply-accumulate: {'; '.join(bars)}."


def draw(made: SideBySide) -> Picture:
    """Cycles for each MAC as bars: this kit, the peers counted here, and what is quoted, pale and
    with its source's letter."""
    rows = _bars(made)
    figure = Picture(10, 0.32 * len(rows) + 1.2, "Cycles for a multiply-accumulate", describe(made))
    note = "quoted ones are not measured here, [a] without wait states"
    axes = figure.chart(f"cycles for a MAC on a Cortex-M4; {note}")
    values = [row.cycles_per_mac or 0.0 for row in rows]
    colors = [_color(row) for row in rows]
    texts = [_cell(row, "cycles_per_mac") for row in rows]
    draw_bars(axes, list(map(_name, rows)), values, texts, colors)
    return figure


def _bars(made: SideBySide) -> list[Row]:
    known = (row for row in made.rows if row.cycles_per_mac)
    return sorted(known, key=lambda row: row.cycles_per_mac or 0.0)


def _name(row: Row) -> str:
    quoted = "" if row.counted == HERE else f" (quoted {row.counted})"
    return f"{row.engine}, {row.network} {row.arithmetic}{quoted}"


def _color(row: Row) -> str:
    if row.counted != HERE:
        return GRAY
    return BLUE if row.engine.startswith(OWN) else ORANGE
