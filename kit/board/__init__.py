"""A board, real, virtual or recorded: flash it, and ask it."""

import serial

from kit.board.board import Answer, Board, LayerProfile, Profile
from kit.board.flashing import Flashed, confirm, flash
from kit.board.requests import BoardLayer, BoardTensor, Checksum, Hello, LinkError, Request, Status

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
    "Profile",
    "Request",
    "Status",
    "confirm",
    "flash",
]
