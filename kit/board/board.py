"""What you can ask a board. It knows nothing but a pyserial URL."""

import contextlib
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from kit.board import link
from kit.board.address import how_to_flash
from kit.board.crash import CrashError, crash_error, parse
from kit.board.ports import open_port, resolve
from kit.compile.program import Program
from kit.digits import check_image
from kit.digits.prepare import SIDE
from kit.errors import KitError
from kit.model import output_to_scores
from kit.paths import build_folder

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
    """The board's answer to one image.

    `scores` are as the network gives them, int8 or float32, shape (outputs,); `digit` is the index
    of the largest, which for digits is the digit. `output` is what the board says of their tensor.
    """

    digit: int
    scores: npt.NDArray[Any]
    output: BoardTensor

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """The real numbers that the scores stand for: shares of 1 where the network ends in a
        softmax; float32, shape (outputs,)."""
        return output_to_scores(self.scores, self.output)


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

    `estimated` says that `cycles` are an estimate: virtual_nucleo/timing.py has the model and
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
        try:
            (value,) = struct.unpack_from("<" + form, self._payload, self._at)
        except struct.error as error:
            raise link.LinkError(
                "A reply of the board is too short.",
                f"It has {len(self._payload)} bytes: another version of the firmware answers.",
                "Flash this kit's firmware: `kit build`, then `kit flash`.",
            ) from error
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
        self.link.expect_work(self._hello.macs, self._hello.core_hz)
        if first:
            self.link.speed_up(self.fastest)
        return self._hello

    def _understand(self, payload: bytes) -> Hello:
        try:
            if payload[:1] == bytes([PROTOCOL_VERSION]):
                return read_hello(payload)
            why = f"It speaks version {payload[0]} of it, and this kit version {PROTOCOL_VERSION}."
        except (link.LinkError, KeyError, IndexError) as error:
            why = f"Its answer to HELLO makes no sense ({str(error).splitlines()[0]})."
        raise link.LinkError(
            f"The board on {self.url} does not speak this kit's protocol.",
            why,
            how_to_flash(self.url),
        )

    @property
    def described(self) -> Hello:
        """What `hello` said, asked once."""
        if self._hello is None or self.link.reopened:
            return self.hello()
        return self._hello

    def _ask(self, kind: int, payload: bytes, reply_bytes: int = 0) -> bytes:
        """A request to the network that `described` tells of, and the payload of its reply."""
        before = self.described
        try:
            return self.link.request(kind, payload, reply_bytes=reply_bytes)
        finally:
            if self.link.reopened and self.hello() != before:
                raise link.LinkError(
                    f"Another board or program answers on {self.url} than before.",
                    f"It was plugged in anew, and says network {self.described.network}, build "
                    f"{self.described.build_id}.",
                    "If that is the one that is meant, run this again.",
                )

    def _check_layer(self, number: int) -> int:
        layers = self.described.layers
        if not 0 <= number < layers:
            raise KitError(
                f"There is no layer {number}.",
                f"The network on the board has {layers}.",
                f"Layers are counted from 0: the last is {layers - 1}.",
            )
        return int(number)

    def layer(self, number: int) -> BoardLayer:
        """The description of layer `number`, from 0.

        Raises:
            KitError: there is no such layer; the board does not answer.
        """
        fields = _Fields(self._ask(link.LAYER, bytes([self._check_layer(number)])))
        return BoardLayer(fields.text(), fields.text(), fields.number("I"), fields.tensor())

    def recognize(self, image: npt.NDArray[np.uint8]) -> Answer:
        """Recognize one image.

        Args:
            image: uint8, light strokes on 0: shape (28, 28), or as many pixels as the network takes
                where that is another number.

        Raises:
            KitError: another shape or dtype; the board does not answer.
        """
        output = self.described.output
        pixels = _pixels(image, self.described.input)
        return _answer(self._ask(link.RECOGNIZE, pixels, output.bytes), output)

    def measure(self, image: npt.NDArray[np.uint8]) -> Measurement:
        """Recognize one image and count what it takes, in all and for each layer.

        Raises:
            KitError: as `recognize`.
        """
        hello = self.described
        pixels, counts = _pixels(image, hello.input), 4 * hello.layers
        payload = self._ask(link.MEASURE, pixels, counts + hello.output.bytes)
        answer = _answer(payload[counts:], hello.output)
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
        """The scores for each of many images, which may be none.

        Args:
            images: uint8, shape (n, 28, 28), or n images of as many pixels as the network takes.
            progress: wraps the iteration, for a progress bar.

        Returns:
            shape (n, outputs), of the network's output dtype.

        Raises:
            KitError: as `recognize`.
        """
        return self._rows(self.recognize(image).scores for image in progress(images))

    def run(self, inputs: npt.NDArray[Any], progress: Progress = iter) -> npt.NDArray[Any]:
        """The outputs for inputs that are already as the network takes them.

        Args:
            inputs: shape (n, …), of the network's input dtype.

        Raises:
            KitError: another shape or dtype; the board does not answer.
        """
        output = self.described.output
        sent = (_stored(one, self.described.input) for one in progress(inputs))
        replies = (self._ask(link.RUN, one, output.bytes) for one in sent)
        return self._rows(_values(reply, output) for reply in replies)

    def _rows(self, rows: Iterable[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        output = self.described.output
        return np.array(list(rows), output.dtype).reshape(-1, output.elements)

    def watch(self, layer: int, one: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The output of one layer, from 0, for one input as the network takes it.

        Raises:
            KitError: there is no such layer; another shape or dtype; the board does not answer.
        """
        output = self.layer(layer).output
        request = bytes([int(layer)]) + _stored(one, self.described.input)
        return _values(self._ask(link.WATCH, request, output.bytes), output)

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
    candidates = [path for top in ("firmware.elf", "virtual/[!.]*.elf", "exercises/firmware.elf",
                                   "exercises/[!.]*/firmware.elf")
                  for path in build_folder().glob(top)]  # fmt: skip
    return crash_error(payload, next(_programs_of(build_id, candidates), None))


def _programs_of(build_id: str, files: list[Path]) -> Iterator[Program]:
    """The programs of a build among files, some of which may be damaged."""
    for file in files if build_id else ():
        with contextlib.suppress(KitError):
            program = Program(file)
            if program.build_id == build_id:
                yield program


def _pixels(image: Any, tensor: BoardTensor) -> bytes:
    """An image as it is sent; 784 pixels must be those of a digit of MNIST."""
    if tensor.elements == SIDE * SIDE:
        return check_image(image).tobytes()
    _check_values(image, "uint8", tensor.elements, "an image of this network has 0 to 255")
    return bytes(image.tobytes())


def _stored(one: Any, tensor: BoardTensor) -> bytes:
    """An input as it is sent; some engines have room behind the last value."""
    _check_values(one, tensor.dtype, tensor.elements, "kit.model.pixels_to_input prepares images")
    return bytes(one.tobytes().ljust(tensor.bytes, b"\0"))


def _check_values(values: Any, dtype: str, count: int, advice: str) -> None:
    if not isinstance(values, np.ndarray):
        given = f"a {type(values).__name__}"
    elif values.dtype != dtype or values.size != count:
        given = f"{values.size:,} of {values.dtype} (shape {values.shape})"
    else:
        return
    raise KitError(
        f"The network on the board takes {count:,} values of {dtype}, and this is {given}.",
        "Each input has the network's own number and kind of values.",
        f"Pass a NumPy array of them: {advice}.",
    )


def _values(payload: bytes, tensor: BoardTensor) -> npt.NDArray[Any]:
    return np.frombuffer(_check_length(payload, tensor), tensor.dtype)[: tensor.elements]


def _check_length(payload: bytes, output: BoardTensor) -> bytes:
    if len(payload) != output.bytes:
        raise link.LinkError(
            f"The board sent {len(payload)} bytes of output, not {output.bytes}.",
            "Another program is on the board now than when it said hello.",
            "Open the board again.",
        )
    return payload


def _answer(payload: bytes, output: BoardTensor) -> Answer:
    scores = _values(payload, output)
    return Answer(int(scores.argmax()), scores, output)


def read_hello(payload: bytes) -> Hello:
    """The reply to HELLO, taken apart; LinkError or KeyError when it is none."""
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
