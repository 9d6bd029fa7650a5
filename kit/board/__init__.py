"""A board, real or virtual: flash it, and ask it."""

from kit.board.board import (
    Answer,
    Board,
    BoardLayer,
    BoardTensor,
    Hello,
    LayerProfile,
    Measurement,
    Profile,
)
from kit.board.flash import flash
from kit.board.link import LinkError

__all__ = [
    "Answer",
    "Board",
    "BoardLayer",
    "BoardTensor",
    "Hello",
    "LayerProfile",
    "LinkError",
    "Measurement",
    "Profile",
    "flash",
]
