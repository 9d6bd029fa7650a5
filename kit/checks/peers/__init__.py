"""Other projects that turn networks into C: had from PyPI, each in an environment of its own, and
put behind `firmware/engine/engine.h` like every engine. Nothing of them is in this project."""

from kit.checks.peers.adapter import generate_by as generate_by
from kit.checks.peers.own_python import Peer as Peer
from kit.checks.peers.own_python import python_of as python_of
from kit.checks.peers.own_python import read_table as read_table
