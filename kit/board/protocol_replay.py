"""pyserial's handler of `replay://FILE`: each request, in any order, gets the replies that a
recorded board gave to it, of which the last one repeats. Any baud rate is agreed to."""

from collections import deque
from queue import Queue
from typing import Any

import serial
from serial.urlhandler import protocol_loop

from kit.board.frame import Frame, FrameReader, encode
from kit.board.recording import Reply, file_of, question, read_recording
from kit.board.requests import REPLY, Request
from kit.errors import KitError


class Serial(protocol_loop.Serial):  # type: ignore[misc]
    """The port of a board that is played: pyserial's loop:// but for what comes back. KitError is
    raised by open() where there is no recording, or it is damaged, and by write() for a request
    that was never recorded. `inside` is the port itself where a virtual board was recorded: it
    tells its estimates of cycles."""

    failure = None

    def from_url(self, url: str) -> None:
        """Read the recording, and begin it anew; open() calls it."""
        self._file = file_of(url)
        known = read_recording(self._file).replies
        self._replies = {asked: deque(said) for asked, said in known.items()}
        estimated = any(reply.estimates for said in known.values() for reply in said)
        self.inside = self if estimated else None
        self._estimates: list[tuple[int, int]] = []
        self._reader, self.queue = FrameReader(), Queue[bytes]()

    def write(self, data: Any) -> int:
        """Answer the requests that these bytes complete."""
        if not self.is_open:
            raise serial.PortNotOpenError
        for request in filter(None, self._reader.feed(serial.to_bytes(data))):
            kind, payload, estimates = self._reply(request)
            reply = Frame(kind, request.sequence, bytes.fromhex(payload))
            for byte in serial.iterbytes(encode(reply)):
                self.queue.put(byte)
            self._estimates += estimates
        return len(data)

    def _reply(self, request: Frame) -> Reply:
        if request.type == Request.BAUD:
            return Reply(Request.BAUD | REPLY, request.payload.hex(), [])
        asked = question(request.type, request.payload)
        if replies := self._replies.get(asked):
            return replies.popleft() if len(replies) > 1 else replies[0]
        name, size, _ = asked.split()
        alike = sum(known.split()[0] == name for known in self._replies)
        raise KitError(
            f"The recording {self._file.name} has no answer to this {name} request.",
            f"It plays what a board answered then: {alike or 'no'} {name} requests, and not this "
            f"one of {int(size):,} bytes.",
            "Ask what was asked then, with the same images and inputs; or record again: "
            f"`kit record --board PORT {self._file.name}`.",
        )

    def take_cycle_estimates(self) -> list[tuple[int, int]]:
        """What the board estimated for the requests since the last call."""
        taken, self._estimates = self._estimates, []
        return taken
