"""The drive of an ST-LINK: what is copied there, it writes into the chip."""

import errno
import os
import sys
import time
from pathlib import Path

from kit.board.flashing import tools
from kit.board.probes import PLUG_IN, Probe, probe_drives, text_of
from kit.boards import Mcu
from kit.errors import KitError

BACK_SECONDS = 15.0  # for the drive to come back
LOOK_SECONDS = 0.2
REFUSED = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM)


def copy(image: Path, mcu: Mcu, probe: Probe | None) -> tuple[Path, str]:
    """Copy a flat image to the drive of the board that is meant; the drive, and the command.

    The ST-LINK writes what it gets into the chip; then the drive vanishes and comes back, with
    FAIL.TXT on it when it could not, whose words are in the KitError. Where the drive does not come
    back in time, the board's hello will tell.
    """
    drive = probe.drive.path if probe and probe.drive else _only_drive(mcu)
    command = f"copy {image.name} to {drive}"
    print(f"Flashing by the drive: {command}", file=sys.stderr)
    before, said = text_of(drive / "FAIL.TXT"), ""
    try:
        with (drive / image.name).open("wb") as file:
            file.write(image.read_bytes())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        said = str(error) if error.errno in REFUSED else ""  # else it vanished early
    if said := _settle(drive / image.name, before) or said:
        raise tools.failed(tools.THE_DRIVE, said, command, mcu, True)
    return drive, command


def _only_drive(mcu: Mcu) -> Path:
    drives = probe_drives()
    fitting = [drive.path for drive in drives if drive.board == mcu.board]
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(f"{drive.path} ({drive.board or 'unknown'})" for drive in drives)
    if fitting:
        raise KitError(
            "Several boards show a drive.",
            f"They are {shown}, and which one is meant is not known.",
            "Unplug all but one.",
        )
    if drives:
        raise tools.wrong_chip(shown, mcu, "Their drives say so.")
    names = ", ".join(tool.name for tool in tools.TOOLS)
    without = "" if tools.installed() else f", and none of {names} was found"
    raise KitError(
        "There is nothing to flash a real board with.",
        f"No board shows a drive{without}.",
        f"{PLUG_IN}. Its drive {mcu.drive} appears then. Or install OpenOCD. Or use the "
        "virtual board: `--board virtual://`.",
    )


def _settle(copied: Path, before: str) -> str:
    """Wait until the drive has vanished and come back; what FAIL.TXT says then, or nothing."""
    drive, gone = copied.parent, False
    deadline = time.monotonic() + BACK_SECONDS
    while time.monotonic() < deadline:
        there = (drive / "MBED.HTM").is_file()
        if there and (gone or not copied.exists() or text_of(drive / "FAIL.TXT") != before):
            break
        gone = gone or not there
        time.sleep(LOOK_SECONDS)
    return text_of(drive / "FAIL.TXT")
