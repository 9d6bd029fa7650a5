"""From C to a program: for the chip, and for this computer."""

from kit.compile.firmware import Firmware, build_firmware
from kit.compile.host import HostNetwork
from kit.compile.program import MemoryUse, Program, Region

__all__ = ["Firmware", "HostNetwork", "MemoryUse", "Program", "Region", "build_firmware"]
