"""What the address of a board says: its kind, how such a board is flashed, and what a mistyped one
may have meant."""

import re
from difflib import get_close_matches
from typing import Any, NamedTuple

from kit.errors import KitError

AUTO = "auto"
VIRTUAL = "virtual://"
EXAMPLES = (
    'An address is "virtual://", "auto", the name of a port such as "COM5" or "/dev/ttyACM0", '
    '"replay://FILE", or "socket://HOST:PORT".'
)


class Kind(NamedTuple):
    """What to say of the board at an address (`{url}`): how the kit's firmware comes there, why a
    connection broke off and what to do then, and what to do where nothing can be opened."""

    flash: str = "Flash this kit's firmware: `kit flash --board {url}`."
    gone: tuple[str, str] = (
        "The board was unplugged, or another program took the port.",
        "Plug the board in and run this again. If its port has another name now, open that: "
        "`kit boards` lists them.",
    )
    absent: str = EXAMPLES


REMOTE = Kind(
    "Who runs that board flashes the firmware that `kit build` makes, or restarts it.",
    (
        "The program that serves the board has ended, or the network.",
        "Start that program again and run this again.",
    ),
    "Start the program that serves the board there, and check host and port.",
)
KINDS = {  # by the scheme; "" is the name of a port
    "": Kind(absent=f"`kit boards` lists what is there; `{VIRTUAL}` is the virtual board."),
    "virtual": Kind(),
    "replay": Kind("Record it again with this kit: `kit record --board PORT FILE`."),
    "socket": REMOTE,  # a serial line, and no debugger
    "rfc2217": REMOTE,
}


def scheme(url: str) -> str:
    """The scheme of an address, in small letters, such as "virtual"; empty for a port's name."""
    name, separator, _ = url.partition("://")
    return name.lower() if separator else ""


def kind_of(url: str) -> Kind:
    """What an address leads to."""
    return KINDS.get(scheme(url), Kind())


def how_to_flash(url: str) -> str:
    """What to do so that the kit's firmware answers at an address, one sentence."""
    return kind_of(url).flash.format(url=url)


def check_address(url: Any) -> str:
    """The address itself; KitError where it is no text, or is mistyped in a way that tells what was
    meant."""
    why = "It is no text."
    if isinstance(url, str):
        if not (suggestion := meant(url)):
            return url
        why = f'Did you mean "{suggestion}"?'
    raise KitError(f"{url!r} is not the address of a board.", why, EXAMPLES)


def meant(url: str) -> str:
    """What a mistyped address seems to mean; empty for one that may be right."""
    text = url.strip()
    if text != url:
        return meant(text) or text
    if not text:
        return "virtual://"
    if text.lower() == "auto":
        return "" if text == "auto" else "auto"
    word = re.match(r"\w*", text)
    name = word[0] if word else ""
    rest = text[len(name) :]
    kind = next(iter(get_close_matches(name.lower(), filter(None, KINDS), 1, 0.8)), "")
    right = kind == name.lower() and rest.startswith("://")
    if kind and not right and rest[:1] in ("", ":", "/"):
        root = "/" if kind == "replay" and re.match(":/(?!/)", rest) else ""
        return f"{kind}://{root}{rest.lstrip(':/')}"
    if host := re.fullmatch(r"(localhost|\d+(?:\.\d+){3})(:\d+)?", text, re.IGNORECASE):
        return f"socket://{host[1]}{host[2] or ':PORT'}"
    if number := re.fullmatch(r"com\W+(\d+)|com(\d+)\W+", text, re.IGNORECASE):
        return f"COM{number[1] or number[2]}"
    if port := re.fullmatch(r"/?(?:dev/)?((?:tty|cu\.)\w+)", text):
        return "" if text == f"/dev/{port[1]}" else f"/dev/{port[1]}"
    return ""
