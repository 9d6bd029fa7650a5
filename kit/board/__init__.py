"""A board, real, virtual or recorded: flash it, and ask it."""

import serial

from kit.board.board import (
    Answer,
    Board,
    BoardLayer,
    BoardTensor,
    Checksum,
    Hello,
    LayerProfile,
    Measurement,
    Profile,
    Status,
)
from kit.board.flashing import Flashed, confirm, flash
from kit.board.link import LinkError

if __name__ not in serial.protocol_handler_packages:
    serial.protocol_handler_packages.append(__name__)  # pyserial finds protocol_replay.py here

__all__ = [
    "Answer",
    "Board",
    "BoardLayer",
    "BoardTensor",
    "Checksum",
    "Flashed",
    "Hello",
    "LayerProfile",
    "LinkError",
    "Measurement",
    "Profile",
    "Status",
    "confirm",
    "flash",
]
