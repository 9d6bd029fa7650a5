"""A board, real or virtual: flash it, and ask it."""

from kit.board.board import (
    Answer,
    Board,
    BoardLayer,
    BoardTensor,
    Checksum,
    Hello,
    Measurement,
    Status,
)
from kit.board.flash import Flashed, confirm, flash
from kit.board.link import LinkError

__all__ = [
    "Answer",
    "Board",
    "BoardLayer",
    "BoardTensor",
    "Checksum",
    "Flashed",
    "Hello",
    "LinkError",
    "Measurement",
    "Status",
    "confirm",
    "flash",
]
