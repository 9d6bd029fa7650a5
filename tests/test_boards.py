"""kit/boards.py: a board's facts are read from its board.toml, and stand nowhere else."""

import re

import pytest

from kit.boards import DEFAULT, MCUS, find_mcu
from kit.errors import KitError
from kit.paths import FIRMWARE, ROOT


def test_a_chip_is_found_by_its_name():
    """In small and in capital letters; another one is refused with what there is."""
    assert find_mcu("STM32F446RE") is DEFAULT and find_mcu("stm32l476rg").ram[1].name == "SRAM2"
    with pytest.raises(KitError, match="no board support for 'stm32x'") as error:
        find_mcu("stm32x")
    assert ", ".join(MCUS) in error.value.why and "Another Nucleo" in error.value.next_step
    assert "## Another Nucleo" in (FIRMWARE / "README.md").read_text()


@pytest.mark.parametrize("mcu", MCUS.values(), ids=lambda mcu: mcu.name)
def test_each_fact_stands_once(mcu):
    """What only this board has is written in its own table: ids, labels, names for tools."""
    own = (f"{mcu.device_id:#x}", mcu.drive, f'"{mcu.mbed_code}"', mcu.pyocd)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(fact)}(?!\w)" for fact in own))
    table = FIRMWARE / "boards" / mcu.folder / "board.toml"
    code = {
        path
        for place in ("kit", "virtual_nucleo", "firmware")
        for path in ROOT.glob(f"{place}/**/*.*")
    }
    texts = (path for path in code - {table} if path.suffix in (".py", ".c", ".h", ".toml"))
    assert pattern.search(table.read_text("utf-8"))
    assert [path for path in texts if pattern.search(path.read_text("utf-8"))] == []
