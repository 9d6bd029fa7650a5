"""Recordings of what went over a serial port: made by `kit record`, played by `replay://FILE`.

A *session* is what happened between the opening and the closing of a port: a list of events.
An event is a kind, one byte, and its data:

    >  bytes to the board
    <  bytes from the board, as far as the host read them
    =  the host set another baud rate (u32, little-endian)
    ~  a virtual board's estimates of cycles were read (u64 each, little-endian, one 0 in front)

A file is one line of JSON, which any editor shows, and a zlib stream. The line says that it is a
recording, in which version of this format, who answered HELLO, and what the board's cycle counter
counts. The stream holds the sessions: each begins with an event of kind `|`, and an event is its
kind, the length of its data (u32, little-endian) and its data. Neither the date nor the port is in
it: the same traffic makes the same file.
"""

import json
import os
import re
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from kit import paths
from kit.board.address import scheme
from kit.errors import KitError

VERSION = 1
BEGIN, TO_BOARD, FROM_BOARD, BAUD, ESTIMATES = b"|", b">", b"<", b"=", b"~"
FOLDER = "KIT_RECORD"
"""Environment variable: the folder in which every port that is opened records its session."""

HEAD = struct.Struct("<cI")  # of an event


class Event(NamedTuple):
    """What happened, and its bytes."""

    kind: bytes
    data: bytes


Session = list[Event]


@dataclass(frozen=True)
class Recording:
    """A recording in memory.

    Attributes:
        hello: what the board said of itself: the fields of `kit.board.Hello`, empty if unknown.
        counts: what its cycle counter counts, "cycles" or "instructions".
        sessions: in the order in which they were recorded.
    """

    hello: dict[str, Any]
    counts: str
    sessions: list[Session]

    def __str__(self) -> str:
        """Whose words these are, for a person."""
        hello = self.hello
        return f"network {hello['network']}, build {hello['build_id']}" if hello else "no HELLO"


class Recorder:
    """A port that writes down what goes through it, and is otherwise the port that it wraps.

    Each opening makes a file of its own in `folder`, to which every event is added at once: when
    the process is killed, what was said until then is there.
    """

    def __init__(self, port: Any, folder: str | Path) -> None:
        self.__dict__.update(_port=port, _folder=Path(folder))
        if port.is_open:
            self._begin()

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__dict__["_port"], name)
        return partial(self._take, value) if name == "take_cycle_estimates" else value

    def _take(self, estimates: Callable[[], list[int]]) -> list[int]:
        taken = estimates()
        self._note(ESTIMATES, estimates_bytes(taken))
        return taken

    def __setattr__(self, name: str, value: Any) -> None:
        changed = name == "baudrate" and value != self._port.baudrate
        setattr(self._port, name, value)
        if changed and self._port.is_open:
            self._note(BAUD, baud_bytes(value))

    def _begin(self) -> None:
        """Make the next file; another process may be making one at the same time."""
        for number in count(len(list(self._folder.glob("*.session")))):
            file = self._folder / f"{number:04}.session"
            with suppress(FileExistsError):
                file.touch(exist_ok=False)
                break
        self.__dict__["_file"] = file
        self._note(BEGIN, json.dumps(getattr(self._port, "counts", "cycles")).encode())

    def _note(self, kind: bytes, data: bytes) -> None:
        with self._file.open("ab") as file:
            file.write(_packed(Event(kind, data)))

    def open(self) -> None:
        """Open the port again: another session."""
        self._port.open()
        self._begin()

    def write(self, data: bytes) -> Any:
        """Send bytes, and note them first: the board may answer by a fault."""
        self._note(TO_BOARD, bytes(data))
        return self._port.write(data)

    def read(self, size: int = 1) -> bytes:
        """Read bytes, and note those that came."""
        data: bytes = self._port.read(size)
        if data:
            self._note(FROM_BOARD, data)
        return data


def baud_bytes(rate: int) -> bytes:
    """The data of a BAUD event."""
    return struct.pack("<I", rate)


def estimates_bytes(estimates: list[int]) -> bytes:
    """The data of an ESTIMATES event, which is never empty."""
    return struct.pack(f"<{len(estimates) + 1}Q", 0, *estimates)


def recorded(port: Any) -> Any:
    """The port, wrapped when `KIT_RECORD` says that sessions are recorded."""
    folder = os.environ.get(FOLDER)
    return Recorder(port, folder) if folder else port


@contextmanager
def recording(file: str | Path) -> Iterator[None]:
    """Record every port that this process and its children open in the block into `file`.

    Raises:
        KitError: nothing was asked in the block, or `file` cannot be written. After any error
            `file` is what it was before.
    """
    with tempfile.TemporaryDirectory(prefix="kit-") as folder, paths.replacing(file) as target:
        before = os.environ.get(FOLDER)
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            _restore(before)
        target.write_bytes(_file(_collect(Path(folder))))


def _restore(before: str | None) -> None:
    del os.environ[FOLDER]
    if before is not None:
        os.environ[FOLDER] = before


def _collect(folder: Path) -> Recording:
    """The sessions of a folder in which something was asked, as one recording."""
    counts, sessions = "cycles", []
    for path in sorted(folder.glob("*.session")):
        (begin, *events), *_ = _sessions(path.read_bytes())
        if any(event.kind == TO_BOARD for event in events):
            counts = json.loads(begin.data)
            sessions.append(_joined(events))
    if not sessions:
        raise KitError(
            "Nothing was recorded.",
            "No board was asked anything.",
            "Record notebooks that ask the board: 04-flash and 05-recognize do.",
        )
    return Recording(_hello(sessions), counts, sessions)


def _hello(sessions: list[Session]) -> dict[str, Any]:
    """What the board said to HELLO last; empty when it was not asked."""
    from kit.board import board, link  # they import this module

    said = [event.data for session in sessions for event in session if event.kind == FROM_BOARD]
    replies = [frame for frame in link.FrameReader().feed(b"".join(said)) if frame]
    hellos = [frame.payload for frame in replies if frame.type == link.HELLO | link.REPLY]
    return asdict(board.read_hello(hellos[-1])) if hellos else {}


def _joined(events: Iterable[Event]) -> Session:
    """The same session with bytes in one direction in one event, however they were read."""
    joined: list[tuple[bytes, list[bytes]]] = []
    for kind, data in events:
        if not joined or joined[-1][0] != kind or kind in (BAUD, ESTIMATES):
            joined.append((kind, []))
        joined[-1][1].append(data)
    return [Event(kind, b"".join(parts)) for kind, parts in joined]


# The file


def _packed(event: Event) -> bytes:
    return HEAD.pack(event.kind, len(event.data)) + event.data


def _file(recording: Recording) -> bytes:
    header = {"kit recording": VERSION, "counts": recording.counts, "hello": recording.hello}
    events = [event for session in recording.sessions for event in (Event(BEGIN, b""), *session)]
    stream = zlib.compress(b"".join(map(_packed, events)), 9)
    return json.dumps(header).encode() + b"\n" + stream


def read(path: Path) -> Recording:
    """Read a recording.

    Raises:
        KitError: the file cannot be read, is no recording, is of another version or damaged.
    """
    try:
        line, _, stream = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise _unusable(path, "cannot be read", f"{error.strerror or error}.") from error
    header = _header(path, line)
    try:
        sessions = [events[1:] for events in _sessions(_unpacked(stream))]
    except (zlib.error, struct.error, ValueError, IndexError) as error:
        raise _unusable(
            path, "is damaged", f"It was cut or changed on its way ({error})."
        ) from None
    return Recording(header.get("hello", {}), header.get("counts", "cycles"), sessions)


def _header(path: Path, line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
        version = header["kit recording"]
    except (ValueError, KeyError, TypeError):
        raise _unusable(
            path, "is no recording", "It does not begin as `kit record` begins a file."
        ) from None
    if version != VERSION:
        why = f"It has version {version} of the format, and this kit reads version {VERSION}."
        raise _unusable(path, "is of another kit", why)
    return dict(header)


def _unpacked(stream: bytes) -> bytes:
    """All of a zlib stream that is all there; its Adler-32 says that no byte has changed."""
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(stream)
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("its end is missing" if not unpacker.eof else "there is more after it")
    return content


def _sessions(content: bytes) -> list[Session]:
    """The sessions of a stream, each with its BEGIN."""
    sessions: list[Session] = []
    at = 0
    while at < len(content):
        kind, length = HEAD.unpack_from(content, at)
        at += HEAD.size + length
        if kind == BEGIN:
            sessions.append([])
        sessions[-1].append(Event(kind, content[at - length : at]))
    return sessions


def _unusable(path: Path, what: str, why: str) -> KitError:
    next_step = f"Get the file again, or record it: `kit record --board PORT {path.name}`."
    return KitError(f"{path} {what}.", why, next_step)


def absolute(url: str) -> str:
    """A `replay://` URL that means the same in every folder; any other URL as it is."""
    if scheme(url) != "replay":
        return url
    return f"replay://{file_of(url).resolve().as_posix()}"


def file_of(url: str) -> Path:
    """The file that `replay://FILE` means.

    FILE is written as the system writes paths, `%20` for a space and the like allowed. A relative
    one is looked for in the current folder, which for a notebook is its own, then in the project's.

    Raises:
        KitError: there is no such file.
    """
    name = url.partition("://")[2]
    name = re.sub("^/(?=[A-Za-z]:)", "", name)  # file URLs write C:/ as /C:/
    folders = (Path.cwd(), paths.ROOT)
    places = [folder / text for folder in folders for text in (name, unquote(name))]
    found = next((place for place in places if place.is_file()), None)
    if found:
        return found
    raise KitError(
        f"There is no recording {name or 'named'}.",
        f"{places[0]} is no file, and {places[-1]} neither.",
        "Write replay:// and the path of a file that `kit record` has made.",
    )
