"""Serial ports: opening one, and an error that helps when it does not open."""

import serial
from serial.tools import list_ports

import kit.board.virtual  # registers virtual://  # noqa: F401
from kit.board.recording import recorded
from kit.errors import KitError

BAUD = 115200
READ_SECONDS = 0.2
WRITE_SECONDS = 2.0  # a request takes 0.07 at 115200 baud; else nobody reads it


def _present() -> str:
    ports = [f"{port.device} ({port.description})" for port in list_ports.comports()]
    return ", ".join(ports) or "none"


def open_port(url: str) -> serial.SerialBase:
    """Open a port by its pyserial URL: `COM5`, `/dev/ttyACM0`, `socket://…`, `virtual://`.

    Raises:
        KitError: there is no such port, or another program uses it.
    """
    try:
        port = serial.serial_for_url(url, do_not_open=True, timeout=READ_SECONDS)
        port.baudrate = BAUD
        if not url.lower().startswith("rfc2217:"):  # pyserial knows no such limit there
            port.write_timeout = WRITE_SECONDS
        if hasattr(port, "exclusive") and "://" not in url:
            port.exclusive = True  # a second program would steal bytes
        port.open()
    except KitError:
        raise
    except (serial.SerialException, ValueError, OSError) as error:
        raise KitError(
            f"The port {url} cannot be opened.",
            f"{error}. Ports on this computer: {_present()}.",
            "Plug the board in and close other programs that use it (a serial terminal, a "
            "notebook), or use the virtual board: `virtual://`.",
        ) from error
    return recorded(port)
