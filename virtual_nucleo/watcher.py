"""What the virtual chip counts and catches while Unicorn executes, and its clock.

The work is done by watcher.c, a few native hooks: a hook in Python on every block of code makes
Unicorn some hundred times slower. A block's length and cycles are worked out here, the first time
that it is met.
"""

import ctypes
import math
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from unicorn import (
    UC_HOOK_BLOCK,
    UC_HOOK_CODE,
    UC_HOOK_MEM_READ,
    UC_HOOK_MEM_READ_PROT,
    UC_HOOK_MEM_WRITE,
    UC_HOOK_MEM_WRITE_PROT,
    UC_HOOK_TLB_FILL,
    UC_PROT_READ,
    UC_TLB_VIRTUAL,
    Uc,
    arm_const,
)
from unicorn.unicorn_py3 import unicorn as binding

from virtual_nucleo import store
from virtual_nucleo.mcus import RAM_START
from virtual_nucleo.memory_map import PERIPHERALS
from virtual_nucleo.native import compile_library
from virtual_nucleo.timing import FPU, MOST_FIRST, Block, Guard, decode

SOURCES = sorted(Path(__file__).parent.glob("*.c"))
BLOCKS, RAM_PAGES = 16384, 256
UNALIGNED, FPU_OFF, OVERFLOW, UNWRITTEN = range(1, 5)  # what may be caught
READ_WRITE = UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE
PROTECTED = UC_HOOK_MEM_READ_PROT | UC_HOOK_MEM_WRITE_PROT
LAST = 0xFFFF_FFFF  # address
PAGE = 4096  # bytes: what Unicorn protects as one
WAITING = 1000  # cycles between two looks at the timer of a program that waits for it
CALLED = {"stop": "emu_stop", "read_register": "reg_read", "write_register": "reg_write"}
LEARN = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_uint32, ctypes.c_uint32)


def fields(names: str, kind: Any) -> list[tuple[str, Any]]:
    """Fields of one type of a structure that C has, too."""
    return [(name, kind) for name in names.split()]


class _Block(ctypes.Structure):
    _fields_ = (
        *fields("address size instructions cycles branch", ctypes.c_uint32),
        ("bases", ctypes.c_uint8 * MOST_FIRST),
        ("steady", ctypes.c_uint32),
        ("offsets", ctypes.c_void_p),
    )


class State(ctypes.Structure):
    """`watcher` of watcher.h, where each field is explained."""

    _fields_ = (
        *fields("instructions cycles budget", ctypes.c_uint64),
        ("current", _Block),
        *fields("stopped fpu_on caught caught_at", ctypes.c_uint32),
        *fields("stack_low stack_end ram_base ram_size", ctypes.c_uint32),
        *fields("written ram", ctypes.c_void_p),
        ("ram_start", ctypes.c_uint32),
        ("executed", ctypes.c_uint8 * RAM_PAGES),
        *fields("stop read_register write_register", ctypes.c_void_p),
        *fields("learn suspect", LEARN),
        ("blocks", _Block * BLOCKS),
    )


class _Guard(ctypes.Structure):
    _fields_ = (("watcher", ctypes.c_void_p), ("base", ctypes.c_int32))


@cache
def native() -> ctypes.CDLL:
    """The C files here as a library of this computer, compiled once."""
    folder = store.home().parent / "host"
    library = ctypes.CDLL(str(compile_library(SOURCES, folder, [SOURCES[0].parent])))
    library.time_now.restype = ctypes.c_double
    return library


class Watcher:
    """Counts executed instructions and estimated cycles, and stops where the chip has to look;
    `state` is shared with the native code."""

    def __init__(self, uc: Uc) -> None:
        self.uc = uc
        self.known: dict[tuple[int, int], Block] = {}
        self.offsets: dict[tuple[int, int], Any] = {}  # of each known block, for native code
        self.guarded: dict[Guard, _Guard] = {}
        self.waiting: list[Guard] = []  # instructions to be watched before execution goes on
        self.state = State(learn=LEARN(self._learn), suspect=LEARN(self._suspect))
        for name, function in CALLED.items():
            address = ctypes.cast(getattr(binding.uclib, f"uc_{function}"), ctypes.c_void_p)
            setattr(self.state, name, address.value)
        self.hook(UC_HOOK_BLOCK, "watcher_block", 1, 0)
        self.hook(PROTECTED, "watcher_protected", PERIPHERALS, LAST)
        self.state.ram_start = RAM_START
        uc.ctl_set_tlb_mode(UC_TLB_VIRTUAL)  # Unicorn's own takes all RAM for code
        self.hook(UC_HOOK_TLB_FILL, "watcher_translate", 1, 0)

    def hook(self, kind: int, function: str, begin: int, end: int, data: Any = None) -> Any:
        """Call a native function; the binding offers Python callbacks only."""
        to, handle = getattr(native(), function), binding.uc_hook_h()
        about, place = ctypes.addressof(data or self.state), ctypes.byref(handle)
        if status := binding.uclib.uc_hook_add(self.uc._uch, place, kind, to, about, begin, end):
            raise binding.UcError(status)
        return handle

    def unhook(self, handle: Any) -> None:
        """No longer call it."""
        binding.uclib.uc_hook_del(self.uc._uch, handle)

    def watch_stack(self, low: int, high: int, ram: int) -> None:
        """Catch a stack that has grown into `low` up to `high`, right above the variables."""
        self.state.stack_low, self.state.stack_end = low, high
        self.state.ram = ram
        first, last = low & -PAGE, (high - 1) | (PAGE - 1)
        self.hook(UC_HOOK_MEM_WRITE_PROT, "watcher_protected", first, last)
        self.uc.mem_protect(first, last + 1 - first, UC_PROT_READ)

    def watch_ram(self, base: int, size: int) -> None:
        """Catch loads of what was never stored."""
        self.written = ctypes.create_string_buffer(size)
        self.state.written = ctypes.addressof(self.written)
        self.state.ram_base, self.state.ram_size = base, size
        self.hook(READ_WRITE, "watcher_memory", base, base + size - 1)

    def _learn(self, address: int, size: int) -> bool:
        """Called by watcher.c for a block that is not in its table; true stops before the block."""
        if (address, size) not in self.known:
            self.known[address, size] = decode(bytes(self.uc.mem_read(address, size)), address)
            found = self.known[address, size].cycles
            places = (found.get(at, 0) for at in range(address, address + size, 2))
            self.offsets[address, size] = (ctypes.c_uint32 * (size // 2))(*places)
        cycles, branch, guards, first, steady = self.known[address, size]
        took = len(cycles) - 1, cycles[address + size], branch
        bases = tuple(_number(base) for _, base in first)
        looked_at = bases, steady, ctypes.addressof(self.offsets[address, size])
        self.state.blocks[address // 2 % BLOCKS] = (address, size, *took, *looked_at)
        return self._watch(g for g in guards if g[1] != FPU or not self.state.fpu_on)

    def _suspect(self, address: int, size: int) -> bool:
        """Called by watcher.c for a block whose bases are not as they must be, where that matters:
        which instruction it is, if it is executed, must be found out."""
        return self._watch(self.known[address, size].first)

    def _watch(self, guards: Iterable[Guard]) -> bool:
        """Whether there are any that are not watched yet: execution has to stop for that."""
        self.waiting += [guard for guard in guards if guard not in self.guarded]
        return bool(self.waiting)

    def switch_fpu(self, on: bool) -> None:
        """The FPU is on or off: without it, blocks are looked at again before they run."""
        if self.state.fpu_on and not on:
            ctypes.memset(self.state.blocks, 0, ctypes.sizeof(self.state.blocks))
        self.state.fpu_on = on

    def position(self, after: bool = False) -> tuple[int, int]:
        """Instructions executed and estimated cycles, up to the running load or store, or with
        `after` including it."""
        instructions, cycles = self._within(self.uc.reg_read(arm_const.UC_ARM_REG_PC), after)
        return self.state.instructions + instructions, self.state.cycles + cycles

    def _within(self, pc: int, after: bool = False) -> tuple[int, int]:
        """What the current block has executed before `pc`; all of it when `pc` is elsewhere."""
        now = self.state.current
        block = self.known.get((now.address, now.size))
        if block is None or not now.instructions:
            return 0, 0
        places = list(block.cycles)
        index = places.index(pc) + after if pc in block.cycles else len(places) - 1
        return index, block.cycles[places[index]]

    def settle(self, pc: int) -> None:
        """After a stop at `pc`: of the last block, count what was executed; and watch the
        instructions that were found."""
        instructions, cycles = self._within(pc)
        self.state.instructions += instructions
        self.state.cycles += cycles
        self.state.current = _Block()
        for guard in self.waiting:  # not possible while Unicorn executes
            at, base = guard
            number = -1 if base == FPU else _number(base)
            self.guarded[guard] = _Guard(ctypes.addressof(self.state), number)
            self.hook(UC_HOOK_CODE, "watcher_guard", at, at, self.guarded[guard])
            self.uc.ctl_remove_cache(at, at + 2)
        self.waiting = []


def _number(register: str) -> int:
    """Unicorn's number of a register."""
    return int(getattr(arm_const, f"UC_ARM_REG_{register.upper()}"))


class Time(ctypes.Structure):
    """Virtual time in seconds: the estimated cycles at the clock they were executed with, and the
    real time that a program sleeps or waits for the host. A program that polls for what will happen
    at a known time is moved there. The fields are those of `virtual_time` in usart.c."""

    _fields_ = (
        *fields("base hz", ctypes.c_double),
        ("mark", ctypes.c_uint64),
        ("cycles", ctypes.c_void_p),
    )

    def __init__(self, state: State) -> None:
        super().__init__(hz=1.0, cycles=ctypes.addressof(state) + State.cycles.offset)
        self.state = state
        self.looked, self.looked_at = 0.0, 0
        self.next_event: Callable[[], float] = lambda: math.inf  # on the serial line
        self.asleep: float | None = None

    def now(self) -> float:
        return float(native().time_now(ctypes.byref(self)))

    def set_clock(self, hz: float) -> None:
        self.base, self.mark, self.hz = self.now(), self.state.cycles, hz

    def move_to(self, moment: float) -> None:
        native().time_move_to(ctypes.byref(self), ctypes.c_double(moment))

    def sleep(self) -> None:
        self.asleep = time.monotonic()

    def wake(self) -> None:
        """The host does something: the real time since then has passed."""
        if self.asleep is not None:
            self.looked = time.monotonic()
            self.base += self.looked - self.asleep
            self.asleep = None

    def look(self) -> None:
        """The program looks whether time has passed: while it does little else, real time counts,
        but not beyond the next byte, which must not depend on this computer's speed."""
        here, moment = self.state.cycles, time.monotonic()
        if here - self.looked_at < WAITING:
            self.base += max(0.0, min(moment - self.looked, self.next_event() - self.now()))
        self.looked, self.looked_at = moment, here
