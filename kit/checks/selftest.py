"""Everything a board can be asked, on one page of plain text to paste into a report.

Each part opens the board anew, so that one that fails leaves the next a fresh start. Nothing on
the page is about the person: ports and folders are left out.
"""

import platform
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.board import Board, LinkError, Request, link
from kit.board.address import scheme
from kit.board.flashing import confirm
from kit.board.ports import resolve
from kit.board.requests import REPLY
from kit.boards import find_mcu
from kit.checks.doctor import project
from kit.checks.prediction import ASK, NO_CHIP, CycleComparison, an_image, compare_cycles
from kit.checks.validate import compare_scores, mnist_inputs, random_inputs
from kit.compile import HostNetwork
from kit.compile.firmware import PIXELS
from kit.compile.program import Program
from kit.digits import load_mnist
from kit.errors import KitError
from kit.generate import generate_network
from kit.lesson.artifacts import MAKERS
from kit.model import Reference
from kit.paths import build_folder
from kit.provenance import digest

BAUDS = (link.SAFE_BAUD, *reversed(link.FASTER_BAUDS))
FRAMES = 48
NOTED = ("overruns", "line_errors", "damaged_frames")  # what a chip counts
OPEN = "portable"  # the engine whose layers and rounding are LiteRT's
VECTORS = 10  # random ones, and as many images
IMAGES = 1_000
ALIKE = 0.99  # of the images must be read alike by an engine that rounds otherwise than LiteRT
UNKNOWN = "none: what a pixel is to the network is not known (kit generate --input-range)"


@dataclass(frozen=True)
class Line:
    """One thing looked at: what, what was found, and whether it is as it should be."""

    what: str
    result: str
    ok: bool


@dataclass(frozen=True)
class Selftest:
    """The page. `board` is the kind of its address, such as "a serial port" or "virtual://";
    `cycles` what a chip counted beside the prediction."""

    kit: str
    board: str
    lines: tuple[Line, ...]
    cycles: CycleComparison | None = None

    @property
    def right(self) -> bool:
        """True when every line is as it should be."""
        return all(line.ok for line in self.lines)

    def __str__(self) -> str:
        page = [f"kit selftest: {self.kit}, on a board at {self.board}"]
        page += [f"{'ok' if x.ok else 'FAILED':7} {x.what:16} {x.result}" for x in self.lines]
        count, failed = len(self.lines), sum(not line.ok for line in self.lines)
        page.append(f"{failed} of {count} FAILED." if failed else f"All {count} are ok.")
        page += ["", ASK, self.cycles.block()] if self.cycles else ["", NO_CHIP]
        return "\n".join(page)


Part = Callable[[Board], Iterator[Line]]


def run_selftest(url: str, progress: Any = iter) -> Selftest:
    """Ask a board that runs the kit's firmware everything it can be asked; it is not flashed.

    The model file that the board names and firmware.elf are looked for in `build_folder()`. `url`
    may be "auto"; `progress` wraps the iteration over the test images, for a progress bar.
    """
    url, found = resolve(url), list[CycleComparison]()
    kit = f"kit {project()['version']}, Python {platform.python_version()}, {platform.system()}"
    parts: dict[str, Part] = {
        "program": _program,
        "clock": _clock,
        **{f"{baud} baud": partial(_line_at, baud) for baud in BAUDS},
        "golden vectors": _golden_vectors,
        "test images": partial(_test_images, progress),
        "cycles": partial(_cycles, kit, found),
        "stack": _stack,
    }
    lines = _attempt("hello", _hello, url)
    if lines[0].ok:  # who does not say hello answers nothing else
        lines += [line for name, part in parts.items() for line in _attempt(name, part, url)]
    kind = f"{scheme(url)}://" if scheme(url) else "a serial port"
    return Selftest(kit, kind, tuple(lines), found[0] if found else None)


def _attempt(name: str, part: Part, url: str) -> list[Line]:
    """The lines of a part; where it breaks off, one that says why ends them."""
    lines = []
    try:
        with Board(url) as board:
            for line in part(board):
                lines.append(line)
    except Exception as error:  # whatever a broken board sends: the page is finished all the same
        known = isinstance(error, KitError)
        why = " ".join(error.args) if known else f"{type(error).__name__}: {error}"
        why = why.replace(url, "the port").replace(str(Path.home()), "~")  # nobody's names
        lines.append(Line(name, " ".join(why.split()), False))
    if not all(line.ok for line in lines):
        with suppress(Exception), Board(url) as board:
            board.reset()  # out of a fault, back to the usual baud rate
    return lines


def _hello(board: Board) -> Iterator[Line]:
    hello = board.hello()
    text = f"{hello.mcu}, build {hello.build_id}, engine {hello.engine}, network {hello.network}"
    yield Line("hello", f"{text}, {hello.layers} layers, {hello.macs:,} MACs", True)


def _program(board: Board) -> Iterator[Line]:
    """The program on the board is that of firmware.elf, to the last byte."""
    elf = build_folder() / "firmware.elf"
    program = Program(elf)
    confirm(board, program)
    found, use, mcu = board.checksum(), program.memory, program.mcu
    yield Line("program", f"{found.bytes:,} bytes, CRC-32 {found.crc32:#010x}, as {elf.name}", True)
    program.check_fits()
    flash = f"{use.flash_bytes:,} of {mcu.flash_bytes:,} bytes of flash"
    yield Line("memory", f"{flash}, {use.ram_bytes:,} of {mcu.ram_bytes:,} of RAM", True)


def _clock(board: Board) -> Iterator[Line]:
    mcu, status = find_mcu(board.hello().mcu), board.status()
    device, causes = status.device_id & 0xFFF, " and ".join(status.reset_causes) or "nothing"
    wanted = "" if device == mcu.device_id else f"; the program is for {mcu.device_id:#x}"
    text = f"device {device:#x}, revision {status.device_id >> 16:#x}, reset by {causes}"
    yield Line("chip", text + wanted, not wanted)
    text = f"{status.core_hz:,} Hz from {status.clock_source}, APB1 {status.apb1_hz:,} Hz, "
    found = (status.core_hz, status.apb1_hz, status.flash_wait_states)
    right = found == (mcu.core_hz, mcu.apb1_hz, mcu.flash_wait_states)
    yield Line("clock", f"{text}{found[2]} wait states", right)


def _stack(board: Board) -> Iterator[Line]:
    status = board.status()
    text = f"at most {status.stack_used:,} of {status.stack_reserved:,} bytes used"
    yield Line("stack", text, 0 < status.stack_used < status.stack_reserved)


def _line_at(baud: int, board: Board) -> Iterator[Line]:
    """Frames at one rate: a layer's number and an input to the board, its output back."""
    board.fastest = baud
    _agree(board, baud)
    before = board.status()
    lost = sum(not _frame(board, baud) for _ in range(FRAMES))
    after = board.status()
    noted = sum(getattr(after, name) - getattr(before, name) for name in NOTED)
    text = f"{FRAMES} frames, {lost} lost; the chip noted {noted} errors; its rate is "
    text += f"{after.baud:,} ({after.baud / baud - 1:+.2%})"
    yield Line(f"{baud} baud", text, not lost and not noted)


def _agree(board: Board, baud: int) -> None:
    board.hello()
    if board.link.baud != baud:
        stay = f"they stay at {board.link.baud}."
        raise LinkError("The board and this computer did not agree on it;", stay)


def _frame(board: Board, baud: int) -> bool:
    """Whether one request is answered at once; after a failure the line is put right again."""
    size = board.described.input.bytes
    payload = b"\0" + bytes(number % 256 for number in range(size))  # every byte there is
    reply = board.link.exchange(Request.WATCH, payload)
    if reply is not None and reply.type == Request.WATCH | REPLY:
        return True
    board.link.fall_back()
    board.link.request(Request.HELLO)
    board.link.speed_up(baud)
    _agree(board, baud)
    return False


def _model(board: Board) -> Path:
    """The file that the network on the board was generated from."""
    path = build_folder() / board.hello().network
    if not path.is_file():
        how = "the board's network was made from a model of this name: copy it there."
        if maker := MAKERS.get(path.name):
            how = f"`kit run {maker[:2]}` makes it."
        raise KitError(f"build/{path.name} is not there;", how)
    return path


def _golden_vectors(board: Board) -> Iterator[Line]:
    """Each layer against the C on this computer, and the output against LiteRT.

    X-CUBE-AI's network is one layer, so its output says it all.
    """
    model, is_open = _model(board), board.described.engine == OPEN
    network = HostNetwork(generate_network(model, build_folder() / "selftest"))
    more = mnist_inputs if board.described.input.elements == PIXELS else random_inputs
    inputs = np.concatenate([random_inputs(model, VECTORS), more(model, VECTORS)])
    here = [network.layers(one) for one in inputs]
    for number, layer in enumerate(network.network.layers if is_open else ()):
        rows = np.stack([board.watch(number, one) for one in inputs])
        wanted = np.stack([found[number].reshape(-1) for found in here])
        name = f"{layer.name}, {layer.operator}"
        yield _agreement(f"layer {number}", name, rows, wanted, "the C here", True)
    wanted = Reference(model).run(inputs)
    yield _agreement("output", "the same inputs", board.run(inputs), wanted, "LiteRT", is_open)


def _agreement(
    what: str, name: str, rows: npt.NDArray[Any], wanted: npt.NDArray[Any], whose: str, exact: bool
) -> Line:
    """Rows compared. Kernels that are not ours may round otherwise; then the digits must agree."""
    found = compare_scores(what, rows, wanted)
    text = f"{name}: {found.mismatches} of {found.rows:,} differ from {whose}"
    if exact:
        return Line(what, text, found.mismatches == 0)
    text += f", by at most {found.largest:.3g}; {found.same_digit:,} with the same digit"
    return Line(what, text, found.same_digit >= ALIKE * found.rows)


def _test_images(progress: Any, board: Board) -> Iterator[Line]:
    """Images of MNIST, prepared on the chip. A network that takes others was asked enough."""
    images, labels = (part[:IMAGES] for part in load_mnist()[1])
    hello = board.described
    if hello.input.elements != PIXELS:
        yield Line("test images", f"none: the network takes {hello.input.elements:,} values", True)
    elif hello.input_range is None:
        yield Line("test images", UNKNOWN, True)
    else:
        model = _model(board)
        reference = Reference(model).run(mnist_inputs(model, IMAGES))
        scores = board.scores(images, progress)
        read = f"{(scores.argmax(axis=1) == labels).mean():.1%} read right, digest {digest(scores)}"
        yield _agreement("test images", read, scores, reference, "LiteRT", hello.engine == OPEN)


def _cycles(kit: str, found: list[CycleComparison], board: Board) -> Iterator[Line]:
    """The core multiplies and adds at most two pairs at once, so it needs half a cycle for each."""
    if board.described.input_range is None:
        yield Line("inference time", UNKNOWN, True)
        return
    profile = board.profile(an_image(board.described.input.elements))
    least = [layer.macs / 2 for layer in profile.layers]
    told = [f"{x.name}: {x.cycles:,} estimated cycles for {x.macs:,} MACs" for x in profile.layers]
    whole = f"{profile.cycles:,} estimated cycles, {profile.microseconds:,.0f} us"
    if not profile.estimated:
        found.append(compare_cycles(board, profile, kit))
        told, whole = [str(layer) for layer in found[0].layers], str(found[0])
    for number, (text, layer) in enumerate(zip(told, profile.layers, strict=True)):
        yield Line(f"layer {number} time", text, layer.cycles > least[number])
    yield Line("inference time", whole, profile.cycles > sum(least))
