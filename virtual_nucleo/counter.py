"""CYCCNT of the data watchpoint unit (ARMv7-M ARM section C1.8) as executed instructions.

The number is exact: a read gives the instructions executed since the counter was zero, up to the
read itself. Instructions that an IT block skips count, as they take their turn in the pipeline.
Beside each number that a program reads stands the estimate of its cycles (see timing.py).
"""

from collections import deque
from typing import NamedTuple

from virtual_nucleo import memory_map as m
from virtual_nucleo.registers import Registers
from virtual_nucleo.watcher import Watcher

ESTIMATES_KEPT = 65_536


class Count(NamedTuple):
    """Executed instructions, and the estimate of their cycles."""

    instructions: int
    cycles: int


class Dwt(Registers):
    """The two DWT registers that matter here: CTRL and CYCCNT.

    `traced` says whether DEMCR.TRCENA is set; `switch` is to be called when it may have changed.
    """

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        super().__init__()
        self.estimates: deque[int] = deque(maxlen=ESTIMATES_KEPT)
        self.reset()

    def reset(self) -> None:
        """CYCCNT is zero and stands still."""
        super().reset()
        self.counting = self.traced = False
        self.stopped_at = self.zero = Count(0, 0)

    def _value(self, after: bool = False) -> Count:
        """What CYCCNT has for the running instruction, or for the one `after` it."""
        if not self.counting:
            return self.stopped_at
        instructions, cycles = self.watcher.position(after)
        return Count(instructions - self.zero.instructions, cycles - self.zero.cycles)

    def _set(self, value: Count) -> None:
        """CYCCNT is `value` for the instruction after the running store."""
        instructions, cycles = self.watcher.position(after=True)
        self.stopped_at = value
        self.zero = Count(instructions - value.instructions, cycles - value.cycles)

    def switch(self) -> None:
        """After a store that may switch the counter on or off."""
        on = bool(self.traced and self.values.get(m.DWT_CTRL, 0) & m.CYCCNTENA)
        if on != self.counting:
            self._set(self._value(after=True))
            self.counting = on

    def read(self, offset: int) -> int:
        if offset == m.DWT_CYCCNT:
            value = self._value()
            self.estimates.append(value.cycles)
            return value.instructions & 0xFFFF_FFFF
        return super().read(offset) | (m.DWT_NUMCOMP if offset == m.DWT_CTRL else 0)

    def write(self, offset: int, value: int) -> None:
        if offset == m.DWT_CYCCNT:
            self._set(Count(value, value))
        else:
            super().write(offset, value & m.CYCCNTENA)
            self.switch()
