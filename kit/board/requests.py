"""What a host can ask, and the replies, laid out as firmware/app/requests.c writes them."""

import re
import struct
from dataclasses import dataclass, is_dataclass
from enum import IntEnum
from typing import Annotated, Any, TypeVar, cast, get_type_hints

from kit.errors import KitError
from kit.paths import FIRMWARE

HEADER = (FIRMWARE / "app" / "requests.h").read_text(encoding="utf-8")
NUMBERS = {
    name: int(number, 0) for name, number in re.findall(r"\b([A-Z_]+)[ =]+(0x\w\w|\d+)", HEADER)
}
NAMES = {number: name[8:] for name, number in NUMBERS.items() if name.startswith("REQUEST_")}
ERRORS = {number: name[6:] for name, number in NUMBERS.items() if name.startswith("ERROR_")}
REPLY, FAULT, ERROR = (NUMBERS[name] for name in ("REPLY", "REPLY_FAULT", "REPLY_ERROR"))
PROTOCOL_VERSION = NUMBERS["PROTOCOL_VERSION"]
Request = cast(Any, IntEnum)("Request", {name: number for number, name in NAMES.items()})
"""The types of requests, such as `Request.HELLO`."""

WORKING = (Request.RECOGNIZE, Request.RUN, Request.MEASURE, Request.WATCH)
"""The requests for which the network runs before the reply."""

# --- How the parts of a reply are stored: struct's letter, and what makes the value of it ---------

DTYPES = {1: "int8", 2: "float32", 3: "uint8", 4: "int16"}
CLOCK_SOURCES = ("HSI", "PLL from HSI", "PLL from HSE")
RESET_FLAGS = (  # bits 31:25 of RCC_CSR, the highest first: RM0390 section 6.3.21
    "low-power reset", "window watchdog", "independent watchdog", "software", "power on",
    "reset pin", "brown-out",
)  # fmt: skip
LENGTH_FIRST, REST = "length first", "rest"  # of a text
COUNT_FIRST = "count first"  # of parts of one kind


def _ascii(content: bytes) -> str:
    return content.decode("ascii", "replace")


def _known_version(protocol: int) -> int:
    if protocol != PROTOCOL_VERSION:
        raise ValueError(f"it speaks version {protocol}, and this kit {PROTOCOL_VERSION}")
    return protocol


def _range(low: float, high: float) -> tuple[float, float] | None:
    return (low, high) if low != high else None


def _reset_causes(flags: int) -> tuple[str, ...]:
    return tuple(name for at, name in enumerate(RESET_FLAGS) if flags & 0x80 >> at)


u8 = Annotated[int, "B"]
u32 = Annotated[int, "I"]
i32 = Annotated[int, "i"]
f32 = Annotated[float, "f"]
text = Annotated[str, LENGTH_FIRST, _ascii]


@dataclass(frozen=True)
class BoardTensor:
    """A tensor as the board describes it: real value = scale * (value - zero_point)."""

    dtype: Annotated[str, "B", DTYPES.__getitem__]
    elements: u32
    bytes: u32
    scale: f32
    zero_point: i32


@dataclass(frozen=True)
class Hello:
    """Who answers: the firmware, its chip, its engine and its network.

    `digest` is the `kit.provenance.file_digest` of the model's file, `input_range` what a pixel
    of 0 and one of 255 are to the network, None where that is not known; sizes are in bytes.
    """

    protocol: Annotated[int, "B", _known_version]
    build_id: text
    mcu: text
    engine: text
    network: text
    digest: text
    input_range: Annotated[tuple[float, float] | None, "2f", _range]
    core_hz: u32
    weights_bytes: u32
    arena_bytes: u32
    macs: u32
    layers: u32
    input: BoardTensor
    output: BoardTensor
    further: Annotated[tuple[BoardTensor, ...], COUNT_FIRST, BoardTensor]

    @property
    def outputs(self) -> tuple[BoardTensor, ...]:
        """All of them, the first included."""
        return (self.output, *self.further)


@dataclass(frozen=True)
class BoardLayer:
    """One layer as the board describes it."""

    name: text
    operator: text
    macs: u32
    output: BoardTensor


@dataclass(frozen=True)
class Status:
    """How a board is: sizes in bytes, counts since its last reset.

    `device_id` is DBGMCU_IDCODE, of which the low 12 bits name the chip; `baud` the rate that the
    chip really has, in bits per second. `stack_used` is the most that was in use at any time; when
    it equals `stack_reserved`, it may have been more. `overruns` are bytes lost because the program
    was late, `line_errors` bytes with a framing error or noise, `damaged_frames` requests that
    could not be read. `reset_causes` are the reasons of the last reset (RCC_CSR).
    """

    device_id: u32
    clock_source: Annotated[str, "B", CLOCK_SOURCES.__getitem__]
    core_hz: u32
    apb1_hz: u32
    flash_wait_states: u8
    baud: u32
    stack_reserved: u32
    stack_used: u32
    overruns: u32
    line_errors: u32
    damaged_frames: u32
    reset_causes: Annotated[tuple[str, ...], "B", _reset_causes]
    button: Annotated[bool, "?"]


@dataclass(frozen=True)
class Checksum:
    """The program in the board's flash: its length in bytes, and the CRC-32 over it."""

    bytes: u32
    crc32: u32


@dataclass(frozen=True)
class Crash:
    """A FAULT: the number of the exception (3 HardFault), what the core said of it, the registers
    that it pushed (all 0 when the stack pointer was not in RAM), and the firmware's build id."""

    exception: u8
    cfsr: u32
    hfsr: u32
    mmfar: u32
    bfar: u32
    r0_to_r12: Annotated[bytes, "20s"]
    lr: u32
    pc: u32
    xpsr: u32
    build_id: Annotated[str, REST, _ascii]


Layout = TypeVar("Layout")


def take_apart(layout: type[Layout], payload: bytes) -> Layout:
    """A payload as the dataclass that says how it is laid out; ValueError where it cannot be."""
    try:
        return _read(layout, payload, 0)[0]  # type: ignore[no-any-return]
    except (struct.error, IndexError):
        raise ValueError(f"it has {len(payload)} bytes, which is too short") from None
    except KeyError as error:
        raise ValueError(f"{error} is no type of a tensor") from None


def _read(layout: Any, payload: bytes, at: int) -> tuple[Any, int]:
    """The value that begins at a place of a payload, and the place behind it."""
    if is_dataclass(layout):
        values = []
        for field in get_type_hints(layout, include_extras=True).values():
            value, at = _read(field, payload, at)
            values.append(value)
        return layout(*values), at  # type: ignore[operator]
    form, *convert = layout.__metadata__
    if form == COUNT_FIRST:
        parts, count, at = [], payload[at], at + 1
        for _ in range(count):
            part, at = _read(convert[0], payload, at)
            parts.append(part)
        return tuple(parts), at
    form = f"x{payload[at]}s" if form == LENGTH_FIRST else form
    form = f"<{len(payload) - at}s" if form == REST else f"<{form}"
    stored = struct.unpack_from(form, payload, at)
    return convert[0](*stored) if convert else stored[0], at + struct.calcsize(form)


# --- What an ERROR means --------------------------------------------------------------------------


class LinkError(KitError):
    """The board did not answer, or answered with an error."""


class TryAgain(LinkError):
    """Another try may help."""


TRANSIENT = ("CORRUPTED", "TOO_LONG")
"""The errors after which a request is worth sending again: a damaged frame may look too long."""

SIZES = (
    "Compare what was sent with `board.hello().input`. If another network was to be on the board: "
    "`kit generate`, `kit build`, then `kit flash`."
)
REFUSALS = {
    "CORRUPTED": "the request arrived corrupted",
    "TOO_LONG": "the request is too long for this network",
    "UNKNOWN_REQUEST": "the firmware does not know this request",
    "WRONG_LENGTH": "the request has the wrong length for this network",
    "NO_SUCH_LAYER": "the network has no such layer",
    "ENGINE": "the engine failed",
    "BAUD": "the board's clock cannot make that baud rate",
    "PIXELS": "how its network wants its pixels is not known",
}
ADVICE = {  # what to do; else SIZES
    "CORRUPTED": "The line is noisy: try another cable or USB port.",
    "UNKNOWN_REQUEST": "The firmware is of another version of the kit: `kit build`, then "
    "`kit flash`.",
    "NO_SUCH_LAYER": "Count from 0: `board.hello().layers` is how many there are.",
    "ENGINE": "Flash the firmware again; see firmware/engine/engine.h for the engine's states.",
    "BAUD": "Choose a rate of `kit.board.link.FASTER_BAUDS`.",
    "PIXELS": "`kit generate` with --input-range, such as `--input-range 0 1`; then build and "
    "flash.",
}


def refusal(payload: bytes) -> LinkError:
    """The error that an ERROR frame tells."""
    number, of_engine = struct.unpack_from("<xBxI", payload.ljust(7, b"\0"))
    error = ERRORS.get(number, "")
    what = REFUSALS.get(error, f"the board reported error {number}")
    why, fix = "", ADVICE.get(error, SIZES)
    if error == "ENGINE" and of_engine:
        from kit.generate.xcubeai.return_codes import explain_return_code

        why, fix = explain_return_code(of_engine)
    kind = TryAgain if error in TRANSIENT else LinkError
    return kind(f"The board refused the request: {what}.", why, fix)
