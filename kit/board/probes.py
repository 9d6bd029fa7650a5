"""What is plugged in. Every Nucleo carries an ST-LINK: one USB device with a probe, a serial port
and, mostly, a drive."""

import os
import re
import string
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from serial.tools import list_ports

from kit.boards import MCUS
from kit.compile.program import Program
from kit.errors import KitError
from kit.programs import system
from virtual_nucleo import options, store

ST = 0x0483
"""USB vendor number of STMicroelectronics."""
# USB product numbers of the ST-LINKs that have a serial port: ST TN1235
PROBES = dict.fromkeys((0x374A, 0x374B, 0x3752), "ST-LINK/V2-1")
PROBES |= dict.fromkeys((0x374E, 0x374F, 0x3753, 0x3754, 0x3755, 0x3757), "ST-LINK/V3")
WITHOUT_DRIVE = (0x3752, 0x3753, 0x3754)
SYSFS = Path("/sys/class/block")
DRIVER = "Windows 10 and later have the driver" if system() == "Windows" else "no driver is needed"
PLUG_IN = f"Plug in the board with a data cable; {DRIVER}"


@dataclass(frozen=True)
class Drive:
    """A drive of an ST-LINK; `board` is empty when it is none that is known, `details` is what
    DETAILS.TXT says of the ST-LINK's firmware."""

    path: Path
    board: str
    details: str


@dataclass(frozen=True)
class Probe:
    """An ST-LINK with a serial port; `drive` is the one that is known to be its own, `board` the
    name of the board, or that it is not known."""

    port: str
    kind: str
    serial_number: str
    drive: Drive | None
    board: str

    def __str__(self) -> str:
        return f"{self.port} ({self.board}, serial number {self.serial_number or 'unknown'})"


@dataclass(frozen=True)
class Boards:
    """What `kit boards` lists. `drives` are those whose port is not known, `other_ports` serial
    ports that belong to no ST-LINK, `virtual` pairs of URL and board."""

    probes: tuple[Probe, ...]
    drives: tuple[Drive, ...]
    other_ports: tuple[str, ...]
    virtual: tuple[tuple[str, str], ...]


def list_boards() -> Boards:
    """Look for boards; opens and changes nothing."""
    found = find_probes()
    paired = {probe.drive for probe in found}
    others = [port.device for port in list_ports.comports() if not _is_probe(port)]
    drives = [drive for drive in probe_drives() if drive not in paired]
    virtual = map(_virtual_board, store.names())
    return Boards(tuple(found), tuple(drives), tuple(others), tuple(virtual))


def find_probes() -> list[Probe]:
    """The ST-LINKs that have a serial port, in the order of their ports."""
    devices: dict[str, Any] = {}
    for port in sorted(filter(_is_probe, list_ports.comports()), key=lambda port: port.device):
        devices.setdefault(port.serial_number or port.device, port)  # some have two ports
    ports, drives = list(devices.values()), probe_drives()
    drive_of = {p.device: drive for p in ports for drive in drives if _same_device(p, drive)}
    free_ports = [p for p in ports if p.device not in drive_of and p.pid not in WITHOUT_DRIVE]
    free_drives = [drive for drive in drives if drive not in drive_of.values()]
    if len(free_ports) == len(free_drives) == 1:
        drive_of[free_ports[0].device] = free_drives[0]
    found = []
    for port in ports:
        drive = drive_of.get(port.device)
        board = (drive and drive.board) or "a board with an ST-LINK"
        found.append(Probe(port.device, PROBES[port.pid], port.serial_number or "", drive, board))
    return found


def probe_at(url: str) -> Probe | None:
    """The ST-LINK whose serial port a URL names, under any of its names."""
    return next((probe for probe in find_probes() if _device(probe.port) == _device(url)), None)


def _virtual_board(name: str) -> tuple[str, str]:
    """URL and board of a virtual board that has a program."""
    url = f"virtual://{'' if name == options.DEFAULT else name}"
    try:
        return url, Program(store.elf_of(name)).mcu.board
    except KitError:
        return url, "(damaged)"


def probe_drives() -> list[Drive]:
    """The drives with MBED.HTM: ST-LINKs have it, other USB sticks have not."""
    return [_drive(place) for place in places() if os.path.isfile(place / "MBED.HTM")]


def places() -> list[Path]:
    """Where this system shows USB drives."""
    if sys.platform == "win32":
        return [Path(f"{letter}:/") for letter in string.ascii_uppercase[3:]]
    patterns = ("Volumes/*", "media/*", "media/*/*", "run/media/*/*")
    return sorted(place for pattern in patterns for place in Path("/").glob(pattern))


def _is_probe(port: Any) -> bool:
    return port.vid == ST and port.pid in PROBES


def _device(url: str) -> str:
    """One name for a port: by-id links followed, macOS's two names made one, COM5 like com5."""
    if "://" in url or os.name == "nt":
        return url.casefold()
    return os.path.realpath(url).replace("/dev/tty.", "/dev/cu.")


def text_of(path: Path) -> str:
    """What a small file says, without space around it; nothing when it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:  # an empty card reader, another user's drive
        return ""


def _drive(place: Path) -> Drive:
    """The board's name is in MBED.HTM as a code or in words, or in the label of the drive."""
    htm = text_of(place / "MBED.HTM")
    code = re.search(r"\?code=([0-9A-F]{4})", htm, re.IGNORECASE)
    word = re.search(r"nucleo[-_](\w+)", htm, re.IGNORECASE)
    word = word or re.match(r"NODE?_(\w+)", place.name)
    known = {word: mcu.board for mcu in MCUS.values() for word in (mcu.mbed_code, mcu.drive)}
    named = f"NUCLEO-{word[1].upper()}" if word else ""
    board = known.get(code[1] if code else "") or known.get(place.name) or named
    return Drive(place, board, " ".join(text_of(place / "DETAILS.TXT").split()))


def _same_device(port: Any, drive: Drive) -> bool:
    """Whether a port and a drive are one USB device; Linux's /sys knows, elsewhere False."""
    usb_device, place = (port.location or "").split(":")[0], str(drive.path)
    disks = [Path(p.device).name for p in psutil.disk_partitions() if p.mountpoint == place]
    return any(usb_device in (SYSFS / disk).resolve().parts for disk in disks)
