"""From C to a program: for the chip, and for this computer."""

from kit.compile.firmware import Firmware, build_firmware
from kit.compile.footprint import Footprint
from kit.compile.host import HostNetwork
from kit.compile.program import MemoryUse, NoRoom, Program, Region

__all__ = [
    "Firmware",
    "Footprint",
    "HostNetwork",
    "MemoryUse",
    "NoRoom",
    "Program",
    "Region",
    "build_firmware",
]
