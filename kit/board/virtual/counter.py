"""CYCCNT of the data watchpoint unit (ARMv7-M ARM section C1.8) as executed instructions.

A hook on every block of code makes Unicorn some hundred times slower, so the hook exists only while
a program has switched the counter on (DWT_CTRL.CYCCNTENA and DEMCR.TRCENA). The number is exact: a
read gives the instructions executed since the counter was zero, up to the read itself. Instructions
that an IT block skips count, as they take their turn in the pipeline.
"""

from typing import Any

from unicorn import UC_HOOK_BLOCK, UC_HOOK_MEM_READ, UC_HOOK_MEM_WRITE, Uc
from unicorn.arm_const import UC_ARM_REG_PC

from kit.board.virtual import memory_map as m
from kit.board.virtual.registers import Registers

SLICE = 200_000  # instructions between two looks at the clock


def count(code: bytes) -> int:
    """The number of Thumb instructions in `code`.

    An instruction has 32 bits when the top five bits of its first halfword are 11101, 11110 or
    11111 (ARMv7-M ARM section A5.1), else 16.
    """
    position = number = 0
    while position < len(code):
        position += 4 if code[position + 1] >> 3 >= 0b11101 else 2
        number += 1
    return number


class Counter:
    """Counts by blocks: what came before the current block, plus the way to PC inside it."""

    def __init__(self, uc: Uc) -> None:
        self.uc = uc
        self.hooks: list[int] = []
        self.lengths: dict[tuple[int, int], int] = {}
        self.reset()

    def reset(self) -> None:
        """CYCCNT is zero and nothing was executed."""
        self.value_when_off = self.zero = 0
        self.completed = self.length = self.start = self.size = self.budget = 0
        self.resumed_at = -1

    @property
    def counting(self) -> bool:
        """Whether the hooks are installed."""
        return bool(self.hooks)

    def install(self, pc: int) -> None:
        """Start counting; the store at `pc` that switched the counter on may run again."""
        self.completed = self.length = 0
        self.start = self.resumed_at = pc
        self.zero = -self.value_when_off
        on_access = UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE
        self.hooks = [
            self.uc.hook_add(UC_HOOK_BLOCK, self._block),
            # Only with a hook on memory does Unicorn know the exact PC during an access.
            self.uc.hook_add(on_access, lambda *_: None, begin=m.DWT, end=m.DWT + 7),
        ]
        self.uc.ctl_flush_tb()

    def remove(self) -> None:
        """Stop counting: full speed again."""
        for hook in self.hooks:
            self.uc.hook_del(hook)
        self.hooks = []
        self.uc.ctl_flush_tb()

    def settle(self, pc: int) -> None:
        """After a stop at `pc`: of the last block, count what was executed."""
        self.completed += self._until(pc)
        self.start, self.length = pc, 0

    def switched(self, on: bool) -> bool:
        """The running store leaves the counter switched on or off; whether hooks must change."""
        if self.counting and not on:
            self.value_when_off = self.value() + 1
        elif self.counting and self.uc.reg_read(UC_ARM_REG_PC) == self.resumed_at:
            self.resumed_at = -1
            self.set(self.value_when_off)
        return self.counting != on

    def set(self, value: int) -> None:
        """The running store makes CYCCNT `value`."""
        self.value_when_off = value
        if self.counting:
            self.zero = self._now() + 1 - value

    def value(self) -> int:
        """CYCCNT for the running load, modulo 2 to the 32."""
        number = self._now() - self.zero if self.counting else self.value_when_off
        return number & 0xFFFF_FFFF

    def _now(self) -> int:
        return self.completed + self._until(self.uc.reg_read(UC_ARM_REG_PC))

    def _until(self, pc: int) -> int:
        """Instructions of the current block before `pc`; all of them when `pc` is elsewhere."""
        if self.length and self.start <= pc < self.start + self.size:
            return count(bytes(self.uc.mem_read(self.start, pc - self.start)))
        return self.length

    def _block(self, uc: Uc, address: int, size: int, _data: Any) -> None:
        self.completed += self.length
        self.start, self.size = address, size
        try:
            self.length = self.lengths[address, size]
        except KeyError:
            self.length = count(bytes(uc.mem_read(address, size)))
            self.lengths[address, size] = self.length
        if self.completed > self.budget:
            uc.emu_stop()


class Dwt(Registers):
    """The two DWT registers that matter here: CTRL and CYCCNT.

    `on_switch` is called after every store that may switch the counter on or off.
    """

    def __init__(self, counter: Counter, on_switch: Any) -> None:
        super().__init__()
        self.counter, self.on_switch = counter, on_switch

    def read(self, offset: int) -> int:
        if offset == m.DWT_CYCCNT:
            return self.counter.value()
        return super().read(offset) | (m.DWT_NUMCOMP if offset == m.DWT_CTRL else 0)

    def write(self, offset: int, value: int) -> None:
        if offset == m.DWT_CYCCNT:
            self.counter.set(value)
        else:
            super().write(offset, value & m.CYCCNTENA)
            self.on_switch()
