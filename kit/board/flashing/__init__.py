"""Put a program into the flash of a board: the virtual one, or a real one by the tool at hand."""

import binascii
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.board import probes
from kit.board.address import how_to_flash, scheme
from kit.board.board import Board
from kit.board.flashing import drive, tools
from kit.board.ports import require, resolve
from kit.board.recording import file_of, read_recording
from kit.board.requests import Hello
from kit.compile.program import Program
from kit.errors import KitError
from virtual_nucleo import store
from virtual_nucleo.errors import VirtualError

BACK_SECONDS = 15.0  # for the board to answer
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Flashed:
    """What was done; as text, one line. `command` is empty where no tool was needed, `hello` is
    what the board said afterwards, None for a virtual one and for a bare program."""

    how: str
    url: str
    command: str = ""
    hello: Hello | None = None

    def __str__(self) -> str:
        return self.how


class Mismatch(KitError):
    """The board runs another program than the one that was to be written."""


def flash(url: str, program: Program | str | Path, tool: str | None = None) -> Flashed:
    """Put a program, an ELF file, into a board's flash, and see that it is there.

    A recording is left as it is. Behind `socket://` and `rfc2217://` is only a serial line: nothing
    is written, the board must run the program already. A port means a real board on an ST-LINK: the
    first tool found of STM32CubeProgrammer, OpenOCD, st-flash and pyOCD writes it, or `tool`, one
    of `kit.board.flashing.tools.NAMES`; where there is none, it is copied to the board's drive.
    KitError where the program is unusable, too large or for another chip, the port, a tool or a
    board is not there, the tool fails, or the board does not run the program afterwards.
    """
    program, url = Program.of(program), resolve(url)
    program.check_fits()
    way = WAYS.get(scheme(url))
    return way(url, program) if way else _by_the_probe(url, program, tool)


def _into_the_virtual_board(url: str, program: Program) -> Flashed:
    if program.has_st_runtime:
        from kit.generate.xcubeai import check_may_run_on

        check_may_run_on(url)
    try:
        written = store.program(url, program.path)
    except VirtualError as error:
        raise KitError(*error.args) from None
    return Flashed(f"{written:,} bytes written to the flash of {url}", url)


def _into_a_recording(url: str, _program: Program) -> Flashed:
    played = read_recording(file_of(url))
    return Flashed(f"nothing is written: {url} is a recording ({played})", url)


def _behind_a_network(url: str, program: Program) -> Flashed:
    try:
        with Board(url) as board:
            hello = confirm(board, program)
    except Mismatch as error:
        raise KitError(
            f"The board behind {url} cannot be flashed from here.",
            f"Only its serial line is there, and it runs another program. {error.why}",
            f"Who runs that board flashes it, or starts its emulator, with {program.path}.",
        ) from error
    return Flashed(f"nothing is written: {url} runs it already", url, hello=hello)


def _by_the_probe(url: str, program: Program, tool: str | None) -> Flashed:
    """By a tool, or by the drive where there is none."""
    require(url)
    found, probe = probes.find_probes(), probes.probe_at(url)
    if probe is None and len(found) > 1:
        raise KitError(
            "Which board is meant is not known.",
            f"{url} is the port of none of these: {', '.join(map(str, found))}.",
            "Name the port of one of them, or unplug all but one.",
        )
    shown = probe and probe.drive
    if shown and shown.board not in ("", program.mcu.board):
        raise tools.wrong_chip(shown.board, program.mcu, f"The drive {shown.path} says so.")
    with _flat_image(program) as image:
        if chosen := tools.chosen(tool):
            serial_number = probe.serial_number if probe and len(found) > 1 else ""
            command = tools.write(*chosen, program, image, serial_number)
            how = f"{chosen[0].name} wrote it and compared it: {command}"
        else:
            place, command = drive.copy(image, program.mcu, probe)
            how = f"copied to the drive {place}"
    return Flashed(how, url, command, None if program.is_bare else _greet(url, program, how))


WAYS: dict[str, Callable[[str, Program], Flashed]] = {
    "virtual": _into_the_virtual_board,
    "replay": _into_a_recording,
    "socket": _behind_a_network,
    "rfc2217": _behind_a_network,
}
"""What flashing means for each kind of address; every other one is a real board on an ST-LINK."""


@contextmanager
def _flat_image(program: Program) -> Iterator[Path]:
    """The flat image of a program: the file beside it, so that a command line that is shown can be
    typed again, or for the time of the block one of its own."""
    image = program.path.with_suffix(".bin")
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        if not (image.is_file() and image.read_bytes() == program.flash_image):
            image = Path(folder, image.name)
            image.write_bytes(program.flash_image)
        yield image


def confirm(board: Board, program: Program | str | Path) -> Hello:
    """Who answers, after comparing the program on a board with an ELF file: by the build id, which
    a stripped file does not tell, and by the CRC-32 that the board works out over its flash. Raises
    Mismatch when it is another program, KitError when the board does not answer."""
    program, hello, there = Program.of(program), board.hello(), board.checksum()
    size, crc = len(program.flash_image), binascii.crc32(program.flash_image)
    same_build = program.build_id in (hello.build_id, "")
    if same_build and (there.bytes, there.crc32) == (size, crc):
        return hello
    raise Mismatch(
        f"The board on {board.url} runs another program than {program.path.name}.",
        f"It says build {hello.build_id}, {there.bytes:,} bytes, CRC-32 {there.crc32:#010x}; the "
        f"file has {size:,} bytes, CRC-32 {crc:#010x}.",
        f"{how_to_flash(board.url)} If that was just done, press the black button, and see with "
        "`kit boards` whether this is the board that was written.",
    )


def _greet(url: str, program: Program, how: str) -> Hello:
    """Confirm as soon as the board answers: its port may be away for a moment after flashing."""
    deadline = time.monotonic() + BACK_SECONDS
    while True:
        try:
            with Board(url) as board:
                return confirm(board, program)
        except Mismatch:
            raise
        except KitError as error:
            if time.monotonic() > deadline:
                raise KitError(
                    f"The program was written, but the board on {url} does not answer.",
                    f"{how}. Then: {error.what} {error.why}",
                    "Press the black button and try `kit doctor --board` with this port. "
                    f"{error.next_step}",
                ) from error
            time.sleep(LOOK_SECONDS)
