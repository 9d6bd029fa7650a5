"""pyserial's handler of `virtual://`: a serial port whose other end is an emulated chip.

It differs from a real port in time only. The program runs while the host reads, and as fast as it
can; so a read returns early, with fewer bytes than asked, when the program has nothing more to say
and waits for the host itself.
"""

import time
from typing import Any

import serial

from virtual_nucleo import store
from virtual_nucleo.chip import Chip
from virtual_nucleo.errors import EmptyFlashError, PortError, VirtualError
from virtual_nucleo.memory_map import BUTTON_PIN, SR_RXNE
from virtual_nucleo.options import parse
from virtual_nucleo.program import Program

GLANCE = 0.01  # seconds a call that must not block may run the program
FLUSH = 1.0  # seconds flush() gives the program to read everything
PATIENCE = 5_000  # polls of the receiver, some milliseconds, before a short read returns early


def power_on(url: str) -> Chip:
    """The chip that a URL means, with its program."""
    name, options = parse(url)
    elf = options.elf or store.elf_of(name)
    return Chip(Program(elf) if options.elf or elf.exists() else None, options)


class Serial(serial.SerialBase):  # type: ignore[misc]
    """The serial port of a virtual Nucleo; `serial.serial_for_url` makes one. A fault of the
    program is raised by read() and write() as virtual_nucleo.faults.BoardFault. Beyond pyserial
    there are the LED and the buttons, and `inside`."""

    # Lines that the ST-LINK's port does not have
    cts = dsr = cd = True
    ri = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._chip: Chip | None = None
        self.is_open = False
        super().__init__(*args, **kwargs)

    def open(self) -> None:
        """Power the board on. Raises PortError when the URL is not one of a virtual board."""
        if self._port is None:
            raise serial.SerialException("Port must be configured before it can be used.")
        if self.is_open:
            raise serial.SerialException("Port is already open.")
        try:
            self._chip = power_on(self._port)
        except VirtualError as error:
            raise PortError(*error.args) from None
        self._reconfigure_port()
        self.is_open = True

    def close(self) -> None:
        if self._chip:
            self._chip.close()
        self._chip, self.is_open = None, False

    @property
    def inside(self) -> Chip | None:
        """What a serial line cannot tell: `failure` and `complaints` of the program, and
        `take_cycle_estimates()`. None while the port is closed."""
        return self._chip

    def _powered(self) -> Chip:
        if self._chip is None:
            raise serial.PortNotOpenError
        return self._chip

    def _programmed(self) -> Chip:
        if self._powered().program:
            return self._powered()
        why = f"Nothing has been flashed to {self._port} yet."
        fix = f'Program it: virtual_nucleo.store.program("{self._port}", "program.elf").'
        raise EmptyFlashError("The flash of this virtual board is empty.", why, fix)

    def _reconfigure_port(self) -> None:
        """The host's settings. Bytes under way arrive at the rate they were sent with."""
        if (self._bytesize, self._parity, self._stopbits) != (8, "N", 1):
            raise ValueError("a virtual board has 8 data bits, no parity and 1 stop bit")
        usart = self._powered().usart
        if usart.host_baud != self._baudrate:
            if usart.line.waiting:
                self.flush()
            usart.host_baud = self._baudrate
            usart.retune()

    def _update_break_state(self) -> None:
        pass

    _update_rts_state = _update_dtr_state = _update_break_state

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes from the program; fewer at the timeout, or when it waits for us.
        Raises BoardFault when the program did what stops a real chip."""
        chip = self._programmed()
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        while len(chip.usart.outgoing) < size:
            left = deadline - time.monotonic() if deadline and self._timeout else GLANCE
            chip.run(left, size)
            if chip.idle and len(chip.usart.outgoing) < size:
                chip.run(left, size, PATIENCE)
                break
            if deadline is not None and time.monotonic() >= deadline:
                break
        outgoing = chip.usart.outgoing
        data = bytes(outgoing[:size])
        del outgoing[:size]
        return data

    def write(self, data: Any) -> int:
        """Queue bytes for the program, which reads them while the host reads or flushes."""
        content = serial.to_bytes(data)
        self._programmed().send(content)
        return len(content)

    def flush(self) -> None:
        """Let the program act on what was written, for up to a second."""
        self._programmed().run(self._write_timeout or FLUSH)

    @property
    def in_waiting(self) -> int:
        """Bytes that the program has sent; it gets a moment to send them."""
        chip = self._programmed()
        chip.run(GLANCE)
        return len(chip.usart.outgoing)

    @property
    def out_waiting(self) -> int:
        line = self._powered().usart.line
        return int(line.waiting) + bool(line.sr & SR_RXNE)

    def reset_input_buffer(self) -> None:
        self._powered().usart.outgoing.clear()

    def reset_output_buffer(self) -> None:
        self._powered().usart.forget()

    @property
    def led(self) -> bool:
        return self._powered().led

    def press_button(self, pressed: bool) -> None:
        """Press (True) or release (False) the blue button (B1)."""
        self._powered().gpioc.external = 0 if pressed else 1 << BUTTON_PIN  # B1 pulls PC13 low

    def reset(self) -> None:
        """Press the black button: the program starts again, RAM keeps its content."""
        self._powered().reset()
