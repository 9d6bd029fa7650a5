"""Boards that are plugged in, for tests: serial ports as pyserial lists them, and drives."""

HTM = (  # as an ST-LINK/V2-1 of a NUCLEO-F446RE shows it
    "<!-- mbed Microcontroller Website and Authentication Shortcut -->\n"
    '<meta http-equiv="refresh" content="0; url=http://mbed.org/device/?code=%s0221103168772F75F1"/>'
)


class Port:
    """A serial port as pyserial lists it."""

    def __init__(self, device, pid=0x374B, serial_number="066EFF", vid=0x0483, location="1-1:1.2"):
        self.device, self.pid, self.vid, self.location = device, pid, vid, location
        self.serial_number, self.description = serial_number, "STM32 STLink"


ONE = Port("/dev/ttyACM0")
OTHER = Port("/dev/ttyACM1", serial_number="0671FF", location="1-2:1.2")
USB_STM32 = Port("/dev/ttyACM7", pid=0x5740)  # a program on a chip's own USB, no ST-LINK
CABLE = Port("/dev/ttyUSB0", pid=0x6001, vid=0x0403)
BUILT_IN = Port("/dev/ttyS0", pid=None, vid=None, serial_number=None, location=None)


def add_drive(plugged, name="NODE_F446RE", code="0777"):
    drive = plugged.drives / name
    drive.mkdir()
    (drive / "MBED.HTM").write_text(HTM % code)
    (drive / "DETAILS.TXT").write_text("Version: 0221\r\nBuild:   Sep 18 2018 11:09:21\r\n")
    return drive
