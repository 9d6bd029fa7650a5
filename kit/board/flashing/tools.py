"""The tools that write a real board's flash. tools.toml says how each is called, and what its words
mean."""

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from kit.board.probes import find_probes, probe_drives
from kit.boards import MCUS, Mcu
from kit.compile.program import Program
from kit.errors import KitError, Pattern, one_of
from kit.programs import find_program, run_program

TIME_LIMIT = 120  # seconds for a tool
CUBE_FOLDERS = (
    "C:/Program Files/STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin",
    "/Applications/STMicroelectronics/STM32Cube/STM32CubeProgrammer/"
    "STM32CubeProgrammer.app/Contents/MacOs/bin",
    str(Path.home() / "STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin"),
)
DRIVE, THE_DRIVE = "drive", "The drive"  # the way that needs no tool, and how it is named
DEVICE_ID = r"device id\s*[:=]\s*(0x[0-9a-f]+)"  # how two tools print DBGMCU_IDCODE


@dataclass(frozen=True)
class Flasher:
    """A flashing tool, as tools.toml describes it."""

    name: str
    program: str
    command: list[str]
    probe: list[str]
    done: str

    def arguments(self, program: Program, image: Path, serial_number: str) -> list[str]:
        """For a program and its flat image; one ST-LINK alone needs no serial number."""
        probe = self.probe if serial_number else []
        words = {"elf": program.path.as_posix(), "image": image, "serial": serial_number,
                 "start": f"{program.mcu.flash[0].start:#010x}", "pyocd": program.mcu.pyocd,
                 "openocd": program.mcu.openocd}  # fmt: skip
        parts = [part for word in self.command for part in (probe if word == "$probe" else [word])]
        return [Template(part).safe_substitute(words) for part in parts]


_TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
TOOLS = [Flasher(**row) for row in _TABLE["tool"]]  # in the order of preference
NAMES = (*(tool.program for tool in TOOLS), DRIVE)
FAILURES: dict[str, Pattern] = {
    name: Pattern(**row | {"pattern": "|".join(row["pattern"])})
    for name, row in _TABLE["failure"].items()
}


def installed() -> list[tuple[Flasher, Path]]:
    """The tools of this computer, with the place of their programs, in the order of preference."""
    places = ((tool, find_program(tool.program, CUBE_FOLDERS)) for tool in TOOLS)
    return [(tool, place) for tool, place in places if place]


def chosen(name: str | None) -> tuple[Flasher, Path] | None:
    """The tool of a name, or the best that is here where none is named; None means the drive."""
    found = [one for one in installed() if name in (None, one[0].program)]
    if found or one_of(name or DRIVE, NAMES) == DRIVE:
        return found[0] if found else None
    raise KitError(
        f"{name} was not found.",
        "It is not on PATH, nor where its installer puts it.",
        "Install it, or leave `--tool` out: then the best that is there is used.",
    )


def write(tool: Flasher, place: Path, program: Program, image: Path, serial_number: str) -> str:
    """Write a program by a tool; the command line that did it. KitError says why it failed."""
    command = [str(place), *tool.arguments(program, image, serial_number)]
    shown = subprocess.list2cmdline(command)
    print(f"Flashing with {tool.name}: {shown}", file=sys.stderr)
    code, said, trouble = run_program(command, TIME_LIMIT)
    if code or trouble or not re.search(tool.done, said):
        raise failed(tool.name, f"{said}\n{trouble}", shown, program.mcu, bool(find_probes()))
    printed = re.search(DEVICE_ID, said, re.IGNORECASE)
    number = int(printed[1], 16) & 0xFFF if printed else program.mcu.device_id
    if number != program.mcu.device_id:
        known = (mcu.name.upper() for mcu in MCUS.values() if mcu.device_id == number)
        raise wrong_chip(
            next(known, f"device id {number:#x}"), program.mcu, f"{tool.name} says so."
        )
    return shown


def failed(tool: str, said: str, command: str, mcu: Mcu, plugged_in: bool) -> KitError:
    """The error for a tool, or the drive, by all that it said and its command line; an ST-LINK may
    be plugged in, whatever it says."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", said).strip()
    name = meaning(said)
    name = "unreachable" if name == "no-probe" and plugged_in else name
    error = FAILURES[name].error(tool=tool, pyocd=mcu.pyocd, **_TABLE["words"])
    why = f"{error.why} It said:\n{said[-2000:]}\nThe command was: {command}"
    ways = {other.name: other.program for other, _ in installed()}
    ways |= {THE_DRIVE: DRIVE} if probe_drives() else {}
    others = [way for one, way in ways.items() if one != tool and name != "no-probe"]
    other = f" Another way that is here: `kit flash --tool {others[0]}`." if others else ""
    return KitError(error.what, why, error.next_step + other)


def meaning(said: str) -> str:
    """The name of the first of `FAILURES` that a tool's words fit."""
    return next(name for name, row in FAILURES.items() if row.fits(said))


def wrong_chip(found: str, mcu: Mcu, how: str) -> KitError:
    """The error for a program for another chip than the board's, and `how` it was found out."""
    return KitError(
        f"The board has another chip: {found}.",
        f"The program is for the {mcu.name.upper()} of the {mcu.board}. {how}",
        "Build for the chip that is there: `kit build --mcu` (see `kit build --help`).",
    )
