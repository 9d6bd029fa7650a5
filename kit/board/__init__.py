"""A board, real or virtual: flash it, and ask it."""

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
from kit.board.flash import flash
from kit.board.link import LinkError

__all__ = [
    "Answer",
    "Board",
    "BoardLayer",
    "BoardTensor",
    "Checksum",
    "Hello",
    "LayerProfile",
    "LinkError",
    "Measurement",
    "Profile",
    "Status",
    "flash",
]
