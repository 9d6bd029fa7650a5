"""How long the core waits for the flash: the model of the embedded flash interface and its ART
accelerator, as RM0390 sections 3.4.1 and 3.4.2 describe them (RM0368 and RM0383: the same).

What the manual says: a read gives a line of 128 bits and takes a cycle and the wait states. The
line in use is kept. The prefetch reads the next line while instructions of one are executed. The
instruction cache has 64 lines, the data cache 8; a line that was in neither buffer is copied into
its cache, in the place of the one that was used least recently. Data goes before instructions.

What it leaves open, and is assumed here:

- Each cache takes any line in any place.
- An instruction's line is needed in the cycle in which the instruction begins, and its data one
  cycle later, further words one each after that. The three words that the core fetches ahead, and
  what it fetches behind a branch that it takes, are left out.
- The prefetch begins in the cycle after that in which the first instruction of a line came, unless
  the next line is in the cache. A line that is wanted before its prefetch has ended was missed, and
  is copied into the cache; one that came in time is not.
- A read that has begun is ended before the next one begins, also when a branch makes it useless.
- There is no buffer for data but the data cache.
- Without wait states nothing waits.

By this model the place of a loop matters: lines that the prefetch brings in time are read again at
each turn, and data waits meanwhile. The course's network takes 201,000 to 214,000 cycles, depending
on which of 16 bytes its inner loop begins at.

The work is done by flash.c, a native hook at each instruction and each access, which make the
program some fifteen times slower: so it is counted only where it is asked for.
"""

import ctypes
from typing import Any

from unicorn import UC_HOOK_CODE, UC_HOOK_MEM_READ, UC_HOOK_MEM_WRITE

from virtual_nucleo.mcus import FLASH_START, FlashSettings, Mcu
from virtual_nucleo.watcher import Watcher, fields

INSTRUCTION_LINES, DATA_LINES = 64, 8  # of 16 bytes: RM0390 section 3.4.2
NO_LINE = 0xFFFF_FFFF
HOOKS = {"flash_fetch": UC_HOOK_CODE, "flash_access": UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE}


class _Cache(ctypes.Structure):
    _fields_ = (
        *fields("count enabled", ctypes.c_uint32),
        ("line", ctypes.c_uint32 * INSTRUCTION_LINES),
        ("used", ctypes.c_uint64 * INSTRUCTION_LINES),
    )


class _State(ctypes.Structure):
    """`flash` of flash.c, where each field is explained."""

    _fields_ = (
        ("watcher", ctypes.c_void_p),
        *fields("base size wait_states prefetch", ctypes.c_uint32),
        *fields("instructions data", _Cache),
        *fields("waits uses free ahead_from", ctypes.c_uint64),
        *fields("current ahead offset words", ctypes.c_uint32),
    )


class FlashModel:
    """The flash of a chip whose `watcher` counts. `settings` are those of FLASH_ACR, and `as_if`
    others, or None, which count instead; `waits` is how many cycles the core has waited."""

    def __init__(self, watcher: Watcher, mcu: Mcu) -> None:
        self.watcher = watcher
        self.as_if: FlashSettings | None = None
        self.settings = FlashSettings(0, False, False, False)
        self._hooks: list[Any] = []
        self._counted: FlashSettings | None = None
        self.state = _State(ctypes.addressof(watcher.state), FLASH_START, mcu.flash_bytes)

    @property
    def waits(self) -> int:
        return int(self.state.waits)

    def configure(self, settings: FlashSettings) -> None:
        """The program has written FLASH_ACR."""
        self.settings = settings
        self._apply()

    def count(self, on: bool, as_if: FlashSettings | None = None) -> None:
        """Whether waiting is counted from here on; not to be called while the program runs."""
        self.as_if = as_if
        self._apply()
        if on and not self._hooks:
            self._hooks = [self.watcher.hook(kind, name, 1, 0, self.state)
                           for name, kind in HOOKS.items()]  # fmt: skip
        elif not on:
            for hook in self._hooks:
                self.watcher.unhook(hook)
            self._hooks = []
        self.watcher.uc.ctl_flush_tb()  # code that was translated calls the hooks of then

    def _apply(self) -> None:
        """With other settings than before both caches and the buffers are empty."""
        chosen, state = self.as_if or self.settings, self.state
        if chosen == self._counted:
            return
        self._counted = chosen
        state.wait_states, state.prefetch = chosen[:2]
        state.instructions = _Cache(INSTRUCTION_LINES, chosen.instruction_cache)
        state.data = _Cache(DATA_LINES, chosen.data_cache)
        state.current = state.ahead = NO_LINE
        state.free = 0
