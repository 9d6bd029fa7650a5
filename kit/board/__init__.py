"""A board, real, virtual or recorded: flash it, and ask it."""

import serial

from kit.board.bare import run_bare as run_bare
from kit.board.board import Answer as Answer
from kit.board.board import Board as Board
from kit.board.board import LayerProfile as LayerProfile
from kit.board.board import Profile as Profile
from kit.board.flashing import confirm as confirm
from kit.board.flashing import flash as flash
from kit.board.requests import LinkError as LinkError
from kit.board.requests import Request as Request
from virtual_nucleo.mcus import FlashSettings as FlashSettings

if __name__ not in serial.protocol_handler_packages:
    serial.protocol_handler_packages.append(__name__)  # pyserial finds protocol_replay.py here
