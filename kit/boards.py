"""The chips a program can be built for, each on its Nucleo board."""

from dataclasses import dataclass

from kit.errors import KitError

KIB = 1024


@dataclass(frozen=True)
class Mcu:
    """A microcontroller and its board. Sizes in bytes, frequencies in Hz.

    `folder` is its part of firmware/board/, `drive` the label of the drive that its ST-LINK shows,
    `device_id` the low 12 bits of DBGMCU_IDCODE. Sources: RM0390 sections 2.2.2, 6.2 and 33.6.1
    (STM32F446); RM0368 sections 2.3, 6.2 and 23.6.1 (STM32F401).
    """

    name: str
    board: str
    folder: str
    drive: str
    device_id: int
    flash_bytes: int
    ram_bytes: int
    core_hz: int
    apb1_hz: int
    apb2_hz: int


STM32F446RE = Mcu(
    "stm32f446re", "NUCLEO-F446RE", "nucleo_f446re", "NODE_F446RE", 0x421,
    512 * KIB, 128 * KIB, 180_000_000, 45_000_000, 90_000_000,
)  # fmt: skip
STM32F401RE = Mcu(
    "stm32f401re", "NUCLEO-F401RE", "nucleo_f401re", "NODE_F401RE", 0x433,
    512 * KIB, 96 * KIB, 84_000_000, 42_000_000, 84_000_000,
)  # fmt: skip
MCUS = {mcu.name: mcu for mcu in (STM32F446RE, STM32F401RE)}
DEFAULT = STM32F446RE


def find_mcu(name: str) -> Mcu:
    """The chip of a name such as "stm32f446re", in small or capital letters.

    Raises:
        KitError: the kit has no board support for it.
    """
    try:
        return MCUS[name.lower()]
    except KeyError:
        raise KitError(
            f"There is no board support for {name!r}.",
            f"The kit builds for {', '.join(MCUS)}.",
            'firmware/README.md says how to add a board, under "Another Nucleo".',
        ) from None
