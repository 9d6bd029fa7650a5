"""pyserial's handler of `virtual://`: a serial port whose other end is an emulated chip.

It differs from a real port in time only. The program runs while the host reads, and as fast as it
can; so a read returns early, with fewer bytes than asked, when the program has nothing more to say
and waits for the host itself.
"""

import time
from typing import Any

import serial
from serial import SerialBase

from virtual_nucleo import store
from virtual_nucleo.chip import Chip
from virtual_nucleo.errors import EmptyFlashError, PortError, VirtualError
from virtual_nucleo.mcus import DEFAULT, find_mcu, mcu_of
from virtual_nucleo.options import parse
from virtual_nucleo.program import Program

GLANCE = 0.01  # seconds a call that must not block may run the program
FLUSH = 1.0  # seconds flush() gives the program to read everything
PATIENCE = 5_000  # polls of the receiver, some milliseconds, before a short read returns early


def power_on(url: str) -> Chip:
    """The chip that a URL means, with its program. Raises VirtualError where there is none."""
    name, options = parse(url)
    elf = options.elf or store.elf_of(name)
    if elf.exists() or options.elf:
        program = Program(elf)
        mcu = mcu_of(program, options.mcu)
        image = store.flash_image(program, mcu)
    else:
        program, mcu, image = None, find_mcu(options.mcu or DEFAULT), b""
    return Chip(mcu, image, program, options.strict, options.uninitialized, options.absent)


class Serial(SerialBase):  # type: ignore[misc]
    """The serial port of a virtual NUCLEO-F446RE; `serial.serial_for_url` makes one.

    Beyond pyserial it has `led`, `led_changes`, `complaints`, `press_button()` and `reset()`. A
    fault of the program is raised by read() and write() as virtual_nucleo.faults.BoardFault.
    `counts` is what its cycle counter counts.
    """

    counts = "instructions"

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
        """Power the board off; its flash keeps its content."""
        if self.is_open:
            self.is_open = False
            assert self._chip is not None
            self._chip.close()
            self._chip = None

    def _powered(self) -> Chip:
        if self._chip is None:
            raise serial.PortNotOpenError
        return self._chip

    def _programmed(self) -> Chip:
        """The chip with a program in it, or PortError."""
        chip = self._powered()
        if chip.empty:
            raise EmptyFlashError(
                "The flash of this virtual board is empty.",
                f"Nothing has been flashed to {self._port} yet.",
                f'Program it: virtual_nucleo.store.program("{self._port}", "program.elf").',
            )
        return chip

    def _reconfigure_port(self) -> None:
        """The host's settings. Bytes under way arrive at the rate they were sent with."""
        if (self._bytesize, self._parity, self._stopbits) != (8, "N", 1):
            raise ValueError("a virtual board has 8 data bits, no parity and 1 stop bit")
        chip = self._powered()
        if chip.usart.host_baud != self._baudrate:
            if chip.usart.incoming:
                self.flush()
            chip.usart.host_baud = self._baudrate
            chip.usart.retune()

    # Data

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes from the program; fewer at the timeout, or when it waits for us.

        Raises BoardFault when the program did what stops a real chip.
        """
        chip = self._programmed()
        outgoing = chip.usart.outgoing
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        while len(outgoing) < size:
            left = GLANCE if deadline is None else deadline - time.monotonic()
            chip.run(left if self._timeout else GLANCE, size)
            if chip.idle and len(outgoing) < size:
                chip.run(left if self._timeout else GLANCE, size, PATIENCE)
                break
            if deadline is not None and time.monotonic() >= deadline:
                break
        data = bytes(outgoing[:size])
        del outgoing[:size]
        return data

    def write(self, data: Any) -> int:
        """Queue bytes for the program, which reads them while the host reads or flushes."""
        chip = self._programmed()
        if chip.failure and chip.stopped:
            raise chip.failure
        content = serial.to_bytes(data)
        chip.send(content)
        return len(content)

    def flush(self) -> None:
        """Let the program read what was written and act on it, for up to a second."""
        chip = self._programmed()
        chip.run(self._write_timeout or FLUSH)

    @property
    def in_waiting(self) -> int:
        """Bytes that the program has sent; it gets a moment to send them."""
        chip = self._programmed()
        chip.run(GLANCE)
        return len(chip.usart.outgoing)

    @property
    def out_waiting(self) -> int:
        """Bytes written that the program has not read."""
        return self._powered().usart.unread

    def reset_input_buffer(self) -> None:
        """Forget what the program has sent."""
        self._powered().usart.outgoing.clear()

    def reset_output_buffer(self) -> None:
        """Forget what the program has not read."""
        self._powered().usart.forget()

    # The board

    @property
    def inside(self) -> Chip | None:
        """What this port tells that a serial line cannot: `failure` and `complaints` of the
        program, `take_cycle_estimates()`. None while the port is closed."""
        return self._chip

    @property
    def failure(self) -> VirtualError | None:
        """The fault of the program, which read() raises once everything it sent is read."""
        return self._powered().failure

    @property
    def complaints(self) -> list[str]:
        """What went wrong without stopping the program."""
        return self._powered().complaints

    def take_cycle_estimates(self) -> list[int]:
        """As that of `inside`."""
        return self._powered().take_cycle_estimates()

    @property
    def led(self) -> bool:
        """Whether the green LED (LD2) is lit."""
        return self._powered().led

    @property
    def led_changes(self) -> int:
        """How often LD2 went on or off since the board was opened."""
        return self._powered().led_changes

    def press_button(self, pressed: bool) -> None:
        """Press (True) or release (False) the blue button (B1)."""
        self._powered().press_button(pressed)

    def reset(self) -> None:
        """The black button: the program starts again, a fault is over, RAM keeps its content."""
        self.reset_output_buffer()
        self._powered().reset()

    # Lines that the ST-LINK's port does not have

    def _update_break_state(self) -> None:
        pass

    def _update_rts_state(self) -> None:
        pass

    def _update_dtr_state(self) -> None:
        pass

    @property
    def cts(self) -> bool:
        """Clear to send: always."""
        return True

    @property
    def dsr(self) -> bool:
        """Data set ready: always."""
        return True

    @property
    def ri(self) -> bool:
        """Ring indicator: never."""
        return False

    @property
    def cd(self) -> bool:
        """Carrier detect: always."""
        return True
