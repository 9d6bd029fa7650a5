"""What a virtual board's LED shows, tick by tick."""

from itertools import groupby

from virtual_nucleo import memory_map as m
from virtual_nucleo import peripherals


def watch_led(monkeypatch, board):
    """Let each look at the timer be a tick; the list gets the LED's state at each."""
    seen = []
    read_model = peripherals.SystemControl.read

    def tick(self, offset):
        value = read_model(self, offset)
        if offset == m.SYST.start:
            seen.append(board.port.led)
            value |= m.COUNTFLAG
        return value

    monkeypatch.setattr(peripherals.SystemControl, "read", tick)
    return seen


def ticks(board, seen, count):
    """Let so many ticks pass."""
    end = len(seen) + count
    while len(seen) < end:
        board.port.read(1)


def blinks(seen):
    """How long the LED was lit each time between two dark seconds, in ticks."""
    phases = [(lit, len(list(run))) for lit, run in groupby(seen)]
    dark = [i for i, (lit, length) in enumerate(phases) if not lit and length >= 14]
    return [length for lit, length in phases[dark[0] : dark[1]] if lit]
