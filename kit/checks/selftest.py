"""Everything a board can be asked, on one page of plain text to paste into a report.

Each part opens the board anew, so that one that fails leaves the next a fresh start. Nothing on
the page is about the person: ports and folders are left out.
"""

import importlib.metadata
import platform
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.board import Board, LinkError, Request, Status, link
from kit.board.address import scheme
from kit.board.flashing import confirm
from kit.board.ports import resolve
from kit.board.requests import REPLY
from kit.boards import Mcu, find_mcu
from kit.checks.validate import compare, random_inputs, test_images
from kit.compile import HostNetwork
from kit.compile.program import Program
from kit.digits import load_mnist
from kit.errors import KitError
from kit.generate import generate_network
from kit.lesson.artifacts import MAKERS
from kit.model import Reference
from kit.paths import build_folder

BAUDS = (link.SAFE_BAUD, *reversed(link.FASTER_BAUDS))
FRAMES = 48
VECTORS = 10  # random ones, and as many images
IMAGES = 1_000
DIGITS = 0.99  # of the images must be read alike by an engine that rounds otherwise than LiteRT


@dataclass(frozen=True)
class Line:
    """One thing looked at: what, what was found, and whether it is as it should be."""

    what: str
    result: str
    ok: bool


@dataclass(frozen=True)
class Selftest:
    """The page. `board` is the kind of its address, such as "serial port" or "virtual://"."""

    kit: str
    board: str
    lines: tuple[Line, ...]

    @property
    def right(self) -> bool:
        """True when every line is as it should be."""
        return all(line.ok for line in self.lines)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the fields, and the verdict."""
        return asdict(self) | {"right": self.right}

    def __str__(self) -> str:
        rows = [
            f"{'ok' if line.ok else 'FAILED':7} {line.what:16} {line.result}" for line in self.lines
        ]
        failed = sum(not line.ok for line in self.lines)
        verdict = f"{failed} of {len(rows)} FAILED." if failed else f"All {len(rows)} are ok."
        return "\n".join([f"kit selftest: {self.kit}, on a board at {self.board}", *rows, verdict])


Part = Callable[[Board], Iterator[Line]]


def test_board(url: str, progress: Any = iter) -> Selftest:
    """Ask a board that runs the kit's firmware everything it can be asked.

    The model and the program are those of the notebooks: the model file that the board names and
    firmware.elf, both in `kit.paths.build_folder()`.

    Args:
        url: the board, or "auto"; it is not flashed.
        progress: wraps the iteration over the test images, for a progress bar.
    """
    url = resolve(url)
    parts: list[tuple[str, Part, int]] = [
        ("program", _program, BAUDS[-1]),
        ("clock", _clock, BAUDS[-1]),
        *((f"{baud} baud", _line_at(baud), baud) for baud in BAUDS),
        ("golden vectors", _golden_vectors, BAUDS[-1]),
        ("test images", lambda board: _test_images(board, progress), BAUDS[-1]),
        ("cycles", _cycles, BAUDS[-1]),
        ("stack", _stack, BAUDS[-1]),
    ]
    lines = _attempt("hello", _hello, url, BAUDS[-1])
    if lines[0].ok:  # who does not say hello answers nothing else
        lines += [line for name, part, fast in parts for line in _attempt(name, part, url, fast)]
    return Selftest(_this_kit(), _kind(url), tuple(lines))


def _attempt(name: str, part: Part, url: str, fastest: int) -> list[Line]:
    """The lines of a part; where it breaks off, one that says why ends them."""
    lines = []
    try:
        with Board(url, fastest) as board:
            for line in part(board):
                lines.append(line)
    except KitError as error:
        lines.append(Line(name, _plain(f"{error.what} {error.why} {error.next_step}", url), False))
    except Exception as error:  # whatever a broken board sends: the page is finished all the same
        lines.append(Line(name, _plain(f"{type(error).__name__}: {error}", url), False))
    if not all(line.ok for line in lines):
        with suppress(Exception), Board(url) as board:
            board.reset()  # out of a fault, back to the usual baud rate
    return lines


def _plain(text: str, url: str) -> str:
    """On one line, without the names of ports and folders."""
    return " ".join(text.replace(url, "the port").replace(str(Path.home()), "~").split())


def _this_kit() -> str:
    try:
        version = importlib.metadata.version("digits-on-stm32")
    except importlib.metadata.PackageNotFoundError:  # run from its folder, not installed
        version = "not installed"
    return f"kit {version}, Python {platform.python_version()}, {platform.system()}"


def _kind(url: str) -> str:
    return f"{scheme(url)}://" if scheme(url) else "a serial port"


# Who answers


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
    yield Line(
        "program",
        f"{found.bytes:,} bytes, CRC-32 {found.crc32:#010x}, as {elf.name}",
        True,
    )
    fits = use.flash_bytes <= mcu.flash_bytes and use.ram_bytes <= mcu.ram_bytes
    yield Line("memory", f"{use.flash_bytes:,} of {mcu.flash_bytes:,} bytes of flash, "
               f"{use.ram_bytes:,} of {mcu.ram_bytes:,} of RAM", fits)  # fmt: skip


def _clock(board: Board) -> Iterator[Line]:
    mcu, status = find_mcu(board.hello().mcu), board.status()
    device = status.device_id & 0xFFF
    wanted = "" if device == mcu.device_id else f"; the program is for {mcu.device_id:#x}"
    yield Line("chip", f"device {device:#x}, revision {status.device_id >> 16:#x}, reset by "
               f"{' and '.join(status.reset_causes) or 'nothing'}{wanted}", not wanted)  # fmt: skip
    yield Line("clock", f"{status.core_hz:,} Hz from {status.clock_source}, APB1 "
               f"{status.apb1_hz:,} Hz, {status.flash_wait_states} wait states",
               _full_speed(status, mcu))  # fmt: skip


def _full_speed(status: Status, mcu: Mcu) -> bool:
    """Whether clocks and wait states are those of the board's table."""
    found = (status.core_hz, status.apb1_hz, status.flash_wait_states)
    return found == (mcu.core_hz, mcu.apb1_hz, mcu.flash_wait_states)


def _stack(board: Board) -> Iterator[Line]:
    status = board.status()
    text = f"at most {status.stack_used:,} of {status.stack_reserved:,} bytes used"
    yield Line("stack", text, 0 < status.stack_used < status.stack_reserved)


# The line


def _line_at(baud: int) -> Part:
    """Frames at one rate: a layer's number and an input to the board, its output back."""

    def part(board: Board) -> Iterator[Line]:
        _agree(board, baud)
        before, size = board.status(), board.layer(0).output.bytes
        lost = sum(not _frame(board, baud, size) for _ in range(FRAMES))
        after = board.status()
        noted = sum(_noted(after)) - sum(_noted(before))
        text = f"{FRAMES} frames, {lost} lost; the chip noted {noted} errors; its rate is "
        text += f"{after.baud:,} ({after.baud / baud - 1:+.2%})"
        yield Line(f"{baud} baud", text, not lost and not noted)

    return part


def _agree(board: Board, baud: int) -> None:
    board.hello()
    if board.link.baud != baud:
        raise LinkError("The board and this computer did not agree on it;",
                        f"they stay at {board.link.baud}.")  # fmt: skip


def _frame(board: Board, baud: int, reply_bytes: int) -> bool:
    """Whether one request is answered at once; after a failure the line is put right again."""
    size = board.described.input.bytes
    payload = b"\0" + (bytes(range(256)) * (size // 256 + 1))[:size]  # every byte there is
    reply = board.link.exchange(Request.WATCH, payload, reply_bytes=reply_bytes)
    if reply is not None and reply.type == Request.WATCH | REPLY:
        return True
    board.link.fall_back()
    board.link.request(Request.HELLO, waking=True)
    board.link.speed_up(baud)
    _agree(board, baud)
    return False


def _noted(status: Status) -> tuple[int, int, int]:
    return status.overruns, status.line_errors, status.damaged_frames


# The network


def _model(board: Board) -> Path:
    """The file that the network on the board was generated from."""
    path = build_folder() / board.hello().network
    if not path.is_file():
        makers = {name: f"`kit run {notebook[:2]}` makes it." for name, notebook in MAKERS.items()}
        own = "the board's network was made from a model of this name: copy it there."
        raise KitError(f"build/{path.name} is not there;", makers.get(path.name, own))
    return path


def _inputs(model: Path, count: int) -> npt.NDArray[Any]:
    """Images of MNIST, where the network takes them; else random inputs."""
    try:
        return test_images(model, count)
    except KitError:
        return random_inputs(model, count)


def _golden_vectors(board: Board) -> Iterator[Line]:
    """Each layer against the C on this computer, and the output against LiteRT.

    X-CUBE-AI's network is one layer, so its output says it all.
    """
    model = _model(board)
    network = HostNetwork(generate_network(model, build_folder() / "selftest"))
    inputs = np.concatenate([random_inputs(model, VECTORS), _inputs(model, VECTORS)])
    here = [network.layers(one) for one in inputs]
    watched = network.network.layers if _is_open(board) else ()
    for number, layer in enumerate(watched):
        rows = np.stack([board.watch(number, one) for one in inputs])
        wanted = np.stack([found[number].reshape(-1) for found in here])
        name = f"{layer.name}, {layer.operator}"
        yield _agreement(f"layer {number}", name, rows, wanted, "the C here", True)
    reference = Reference(model).run(inputs).reshape(len(inputs), -1)
    outputs = board.run(inputs)
    yield _agreement("output", "the same inputs", outputs, reference, "LiteRT", _is_open(board))


def _is_open(board: Board) -> bool:
    return board.hello().engine == "portable"


def _agreement(
    what: str, name: str, rows: npt.NDArray[Any], wanted: npt.NDArray[Any], whose: str, exact: bool
) -> Line:
    """Rows compared. Kernels that are not ours may round otherwise; then the digits must agree."""
    found = compare(what, rows, wanted)
    text = f"{name}: {found.mismatches} of {found.rows:,} differ from {whose}"
    if exact:
        return Line(what, text, found.mismatches == 0)
    text += f", by at most {found.largest:.3g}; {found.same_digit:,} with the same digit"
    return Line(what, text, found.same_digit >= DIGITS * found.rows)


UNKNOWN = "none: what a pixel is to the network is not known (kit generate --input-range)"


def _test_images(board: Board, progress: Any) -> Iterator[Line]:
    """Images of MNIST, prepared on the chip. A network that takes others was asked enough."""
    _, (images, labels) = load_mnist()
    images, labels = images[:IMAGES], labels[:IMAGES]
    hello = board.described
    why_none = UNKNOWN if hello.input_range is None else ""
    if hello.input.elements != images[0].size:
        why_none = f"none: the network takes {hello.input.elements:,} values"
    if why_none:
        yield Line("test images", why_none, True)
        return
    model = _model(board)
    reference = Reference(model).run(test_images(model, IMAGES)).reshape(len(images), -1)
    scores = board.scores(images, progress)
    right = float((scores.argmax(axis=1) == labels).mean())
    exact = _is_open(board)
    yield _agreement("test images", f"{right:.1%} read right", scores, reference, "LiteRT", exact)


def _cycles(board: Board) -> Iterator[Line]:
    """The core multiplies and adds at most two pairs at once, so it needs half a cycle for each."""
    if board.described.input_range is None:
        yield Line("inference time", UNKNOWN, True)
        return
    image = load_mnist()[1][0][0]
    elements = board.described.input.elements
    profile = board.profile(image if elements == image.size else np.zeros(elements, np.uint8))
    unit = "estimated cycles" if profile.estimated else "cycles"
    for number, layer in enumerate(profile.layers):
        text = f"{layer.name}: {layer.cycles:,} {unit} for {layer.macs:,} MACs"
        yield Line(f"layer {number} time", text, layer.cycles > layer.macs / 2)
    text = f"{profile.cycles:,} {unit}, {profile.microseconds:,.0f} us at {profile.core_hz:,} Hz"
    yield Line("inference time", text, profile.cycles > sum(x.macs for x in profile.layers) / 2)
