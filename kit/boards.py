"""The boards a program can be built for: what firmware/boards/*/board.toml say, read once."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from kit.errors import KitError
from kit.paths import FIRMWARE


@dataclass(frozen=True)
class Memory:
    """One memory of a chip: its first address, and its size in bytes."""

    name: str
    start: int
    size: int

    def __contains__(self, address: object) -> bool:
        return address in range(self.start, self.start + self.size)


@dataclass(frozen=True)
class Mcu:
    """A microcontroller and its board; frequencies in Hz.

    `folder` is its part of firmware/boards/, `drive` the label of the drive that its ST-LINK shows
    and `mbed_code` what that drive's MBED.HTM says, `device_id` the low 12 bits of DBGMCU_IDCODE,
    `openocd` OpenOCD's file and `pyocd` pyOCD's name for it, `flags` what compilers are told of its
    core where that is no Cortex-M4. A program lies in the first of `flash` and of `ram`.
    """

    name: str
    board: str
    folder: str
    family: str
    drive: str
    mbed_code: str
    device_id: int
    openocd: str
    pyocd: str
    flash: tuple[Memory, ...]
    ram: tuple[Memory, ...]
    core_hz: int
    apb1_hz: int
    apb2_hz: int
    flash_wait_states: int
    has_virtual: bool
    flags: str

    @property
    def flash_bytes(self) -> int:
        """The size of the memory that programs are written to."""
        return self.flash[0].size

    @property
    def ram_bytes(self) -> int:
        """The size of the memory that a program's variables are in."""
        return self.ram[0].size


def _read(path: Path) -> Mcu:
    table = tomllib.loads(path.read_text("utf-8"))
    memories = {k: tuple(Memory(**each) for each in all) for k, all in table["memories"].items()}
    here = {"folder": path.parent.name, "has_virtual": "virtual" in table}
    here["flags"] = str(table["chip"].get("flags", ""))
    facts = table | table["chip"] | table["clock"] | memories | here
    return Mcu(**{field.name: facts[field.name] for field in fields(Mcu)})


MCUS = {mcu.name: mcu for mcu in map(_read, sorted(FIRMWARE.glob("boards/*/board.toml")))}
DEFAULT = MCUS["stm32f446re"]


def find_mcu(name: str) -> Mcu:
    """The chip of a name such as "stm32f446re", in small or capital letters.

    Raises KitError where the kit has no board support for it.
    """
    if name.lower() in MCUS:
        return MCUS[name.lower()]
    raise KitError(
        f"There is no board support for {name!r}.",
        f"The kit builds for {', '.join(MCUS)}.",
        'firmware/README.md says how to add a board, under "Another Nucleo".',
    )
