"""The virtual NUCLEO-F446RE or NUCLEO-F401RE: a chip in software behind a pyserial URL.

Importing this package makes `serial.serial_for_url("virtual://")` work. The other end of that port
is an emulated chip that executes the real Cortex-M4 machine code in its flash:

    memory_map.py        addresses, sizes and bits of the chip, each with its source
    limits.py            what the data sheets allow, for each chip
    registers.py         blocks of registers, and the bus to them
    clocks.py            clock tree, power control, flash interface, and their rules
    usart.py             the serial port's end on the chip
    peripherals.py       pins, the system timer, the core's own registers
    watcher.py           the chip's time, and what is counted and caught while it executes
    watcher.c            the native half of it
    timing.py            how many cycles instructions take: an estimate
    counter.py           CYCCNT: how many instructions were executed
    exceptions.py        how the core takes a fault
    chip.py              the CPU (Unicorn), wired to memory and peripherals
    flash_store.py       the content of the flash, kept between sessions
    faults.py            what went wrong, in which function and line of the C source
    options.py           what the URL says about the board
    protocol_virtual.py  the serial port: pyserial's extension point

`virtual://` is the default board; `virtual://alice` is another one with a flash of its own. It is
the chip that its program was built for. `virtual://alice?strict=off&hse=off` is alice going on
where a program breaks a rule, with an HSE that never becomes ready (see options.py).
"""

import serial

from virtual_nucleo.store import keep_in

__all__ = ["keep_in"]


def register() -> None:
    """Make pyserial find `protocol_virtual.py`; calling it twice changes nothing."""
    if __name__ not in serial.protocol_handler_packages:
        serial.protocol_handler_packages.append(__name__)


register()
