"""Recordings of what a board answers: made by `kit record`, played by `replay://FILE`.

A file is lines of JSON. The first says what it is: the version of this format, the day, who
answered HELLO, and the digest of the rest. Each other line is a request, by its name, its length
and the digest of its payload, and the replies to it, in their order.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from kit import paths
from kit.board.address import scheme
from kit.board.requests import NAMES, Hello, Request, take_apart
from kit.errors import KitError

VERSION = 3
NOTES = "KIT_RECORD"
"""Environment variable: the board that is recorded, and the file in which its answers are noted."""


class Reply(NamedTuple):
    """A reply, its payload in hexadecimal, and what a virtual board estimated for it: cycles, and
    how many of them the core waited for the flash."""

    type: int
    payload: str
    estimates: list[tuple[int, int]]


@dataclass(frozen=True)
class Recording:
    """What a board answered: what it said of itself (the fields of a `Hello`; empty if it was not
    asked), and the replies to each request, which `question` names."""

    hello: dict[str, Any]
    replies: dict[str, list[Reply]]

    def __str__(self) -> str:
        """Whose words these are, for a person."""
        hello = self.hello
        return f"network {hello['network']}, build {hello['build_id']}" if hello else "no HELLO"


def question(kind: int, payload: bytes) -> str:
    """A request as a recording names it: its name, length and the digest of its payload."""
    name = NAMES.get(kind, f"{kind:#04x}")
    return f"{name} {len(payload)} {hashlib.sha256(payload).hexdigest()[:32]}"


GREETING = question(Request.HELLO, b"")

# --- Making one -----------------------------------------------------------------------------------


@contextmanager
def record_board(url: str, file: str | Path) -> Iterator[None]:
    """Record into `file` what the board at `url` answers to this process and its children while the
    block runs. KitError where nothing was asked, or `file` cannot be written; after any error
    `file` is what it was before."""
    with tempfile.TemporaryDirectory(prefix="kit-") as folder, paths.replacing(file) as target:
        notes = Path(folder, "notes")
        os.environ[NOTES] = json.dumps([url, str(notes)])
        try:
            yield
        finally:
            del os.environ[NOTES]
        recording = _collect(notes)
        body = "".join(json.dumps(line) + "\n" for line in recording.replies.items()).encode()
        header = {"kit recording": VERSION, "date": date.today().isoformat(),
                  "hello": recording.hello, "digest": _digest(body)}  # fmt: skip
        target.write_bytes(json.dumps(header).encode() + b"\n" + body)


def keep_reply(url: str, kind: int, asked: bytes, reply: Reply) -> None:
    """Note the reply to a request, if the board at `url` is recorded; at once, so that nothing is
    lost when the process is killed."""
    recorded, notes = json.loads(os.environ.get(NOTES) or "[null, null]")
    if recorded == url:
        with Path(notes).open("a", encoding="ascii") as file:
            file.write(json.dumps([question(kind, asked), reply]) + "\n")


def _collect(notes: Path) -> Recording:
    """What was noted. What was answered before another program said hello is not of it."""
    replies: dict[str, list[Reply]] = {}
    lines = notes.read_text(encoding="ascii").splitlines() if notes.exists() else []
    for asked, told in map(json.loads, lines):
        reply = Reply(*told)
        if asked == GREETING and replies.get(asked, [reply])[-1] != reply:
            replies.clear()
        replies.setdefault(asked, []).append(reply)
    if not replies:
        raise KitError(
            "Nothing was recorded.",
            "No board was asked anything.",
            "Record notebooks that ask the board: 04-flash and 05-recognize do.",
        )
    for said in replies.values():
        while said[-1:] == said[-2:-1]:  # the last one repeats when it is played
            said.pop()
    greeted = [bytes.fromhex(reply.payload) for reply in replies.get(GREETING, [])[-1:]]
    return Recording(asdict(take_apart(Hello, greeted[0])) if greeted else {}, replies)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body.replace(b"\r\n", b"\n")).hexdigest()


# --- Reading one ----------------------------------------------------------------------------------


def read_recording(path: Path) -> Recording:
    """Read a recording; KitError where it is none, of another version, damaged or unreadable."""
    try:
        line, _, body = path.read_bytes().partition(b"\n")
        header = dict(json.loads(line))
        version = header["kit recording"]
    except OSError as error:
        raise _unusable(path, "cannot be read", f"{error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError):
        why = "It does not begin as `kit record` begins a file."
        raise _unusable(path, "is no recording", why) from None
    if version != VERSION:
        why = f"It has version {version} of the format, and this kit reads version {VERSION}."
        raise _unusable(path, "is of another kit", why)
    if _digest(body) != header.get("digest"):
        raise _unusable(path, "is damaged", "It was cut or changed on its way.")
    replies = {
        asked: [Reply(*told) for told in said] for asked, said in map(json.loads, body.splitlines())
    }
    return Recording(header["hello"], replies)


def _unusable(path: Path, what: str, why: str) -> KitError:
    next_step = f"Get the file again, or record it: `kit record --board PORT {path.name}`."
    return KitError(f"{path} {what}.", why, next_step)


def absolute(url: str) -> str:
    """A `replay://` URL that means the same in every folder; any other URL as it is."""
    return f"replay://{file_of(url).resolve().as_posix()}" if scheme(url) == "replay" else url


def file_of(url: str) -> Path:
    """The file that `replay://FILE` means, as the system writes paths, `%20` for a space and the
    like allowed; KitError where there is none. A relative one is looked for in the current folder,
    which for a notebook is its own, then in the project's."""
    name = url.partition("://")[2]
    name = re.sub("^/(?=[A-Za-z]:)", "", name)  # file URLs write C:/ as /C:/
    folders = (Path.cwd(), paths.ROOT)
    places = [folder / text for folder in folders for text in (name, unquote(name))]
    if found := next((place for place in places if place.is_file()), None):
        return found
    raise KitError(
        f"There is no recording {name or 'named'}.",
        f"{places[0]} is no file, and {places[-1]} neither.",
        "Write replay:// and the path of a file that `kit record` has made.",
    )
