"""What the exercises need: a copy of the firmware to change, and the light of the virtual board."""

import shutil
import time
from itertools import groupby
from pathlib import Path

from kit.board import Board
from kit.errors import KitError
from kit.paths import FIRMWARE, build_folder, replacing

FOLDER = "exercises"  # in `build()`, where exercises keep what they make
LOOK_SECONDS = 1 / 64  # the program looks at its timer 16 times a second


def copy_of_firmware(name: str = "firmware") -> Path:
    """A copy of the firmware's C to change, `build/exercises/NAME`; one that is there already is
    returned as it is, with what was changed in it. Raises KitError: it cannot be written."""
    copy = build_folder() / FOLDER / name
    if not copy.is_dir():
        with replacing(copy) as folder:
            shutil.copytree(FIRMWARE, folder, ignore=shutil.ignore_patterns(".*"))
    return copy


def watch_led(board: Board, seconds: float = 4.0) -> str:
    """What the green light of a virtual board does: its phases, such as "on 0.5 s, off 0.5 s".
    Raises KitError: it is a real board, or the program on it fails."""
    if not hasattr(board.port, "led"):
        raise KitError(
            f"The light of {board.url} cannot be seen from here.", next_step="Look at the board."
        )
    seen, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        board.port.flush()  # lets the program run
        seen.append("on" if board.port.led else "off")
        time.sleep(LOOK_SECONDS)
    phases = [(state, len([*run]) * seconds / len(seen)) for state, run in groupby(seen)]
    return ", ".join(f"{state} {length:.1f} s" for state, length in phases)
