"""A chip's memories, and what its data sheet allows at 2.7 to 3.6 V: what a board.toml says."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from virtual_nucleo.errors import VirtualError
from virtual_nucleo.program import Program

BOARDS = [Path(__file__).resolve().parent.parent / "firmware" / "boards"]
"""Folders of folders with a board.toml; add your own. The first that has a chip describes it."""
FLASH_START, RAM_START = 0x0800_0000, 0x2000_0000  # RM0390 section 2.2.2
MHZ = 1_000_000
VCO_INPUT_HZ = (950_000, 2_100_000)  # data sheets, "Main PLL characteristics"; 1 to 2 MHz is usual


@dataclass(frozen=True)
class Mcu:
    """A chip. Sizes in bytes; frequencies in Hz, each pair the smallest and the largest allowed.
    `pll_n` are PLLCFGR's factors N; `wait_states` the highest HCLK with 0, 1, 2 … wait states of
    the flash; `scales` for each value of PWR_CR's VOS the name of the voltage scale and the highest
    HCLK in it, without and, where the chip has it, with over-drive; `absent` the registers of the
    STM32F446 that the chip lacks, by peripheral; `lacks` the peripherals that it lacks, `adds`
    those that only it has, with their addresses."""

    name: str
    manual: str
    data_sheet: str
    device_id: int
    flash_bytes: int
    ram_bytes: int
    core_hz: int
    apb1_hz: int
    apb2_hz: int
    pll_n: Sequence[int]
    vco_hz: Sequence[int]
    wait_states: Sequence[int]
    scales: Sequence[Sequence[int]]
    vos_at_reset: int
    pll_has_r: bool = False
    overdrive: bool = False
    absent: dict[str, str] = field(default_factory=dict)
    lacks: str = ""
    adds: dict[str, int] = field(default_factory=dict)


class FlashSettings(NamedTuple):
    """What FLASH_ACR sets (RM0390 section 3.8.1): LATENCY, 0 to 15, PRFTEN, ICEN and DCEN."""

    wait_states: int
    prefetch: bool = True
    instruction_cache: bool = True
    data_cache: bool = True

    @classmethod
    def of(cls, acr: int) -> "FlashSettings":
        """Those of a value of the register."""
        return cls(acr & 0xF, *(bool(acr >> bit & 1) for bit in (8, 9, 10)))


def _tables() -> dict[str, dict[str, Any]]:
    paths = [path for folder in BOARDS for path in sorted(folder.glob("*/board.toml"))]
    tables = [tomllib.loads(path.read_text("utf-8")) for path in reversed(paths)]
    return {table["chip"]["name"]: table for table in tables}


def find_mcu(name: str) -> Mcu:
    """The chip of a name such as "stm32f446re". Raises VirtualError where it is not modeled."""
    tables = _tables()
    table = tables.get(name.lower(), {})
    if "virtual" not in table:
        modeled = sorted(each for each, table in tables.items() if "virtual" in table)
        family = f"Its family, {table['chip']['family']}, is not modeled. " if table else ""
        why = f"{family}The chips that there are: {', '.join(modeled).upper()}."
        fix = "Build the program for one of them, or run this one on a real board."
        raise VirtualError(f"There is no virtual {name.upper()}.", why, fix)
    sizes = {f"{kind}_bytes": banks[0]["size"] for kind, banks in table["memories"].items()}
    facts = table["chip"] | table["clock"] | table["virtual"] | sizes
    return Mcu(**{each.name: facts[each.name] for each in fields(Mcu) if each.name in facts})


def mcu_of(program: Program | None, wanted: str = "") -> Mcu:
    """The chip that is wanted, or else that a program was built for, or else the STM32F446RE."""
    return find_mcu(wanted or (program and program.chip(_tables())) or "stm32f446re")
