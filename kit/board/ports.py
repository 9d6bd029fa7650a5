"""Serial ports: the one that is meant, opening it, and errors that help when it does not open."""

import errno
import os
import re
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import serial
from serial.tools import list_ports

from kit.board.address import AUTO, VIRTUAL, check_address, kind_of, scheme
from kit.board.crash import told_by
from kit.board.link import SAFE_BAUD
from kit.board.probes import PLUG_IN, Probe, find_probes, probe_at
from kit.boards import DEFAULT, MCUS, Mcu
from kit.errors import KitError
from kit.paths import build_folder
from kit.programs import system
from virtual_nucleo import keep_in
from virtual_nucleo.errors import VirtualError

READ_SECONDS = 0.2
WRITE_SECONDS = 2.0  # kit.board.link allows more for a request that takes longer
TRIES = 3  # answers to a question
SUSPECTS = {
    "Windows": "PuTTY, Tera Term, the serial monitor of an IDE",
    "Darwin": "screen, the serial monitor of an IDE",
    "Linux": "screen, minicom, the serial monitor of an IDE, ModemManager",
}
keep_in(lambda: build_folder() / "virtual")  # importing it has registered virtual://


def resolve(url: str) -> str:
    """The URL itself, unless it is "auto": the one Nucleo that is plugged in. When there are
    several, a person at a terminal is asked, once; when there is none, it is the virtual board,
    which is said on stderr, once. KitError when it is no address, or nobody can be asked."""
    return _chosen(tuple(find_probes())) if check_address(url) == AUTO else url


def chip(url: str) -> Mcu:
    """The chip of the board at an address, as far as its drive names the board; else STM32F446RE.
    KitError where the address is mistyped."""
    probe = probe_at(resolve(url))
    return next((mcu for mcu in MCUS.values() if probe and mcu.board == probe.board), DEFAULT)


def require(url: str) -> None:
    """See that a port that was named is there, before something is done that takes long; KitError
    as `open_port`. The port of an ST-LINK that is plugged in is; another is opened once."""
    if not scheme(url) and probe_at(url) is None:
        open_port(url).close()


@cache
def _chosen(found: tuple[Probe, ...]) -> str:
    """The address of the one board among these, which a person at a terminal chooses."""
    if not found:
        print(f"No board is plugged in: using the virtual one, {VIRTUAL}", file=sys.stderr)
        return VIRTUAL
    if len(found) == 1:
        return found[0].port
    with suppress(AttributeError, ValueError):  # there is no stdin or stderr, or it is closed
        if sys.stdin.isatty() and sys.stderr.isatty():
            for number, probe in enumerate(found, 1):
                print(f"{number}: {probe}", file=sys.stderr)
            for _ in range(TRIES):
                print(f"Which board, 1 to {len(found)}? ", end="", file=sys.stderr, flush=True)
                answer = sys.stdin.readline().strip()
                if answer.isdecimal() and 1 <= int(answer) <= len(found):
                    return found[int(answer) - 1].port
    raise KitError(
        "Several boards are plugged in, and which one is meant is not known.",
        f"They are {', '.join(map(str, found))}.",
        f'Name one: BOARD = "{found[0].port}" in a notebook, `--board {found[0].port}` in a '
        "command.",
    )


def open_port(url: str) -> serial.SerialBase:
    """Open a port by its pyserial URL: `COM5`, `/dev/ttyACM0`, `socket://…`, `virtual://`. KitError
    where there is no such port, another program uses it, or this user may not."""
    try:
        port = serial.serial_for_url(url, do_not_open=True, timeout=READ_SECONDS)
        port.baudrate = SAFE_BAUD
        if scheme(url) != "rfc2217":  # pyserial knows no such limit there
            port.write_timeout = WRITE_SECONDS
        if hasattr(port, "exclusive") and not scheme(url):
            port.exclusive = True  # a second program would steal bytes
        port.open()
    except VirtualError as error:
        raise told_by(error, url) from None
    except (serial.SerialException, ValueError, OSError) as error:
        raise _explain(url, error) from error
    return port


def _explain(url: str, error: Exception) -> KitError:
    """The error for a port that did not open, by the system's error number.

    Windows gives none, but its words hold the name of a Python exception and, at the end, its own
    number: 5 is "access is denied", which there means that another program has the port.
    """
    text = str(error)
    numbers = {getattr(error, "errno", None), *map(int, re.findall(r"\[Errno (\d+)\]", text))}
    if "PermissionError(13" in text or numbers & {errno.EAGAIN, errno.EBUSY}:
        users = ", ".join(_users(url))
        known = f"It is {users}." if users else f"It may be {SUSPECTS[system()]}."
        here = "Close the board there (`board.close()`, or restart the notebook's kernel)."
        close = "Close that program, or the other notebook's kernel, and try again."
        return KitError(
            f"The port {url} is in use.",
            f"Another program has it open. {known} The system says: {text}",
            here if f"(process {os.getpid()})" in users else close,
        )
    if numbers & {errno.EACCES, errno.EPERM}:
        group = "dialout"
        with suppress(OSError, KeyError, NotImplementedError):
            group = Path(url).group()  # uucp on Arch, dialout on Debian and Fedora
        return KitError(
            f"You may not use the port {url}.",
            f"Only members of the group {group} may use it. The system says: {text}",
            f"Run `sudo usermod -aG {group} $USER`, log out and in again.",
        )
    what, advice = f"The port {url} cannot be opened.", kind_of(url).absent
    if scheme(url):
        return KitError(what, f"{text}.", advice)
    ports = [f"{port.device} ({port.description})" for port in list_ports.comports()]
    listed = f"{text}. Ports on this computer: {', '.join(ports) or 'none'}."
    return KitError(what, listed, f"{PLUG_IN}. {advice}")


def _users(url: str) -> list[str]:
    """The programs that have a port open, as far as Linux tells this user."""
    device, found = os.path.realpath(url), set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if str(link.readlink()) == device:
                process = link.parent.parent
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                found.add(f"{name} (process {process.name})")
    return sorted(found)
