"""Put a program into the flash of a board: the virtual one, or a real one by the tool at hand."""

import binascii
import errno
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.board import probes, recording
from kit.board.address import NETWORK, how_to_flash, scheme
from kit.board.board import Board, Hello
from kit.board.flashing import tools
from kit.board.flashing.tools import Job, Tool, explain, wrong_chip
from kit.board.ports import require, resolve
from kit.boards import MCUS, Mcu
from kit.compile.program import Program
from kit.errors import KitError
from kit.programs import run_program, system
from virtual_nucleo import store
from virtual_nucleo.errors import VirtualError

TIME_LIMIT = 120  # seconds for a tool
BACK_SECONDS = 15.0  # for the drive to come back, and for the board to answer
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Flashed:
    """What was done; as text, one line. `command` is empty where no tool was needed, `hello` is
    what the board said afterwards, None for a virtual one."""

    how: str
    url: str
    command: str = ""
    hello: Hello | None = None

    def __str__(self) -> str:
        return self.how


class Mismatch(KitError):
    """The board runs another program than the one that was to be written."""


def flash(url: str, program: Program | str | Path, tool: str | None = None) -> Flashed:
    """Put a program into a board's flash, and see that it is there.

    Args:
        url: `virtual://` for the virtual board, `replay://FILE` for a recording, which is left as
            it is, "auto" for the board that is there. Behind `socket://` and `rfc2217://` is only a
            serial line: nothing is written, the board must run the program already. Any other URL
            means a real board on an ST-LINK: the first tool found of STM32CubeProgrammer, OpenOCD,
            st-flash and pyOCD writes it, else it is copied to the board's drive.
        program: an ELF file, as `kit.compile.build_firmware` leaves it.
        tool: one of `kit.board.flashing.tools.NAMES` to use that one.

    Raises:
        KitError: the program is unusable, too large or for another chip, the port, a tool or a
            board is not there, the tool fails (its own words are in it), or the board does not run
            the program afterwards.
    """
    program, url = Program.of(program), resolve(url)
    program.check_fits()
    if scheme(url) == "virtual":
        return _into_the_virtual_board(url, program)
    if scheme(url) == "replay":
        played = recording.read(recording.file_of(url))
        return Flashed(f"nothing is written: {url} is a recording ({played})", url)
    if scheme(url) in NETWORK:
        return Flashed(
            f"nothing is written: {url} runs it already", url, hello=_there(url, program)
        )
    require(url)
    with _flat(program.path, program.flash_image) as flat:
        how, command = _write(url, program.path, flat, program.mcu, tool)
    return Flashed(how, url, command, _greet(url, program, how))


def _into_the_virtual_board(url: str, program: Program) -> Flashed:
    if program.has_st_runtime:
        from kit.generate.xcubeai import check_may_run_on

        check_may_run_on(url)
    try:
        written = store.program(url, program.path)
    except VirtualError as error:
        raise KitError(*error.args) from None
    return Flashed(f"{written:,} bytes written to the flash of {url}", url)


@contextmanager
def _flat(elf: Path, content: bytes) -> Iterator[Path]:
    """The flat image of a program: the file beside it, so that a command line that is shown can be
    typed again, or for the time of the block one of its own."""
    beside = elf.with_suffix(".bin")
    if beside.is_file() and beside.read_bytes() == content:
        yield beside
        return
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        image = Path(folder) / beside.name
        image.write_bytes(content)
        yield image


def confirm(board: Board, program: Program | str | Path) -> Hello:
    """Who answers, after comparing the program on a board with an ELF file: by the build id, which
    a stripped file does not tell, and by the CRC-32 that the board works out over its flash.

    Raises:
        Mismatch: it is another program.
        KitError: the board does not answer.
    """
    program, hello, there = Program.of(program), board.hello(), board.checksum()
    image = program.flash_image
    same_build = program.build_id in (hello.build_id, "")
    if same_build and (there.bytes, there.crc32) == (len(image), binascii.crc32(image)):
        return hello
    raise Mismatch(
        f"The board on {board.url} runs another program than {program.path.name}.",
        f"It says build {hello.build_id}, {there.bytes:,} bytes, CRC-32 {there.crc32:#010x}; the "
        f"file has {len(image):,} bytes, CRC-32 {binascii.crc32(image):#010x}.",
        f"{how_to_flash(board.url)} If that was just done, press the black button, and see with "
        "`kit boards` whether this is the board that was written.",
    )


def _there(url: str, program: Program) -> Hello:
    """Who answers behind a network, when it runs the program already."""
    try:
        with Board(url) as board:
            return confirm(board, program)
    except Mismatch as error:
        raise KitError(
            f"The board behind {url} cannot be flashed from here.",
            f"Only its serial line is there, and it runs another program. {error.why}",
            f"Who runs that board flashes it, or starts its emulator, with {program.path}.",
        ) from error


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


def _write(url: str, elf: Path, image: Path, mcu: Mcu, name: str | None) -> tuple[str, str]:
    """Write by a tool or by the drive; how, in one line, and the command line."""
    probe, several = _probe(url)
    if probe and probe.drive and probe.drive.board and probe.drive.board != mcu.board:
        raise wrong_chip(probe.drive.board, mcu, f"The drive {probe.drive.path} says so.")
    job = Job(elf, image, mcu, probe.serial_number if probe and several else "")
    if chosen := _chosen(name):
        tool, place = chosen
        return _run(tool, [str(place), *tool.arguments(job)], mcu)
    return _copy(job, probe)


def _probe(url: str) -> tuple[probes.Probe | None, bool]:
    """The ST-LINK of a port, where it is known, and whether there are several."""
    found, probe = probes.find_probes(), probes.probe_at(url)
    if probe is None and len(found) > 1:
        raise KitError(
            "Which board is meant is not known.",
            f"{url} is the port of none of these: {', '.join(map(str, found))}.",
            "Name the port of one of them, or unplug all but one.",
        )
    return probe, len(found) > 1


def _chosen(name: str | None) -> tuple[Tool, Path] | None:
    """The tool to use, the best that is there where none is named; None means the drive."""
    found = tools.installed()
    if name is None or name == tools.DRIVE:
        return found[0] if found and not name else None
    if name not in tools.NAMES:
        raise KitError(
            f"There is no flashing tool {name!r}.",
            f"The kit knows {', '.join(tools.NAMES)}.",
            "Choose one of them, or none: then the best that is there is used.",
        )
    chosen = next(((tool, place) for tool, place in found if tool.program == name), None)
    if chosen is None:
        raise KitError(
            f"{name} was not found.",
            "It is not on PATH, nor where its installer puts it.",
            "Install it, or leave `--tool` out: then the best that is there is used.",
        )
    return chosen


def _run(tool: Tool, command: list[str], mcu: Mcu) -> tuple[str, str]:
    shown = subprocess.list2cmdline(command)
    print(f"Flashing with {tool.name}: {shown}", file=sys.stderr)
    done = run_program(command, TIME_LIMIT)
    said = done.printed + (f"\n({done.trouble})" if done.trouble else "")
    if done.code or done.trouble or not re.search(tool.done, said):
        plugged_in = bool(probes.find_probes())
        raise explain(tool.name, said, shown, mcu, plugged_in, _alternatives(tool))
    _check_chip(said, mcu, tool.name)
    return f"{tool.name} wrote it and compared it: {shown}", shown


def _alternatives(tool: Tool) -> str:
    """What else this computer could flash with."""
    names = [other.program for other, _ in tools.installed() if other is not tool]
    names += [tools.DRIVE] if probes.probe_drives() else []
    return f"Another way that is here: `kit flash --tool {names[0]}`." if names else ""


def _check_chip(said: str, mcu: Mcu, tool: str) -> None:
    """The device id, where a tool prints it, must be that of the program's chip."""
    printed = re.search(tools.DEVICE_ID, said, re.IGNORECASE)
    number = int(printed[1], 16) & 0xFFF if printed else mcu.device_id
    if number != mcu.device_id:
        known = [other.name.upper() for other in MCUS.values() if other.device_id == number]
        raise wrong_chip("".join(known) or f"device id {number:#x}", mcu, f"{tool} says so.")


# --- The drive ------------------------------------------------------------------------------------


def _copy(job: Job, probe: probes.Probe | None) -> tuple[str, str]:
    """Copy to the drive. The ST-LINK writes what it gets into the chip; then the drive vanishes
    and comes back, with FAIL.TXT on it when it could not."""
    drive = _drive(job.mcu, probe)
    copied = drive / job.image.name
    command = f"copy {job.image.name} to {drive}"
    print(f"Flashing by the drive: {command}", file=sys.stderr)
    before = _read_fail(drive)
    try:
        _store(job.image, copied)
        said = ""
    except OSError as error:
        refused = error.errno in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM)
        said = str(error) if refused else ""  # else it vanished early, and the hello will tell
    said = _settle(copied, before) or said
    if said:
        raise explain("The drive", said, command, job.mcu, plugged_in=True)
    return f"copied to the drive {drive}", command


def _drive(mcu: Mcu, probe: probes.Probe | None) -> Path:
    """The drive of the board that is meant."""
    if probe and probe.drive:
        return probe.drive.path
    drives = probes.probe_drives()
    fitting = [drive.path for drive in drives if drive.board == mcu.board]
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(f"{drive.path} ({drive.board or 'unknown'})" for drive in drives)
    if fitting:
        raise KitError(
            "Several boards show a drive.",
            f"They are {shown}, and which one is meant is not known.",
            "Unplug all but one.",
        )
    if drives:
        raise wrong_chip(shown, mcu, "Their drives say so.")
    names = ", ".join(tool.name for tool in tools.TOOLS)
    without = "" if tools.installed() else f", and none of {names} was found"
    raise KitError(
        "There is nothing to flash a real board with.",
        f"No board shows a drive{without}.",
        f"{probes.PLUG_IN[system()]}. Its drive {mcu.drive} appears then. Or install OpenOCD. Or "
        "use the virtual board: `--board virtual://`.",
    )


def _store(image: Path, copied: Path) -> None:
    with copied.open("wb") as file:
        file.write(image.read_bytes())
        file.flush()
        os.fsync(file.fileno())


def _settle(copied: Path, before: str) -> str:
    """Wait until the drive has vanished and come back; what FAIL.TXT says then, or nothing.

    Where the drive does not come back in time, the board's hello will tell.
    """
    drive, gone = copied.parent, False
    deadline = time.monotonic() + BACK_SECONDS
    while time.monotonic() < deadline:
        there = (drive / "MBED.HTM").is_file()
        if there and (gone or not copied.exists() or _read_fail(drive) != before):
            return _read_fail(drive)
        gone = gone or not there
        time.sleep(LOOK_SECONDS)
    return _read_fail(drive)


def _read_fail(drive: Path) -> str:
    """What FAIL.TXT says: the ST-LINK's own words on why it did not write."""
    try:
        return (drive / "FAIL.TXT").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
