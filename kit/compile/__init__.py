"""From C to a program: for the chip, and for this computer."""

from kit.compile.firmware import Firmware, build_firmware
from kit.compile.host import HostNetwork
from kit.compile.memory import FLASH, RAM, MemoryUse, memories, memory_use

__all__ = [
    "FLASH",
    "RAM",
    "Firmware",
    "HostNetwork",
    "MemoryUse",
    "build_firmware",
    "memories",
    "memory_use",
]
