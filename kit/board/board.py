"""What you can ask a board. It knows nothing but a pyserial URL."""

import contextlib
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from kit.board import link
from kit.board.crash import CrashError, crash_error, parse
from kit.board.ports import open_port, resolve
from kit.compile.firmware import build_id_of
from kit.digits import check_image
from kit.errors import KitError
from kit.paths import build

PROTOCOL_VERSION = 3
CLOCK_SOURCES = ("HSI", "PLL from HSI", "PLL from HSE")
RESET_FLAGS = {  # bits 31:25 of RCC_CSR: RM0390 section 6.3.21
    7: "low-power reset",
    6: "window watchdog",
    5: "independent watchdog",
    4: "software",
    3: "power on",
    2: "reset pin",
    1: "brown-out",
}
DTYPES = {1: "int8", 2: "float32"}
Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class BoardTensor:
    """A tensor as the board describes it: real value = scale * (value - zero_point)."""

    dtype: str
    elements: int
    bytes: int
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Hello:
    """Who answers: the firmware, its chip, its engine and its network.

    `mcu` is the chip that the firmware was built for, such as "stm32f446re"; `digest` is that of
    the model's file (`kit.provenance.digest`), `input_range` what a pixel of 0 and one of 255 are
    to the network, None where that is not known; `core_hz` in Hz, sizes in bytes.
    """

    protocol: int
    build_id: str
    mcu: str
    engine: str
    network: str
    digest: str
    input_range: tuple[float, float] | None
    core_hz: int
    weights_bytes: int
    arena_bytes: int
    macs: int
    layers: int
    input: BoardTensor
    output: BoardTensor


@dataclass(frozen=True)
class BoardLayer:
    """One layer as the board describes it."""

    name: str
    operator: str
    macs: int
    output: BoardTensor


@dataclass(frozen=True)
class Answer:
    """The board's answer to one image: the digit, and the ten scores as the network gives them
    (int8 or float32, shape (10,))."""

    digit: int
    scores: npt.NDArray[Any]


@dataclass(frozen=True)
class Measurement:
    """An answer, and what it took: `unit` is "cycles" on a chip; "instructions" on the virtual
    board, where the cycle counter counts executed instructions."""

    answer: Answer
    total: int
    layers: tuple[int, ...]
    unit: str


@dataclass(frozen=True)
class Status:
    """How a board is: clocks in Hz, sizes in bytes, counts since its last reset.

    `device_id` is DBGMCU_IDCODE, of which the low 12 bits name the chip; `clock_source` one of
    CLOCK_SOURCES; `baud` the rate that the chip really has, in bits per second. `stack_used` is the
    most that was in use at any time; when it equals `stack_reserved`, it may have been more.
    `overruns` are bytes lost because the program was late, `line_errors` bytes with a framing error
    or noise, `damaged_frames` requests that could not be read. `reset_causes` are the reasons of
    the last reset (RCC_CSR).
    """

    device_id: int
    clock_source: str
    core_hz: int
    apb1_hz: int
    flash_wait_states: int
    baud: int
    stack_reserved: int
    stack_used: int
    overruns: int
    line_errors: int
    damaged_frames: int
    reset_causes: tuple[str, ...]
    button: bool


@dataclass(frozen=True)
class Checksum:
    """The program in the board's flash: its length in bytes, and the CRC-32 over it."""

    bytes: int
    crc32: int


@dataclass(frozen=True)
class LayerProfile:
    """What one layer takes.

    `cycles` are measured on a chip and an estimate on the virtual board, which alone counts
    `instructions` (0 on a chip). `microseconds` are those cycles at the core's clock.
    """

    name: str
    operator: str
    macs: int
    instructions: int
    cycles: int
    microseconds: float


@dataclass(frozen=True)
class Profile:
    """What one inference takes, layer by layer.

    `estimated` says that `cycles` are an estimate: kit/board/virtual/timing.py has the model and
    its limits. `core_hz` is the clock of the core in Hz.
    """

    layers: tuple[LayerProfile, ...]
    estimated: bool
    core_hz: int

    @property
    def cycles(self) -> int:
        """Cycles of all layers."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def microseconds(self) -> float:
        """Time of all layers in microseconds."""
        return sum(layer.microseconds for layer in self.layers)


class _Fields:
    """Takes a reply apart, field by field, in the order of firmware/app/requests.c."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from("<" + form, self._payload, self._at)
        self._at += struct.calcsize("<" + form)
        return value

    def text(self) -> str:
        length = self.number("B")
        self._at += length
        return self._payload[self._at - length : self._at].decode("ascii", "replace")

    def range(self) -> tuple[float, float] | None:
        low, high = self.number("f"), self.number("f")
        return (low, high) if low != high else None

    def tensor(self) -> BoardTensor:
        dtype = DTYPES[self.number("B")]
        elements, size = self.number("I"), self.number("I")
        return BoardTensor(dtype, elements, size, self.number("f"), self.number("i"))


_boards: WeakValueDictionary[str, "Board"] = WeakValueDictionary()
"""The board that this process opened last at each address."""


class Board:
    """A board that runs the kit's firmware, real or virtual; use it in a `with` block.

    Opening an address again closes the board that this process had opened there: a cell that opens
    a board can be run twice. A board that was unplugged is opened again by the next request.

    Args:
        url: any pyserial URL: `virtual://`, `COM5`, `/dev/ttyACM0`, `socket://…`; `replay://FILE`,
            a recording; or "auto": the one board that is there (`kit.board.ports.resolve`).
        fastest: the highest baud rate to agree on after the first HELLO; 115200 means: stay.

    Raises:
        KitError: the port cannot be opened.
    """

    def __init__(self, url: str = "virtual://", fastest: int = link.FASTER_BAUDS[0]) -> None:
        self.url = resolve(url)
        if earlier := _boards.get(self.url):
            earlier.close()
        self.fastest = fastest
        self.port = open_port(self.url)
        self.link = link.Link(self.port, crash=_crash_error)
        self._hello: Hello | None = None
        _boards[self.url] = self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the board at the baud rate that the next program expects, and close the port."""
        self.link.close()

    def hello(self) -> Hello:
        """Who answers. The first time, the fastest baud rate that works is agreed on, too.

        Raises:
            LinkError: nobody does, or it is not the kit's firmware.
        """
        first = self._hello is None or self.link.reopened
        self.link.reopened = False
        self._hello = self._understand(self.link.request(link.HELLO, waking=first))
        if first:
            self.link.speed_up(self.fastest)
        return self._hello

    def _understand(self, payload: bytes) -> Hello:
        try:
            if payload[:1] == bytes([PROTOCOL_VERSION]):
                return read_hello(payload)
            why = f"It speaks version {payload[0]} of it, and this kit version {PROTOCOL_VERSION}."
        except (struct.error, KeyError, IndexError) as error:
            why = f"Its answer to HELLO makes no sense ({error})."
        raise link.LinkError(
            f"The board on {self.url} does not speak this kit's protocol.",
            why,
            f"Flash this kit's firmware: `kit flash --board {self.url}`.",
        )

    @property
    def described(self) -> Hello:
        """What `hello` said, asked once."""
        if self._hello is None or self.link.reopened:
            return self.hello()
        return self._hello

    def layer(self, number: int) -> BoardLayer:
        """The description of layer `number`, from 0."""
        fields = _Fields(self.link.request(link.LAYER, bytes([number])))
        return BoardLayer(fields.text(), fields.text(), fields.number("I"), fields.tensor())

    def recognize(self, image: npt.NDArray[np.uint8]) -> Answer:
        """Recognize one image.

        Args:
            image: uint8, shape (28, 28), light strokes on 0.

        Raises:
            KitError: another shape or dtype; the board does not answer.
        """
        pixels = check_image(image).tobytes()
        output = self.described.output
        return _answer(self.link.request(link.RECOGNIZE, pixels), output)

    def measure(self, image: npt.NDArray[np.uint8]) -> Measurement:
        """Recognize one image and count what it takes, in all and for each layer."""
        pixels = check_image(image).tobytes()
        hello = self.described
        payload = self.link.request(link.MEASURE, pixels)
        answer = _answer(payload[4 * hello.layers :], hello.output)
        fields = _Fields(payload)
        layers = tuple(fields.number("I") for _ in range(hello.layers))
        unit = getattr(self.port, "counts", "cycles")
        return Measurement(answer, sum(layers), layers, unit)

    def profile(self, image: npt.NDArray[np.uint8]) -> Profile:
        """Recognize one image and say what each layer takes, in cycles and microseconds.

        Raises:
            KitError: as `measure`.
        """
        estimates = getattr(self.port, "take_cycle_estimates", None)
        if estimates:
            estimates()  # what was read before does not belong to this image
        counts = self.measure(image).layers
        cycles = estimates()[-len(counts) :] if estimates else counts
        hz = self.described.core_hz
        layers = []
        for number, (count, spent) in enumerate(zip(counts, cycles, strict=True)):
            layer = self.layer(number)
            instructions = count if estimates else 0
            work = layer.name, layer.operator, layer.macs, instructions, spent
            layers.append(LayerProfile(*work, microseconds=spent / hz * 1e6))
        return Profile(tuple(layers), bool(estimates), hz)

    def scores(self, images: npt.NDArray[np.uint8], progress: Progress = iter) -> npt.NDArray[Any]:
        """The ten scores for each of many images.

        Args:
            images: uint8, shape (n, 28, 28).
            progress: wraps the iteration, for a progress bar.

        Returns:
            shape (n, 10), of the network's output dtype.
        """
        return np.stack([self.recognize(image).scores for image in progress(images)])

    def run(self, inputs: npt.NDArray[Any], progress: Progress = iter) -> npt.NDArray[Any]:
        """The outputs for inputs that are already as the network takes them.

        Args:
            inputs: shape (n, …), of the network's input dtype.
        """
        output = self.described.output
        rows = (self.link.request(link.RUN, one.tobytes()) for one in progress(inputs))
        return np.stack([np.frombuffer(_check_length(row, output), output.dtype) for row in rows])

    def watch(self, layer: int, one: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The output of one layer, from 0, for one input as the network takes it."""
        output = self.layer(layer).output
        payload = self.link.request(link.WATCH, bytes([layer]) + one.tobytes())
        return np.frombuffer(_check_length(payload, output), output.dtype)

    def status(self) -> Status:
        """How the board is: clocks, stack, and what went wrong on the line."""
        fields = _Fields(self.link.request(link.STATUS))
        return _status(fields)

    def checksum(self) -> Checksum:
        """The length and CRC-32 of the program in flash, which the board works out itself."""
        fields = _Fields(self.link.request(link.CHECKSUM))
        return Checksum(fields.number("I"), fields.number("I"))

    def reset(self) -> None:
        """Restart the program on the board, a crashed one too.

        It says hello again before the next request.
        """
        with contextlib.suppress(CrashError):  # the reply of a crashed program, which restarts
            self.link.request(link.RESET)
        self.link.fall_back()
        self._hello = None


def _crash_error(payload: bytes) -> KitError:
    """The error for a FAULT frame, with source lines if the program was built here."""
    crash = parse(payload)
    build_id = crash.build_id if crash else ""
    candidates = [path for top in (".", "virtual/*", "exercises", "exercises/*")
                  for path in build().glob(f"{top}/firmware.elf")]  # fmt: skip
    files = [path for path in candidates if build_id and path.is_file()]
    return crash_error(payload, next((f for f in files if build_id_of(f) == build_id), None))


def _check_length(payload: bytes, output: BoardTensor) -> bytes:
    if len(payload) != output.bytes:
        raise link.LinkError(
            f"The board sent {len(payload)} bytes of output, not {output.bytes}.",
            "Another program is on the board now than when it said hello.",
            "Open the board again.",
        )
    return payload


def _answer(payload: bytes, output: BoardTensor) -> Answer:
    _check_length(payload, output)
    scores = np.frombuffer(payload, output.dtype)
    return Answer(int(scores.argmax()), scores)


def read_hello(payload: bytes) -> Hello:
    """The reply to HELLO, taken apart; struct.error or KeyError when it is none."""
    fields = _Fields(payload)
    return Hello(
        protocol=fields.number("B"),
        build_id=fields.text(),
        mcu=fields.text(),
        engine=fields.text(),
        network=fields.text(),
        digest=fields.text(),
        input_range=fields.range(),
        core_hz=fields.number("I"),
        weights_bytes=fields.number("I"),
        arena_bytes=fields.number("I"),
        macs=fields.number("I"),
        layers=fields.number("I"),
        input=fields.tensor(),
        output=fields.tensor(),
    )


def _status(fields: _Fields) -> Status:
    return Status(
        device_id=fields.number("I"),
        clock_source=CLOCK_SOURCES[fields.number("B")],
        core_hz=fields.number("I"),
        apb1_hz=fields.number("I"),
        flash_wait_states=fields.number("B"),
        baud=fields.number("I"),
        stack_reserved=fields.number("I"),
        stack_used=fields.number("I"),
        overruns=fields.number("I"),
        line_errors=fields.number("I"),
        damaged_frames=fields.number("I"),
        reset_causes=_reset_causes(fields.number("B")),
        button=bool(fields.number("B")),
    )


def _reset_causes(flags: int) -> tuple[str, ...]:
    return tuple(name for bit, name in RESET_FLAGS.items() if flags >> bit & 1)
