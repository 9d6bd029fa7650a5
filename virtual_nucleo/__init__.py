"""A NUCLEO-64 board in software behind a pyserial URL: README.md says what it is and where what is.

Importing this package makes `serial.serial_for_url("virtual://?elf=program.elf")` work.
"""

import serial

from virtual_nucleo.store import keep_in

__all__ = ["keep_in"]

if __name__ not in serial.protocol_handler_packages:
    serial.protocol_handler_packages.append(__name__)  # pyserial finds protocol_virtual.py here
