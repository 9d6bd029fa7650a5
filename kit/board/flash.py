"""Put a program into the flash of a board: the virtual one, or a real one by the tool at hand."""

import os
import re
import shutil
import string
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kit.board import recording
from kit.board.virtual import flash_store
from kit.compile.firmware import flash_image
from kit.compile.memory import check_fits, memory_use
from kit.errors import KitError

TIME_LIMIT = 120  # seconds
CUBE_FOLDERS = (
    "C:/Program Files/STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin",
    "/Applications/STMicroelectronics/STM32Cube/STM32CubeProgrammer/"
    "STM32CubeProgrammer.app/Contents/MacOs/bin",
    str(Path.home() / "STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin"),
)


@dataclass(frozen=True)
class Tool:
    """A flashing tool: its program, and its arguments for an ELF file and for a flat image."""

    name: str
    program: str
    arguments: Callable[[Path, Path], list[str]]


TOOLS = (
    Tool(
        "STM32CubeProgrammer",
        "STM32_Programmer_CLI",
        lambda elf, _: ["-c", "port=SWD", "-w", str(elf), "-v", "-rst"],
    ),
    Tool(
        "OpenOCD",
        "openocd",
        lambda elf, _: [
            *("-f", "board/st_nucleo_f4.cfg"),
            *("-c", f"program {{{elf.as_posix()}}} verify reset exit"),
        ],
    ),
    Tool("st-flash", "st-flash", lambda _, image: ["--reset", "write", str(image), "0x08000000"]),
    Tool("pyOCD", "pyocd", lambda elf, _: ["load", "--target", "stm32f446retx", str(elf)]),
)


def find_program(name: str) -> str | None:
    """Where a flashing program is: on PATH, or where its installer puts it."""
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(CUBE_FOLDERS))


def nucleo_drives() -> list[Path]:
    """The drives as which the ST-LINKs of Nucleo boards show themselves: each has MBED.HTM."""
    return [place for place in drives() if _exists(place / "MBED.HTM")]


def drives() -> list[Path]:
    """Where this system shows USB drives."""
    if sys.platform == "win32":
        return [Path(f"{letter}:/") for letter in string.ascii_uppercase[3:]]
    patterns = ("Volumes/*", "media/*", "media/*/*", "run/media/*/*")
    return sorted(place for pattern in patterns for place in Path("/").glob(pattern))


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # an empty card reader, another user's drive
        return False


def flash(url: str, elf: str | Path) -> str:
    """Put a program into a board's flash.

    Args:
        url: `virtual://` for the virtual board; `replay://FILE`, which is left as it is. Any
            other URL means the real board on an ST-LINK: the first tool found of
            STM32CubeProgrammer, OpenOCD, st-flash and pyOCD writes it, else it is copied to the
            board's drive.
        elf: the program, as `kit.compile.build` leaves it.

    Returns:
        how it was done, in one line.

    Raises:
        KitError: the program is unusable or too large, no tool or board is there, or the tool
            fails; the tool's own words are in it.
    """
    elf = Path(elf)
    check_fits(memory_use(elf))
    if re.match("virtual:", url, re.IGNORECASE):
        written = flash_store.program(flash_store.board_name(url), elf)
        return f"{written:,} bytes written to the flash of {url}"
    if re.match("replay:", url, re.IGNORECASE):
        played = recording.read(recording.file_of(url))
        return f"nothing is written: {url} is a recording ({played})"
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        image = Path(folder) / elf.with_suffix(".bin").name
        image.write_bytes(flash_image(elf))
        for tool in TOOLS:
            program = find_program(tool.program)
            if program:
                return _run(tool, [program, *tool.arguments(elf, image)])
        return _copy(image)


def _run(tool: Tool, command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIME_LIMIT,
            encoding="utf-8",
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(tool, command, str(error)) from error
    if done.returncode != 0:
        raise _failed(tool, command, done.stdout.strip()[-2000:])
    return f"{tool.name} wrote it: {subprocess.list2cmdline(command)}"


def _failed(tool: Tool, command: list[str], why: str) -> KitError:
    return KitError(
        f"{tool.name} could not write to the board.",
        f"It said:\n{why}\nThe command was: {subprocess.list2cmdline(command)}",
        "Check the USB cable (it must carry data), the red LED of the ST-LINK, and that no "
        "debugger uses the board; on Linux, the udev rules of the ST-LINK.",
    )


def _copy(image: Path) -> str:
    drives = nucleo_drives()
    if not drives:
        raise KitError(
            "There is nothing to flash a real board with.",
            f"None of {', '.join(tool.name for tool in TOOLS)} was found, and no board shows a "
            "drive.",
            "Plug the board in: its drive appears. Or install OpenOCD. Or use the virtual "
            "board: `--board virtual://`.",
        )
    if len(drives) > 1:
        raise KitError(
            "Several boards show a drive.",
            f"They are {', '.join(map(str, drives))}, and which one is meant is not known.",
            "Unplug all but one.",
        )
    shutil.copyfile(image, drives[0] / image.name)
    return f"copied to {drives[0]}"
