"""pyserial's handler of `replay://FILE`: each request gets the reply that a recorded board gave.

Requests may come in any order and as often as wanted: each has its own replies, of which the last
one repeats. Any baud rate is agreed to. The file is only read.
"""

import time
from collections import deque
from typing import Any

import serial
from serial import SerialBase

from kit.board.link import Frame, FrameReader, encode
from kit.board.recording import Reply, file_of, question, read_recording
from kit.board.requests import REPLY, Request
from kit.errors import KitError


class Serial(SerialBase):  # type: ignore[misc]
    """The port of a board that is played; `serial.serial_for_url` makes one.

    KitError is raised by open() where there is no recording, or it is damaged, and by write() for a
    request that was never recorded. `recording` is what is played.
    """

    failure = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.is_open = False
        super().__init__(*args, **kwargs)

    def open(self) -> None:
        """Read the recording, and begin it anew."""
        self._file = file_of(self._port)
        self.recording = read_recording(self._file)
        self._replies = {asked: deque(said) for asked, said in self.recording.replies.items()}
        self._estimates: list[int] = []
        self._reader, self._coming = FrameReader(), b""
        self.is_open = True

    def close(self) -> None:
        """Stop playing."""
        self.is_open = False

    def _reconfigure_port(self) -> None:
        """Nothing: bytes come at any rate."""

    def _opened(self) -> None:
        if not self.is_open:
            raise serial.PortNotOpenError

    def write(self, data: Any) -> int:
        """Answer the requests that these bytes complete."""
        self._opened()
        for request in filter(None, self._reader.feed(serial.to_bytes(data))):
            kind, payload, estimates = self._reply(request)
            self._coming += encode(Frame(kind, request.sequence, bytes.fromhex(payload)))
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

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes of the board; fewer when it says no more before the next request."""
        self._opened()
        if not self._coming:
            time.sleep(self._timeout or 0)
        data, self._coming = self._coming[:size], self._coming[size:]
        return data

    @property
    def in_waiting(self) -> int:
        """Bytes of the board that can be read."""
        self._opened()
        return len(self._coming)

    def reset_input_buffer(self) -> None:
        """Forget what the board has said."""
        self._coming = b""

    @property
    def inside(self) -> "Serial | None":
        """The port itself where a virtual board was recorded: it tells its estimates of cycles."""
        known = self.recording.replies.values()
        return self if any(reply.estimates for said in known for reply in said) else None

    def take_cycle_estimates(self) -> list[int]:
        """What the board estimated for the requests since the last call."""
        taken, self._estimates = self._estimates, []
        return taken
