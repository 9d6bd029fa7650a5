"""A small network on a virtual board, and a line at whose other end answers what a test wants."""

import numpy as np
from networks import Spec

from kit.board.frame import Frame, decode, encode
from kit.board.requests import REPLY

URL = "virtual://small"
SMALL = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 3)  # takes images


class Line:
    """A port whose peer is a function: it gets each request, and the number of it, and gives the
    bytes that come back. Empty frames are ignored, as by the firmware."""

    port, write_timeout = "line", None

    def __init__(self, peer):
        self.peer, self.waiting, self.requests = peer, b"", 0
        self.baudrate, self.opened = 115200, 1

    def open(self):
        self.opened += 1

    def close(self):
        self.waiting = b""

    def write(self, data):
        if frame := data.strip(b"\0"):
            self.requests += 1
            self.waiting += self.peer(decode(frame), self.requests)

    def read(self, size):
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        return data

    def reset_input_buffer(self):
        pass  # a byte may still be on its way when the buffer is emptied

    @property
    def in_waiting(self):
        return len(self.waiting)


def good(request):
    return encode(Frame(request.type | REPLY, request.sequence, b"yes"))


def damage(data, rng, rate):
    """The same bytes with a share of `rate` changed, dropped or followed by an inserted one."""
    content = np.frombuffer(data, np.uint8).copy()
    fate = rng.random(len(content)) / rate
    changed = fate < 1 / 3
    content[changed] ^= rng.integers(1, 256, changed.sum(), np.uint8)
    times = np.where(fate < 1 / 3, 1, np.where(fate < 2 / 3, 0, np.where(fate < 1, 2, 1)))
    arrived = np.repeat(content, times)
    inserted = np.cumsum(times)[times == 2] - 1
    arrived[inserted] = rng.integers(0, 256, len(inserted), np.uint8)
    return arrived.tobytes()
