"""What the address of a board says, and what a mistyped one may have meant."""

import re
from difflib import get_close_matches
from typing import Any, NamedTuple

from kit.errors import KitError

AUTO, VIRTUAL = "auto", "virtual://"
EXAMPLES = (
    'An address is "virtual://", "auto", the name of a port such as "COM5" or "/dev/ttyACM0", '
    '"replay://FILE", or "socket://HOST:PORT".'
)


class Kind(NamedTuple):
    """What to do so that the kit's firmware answers at an address (`{url}`), why a connection broke
    off and what to do then, and what to do where nothing can be opened."""

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

TYPOS = (  # what people write, in small or capital letters, and what they mean
    ("", VIRTUAL),
    ("auto", AUTO),
    (r"(localhost|\d+(?:\.\d+){3})", r"socket://\1:PORT"),
    (r"(localhost|\d+(?:\.\d+){3}):(\d+)", r"socket://\1:\2"),
    (r"com\W+(\d+)|com(\d+)\W+", r"COM\1\2"),
    (r"/?(?:dev/)?((?:tty|cu\.)\w+)", r"/dev/\1"),
)


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
    """The address itself; KitError where it is no text, or mistyped so that one sees what it is."""
    if isinstance(url, str) and not meant(url):
        return url
    why = f'Did you mean "{meant(url)}"?' if isinstance(url, str) else "It is no text."
    raise KitError(f"{url!r} is not the address of a board.", why, EXAMPLES)


def meant(url: str) -> str:
    """What a mistyped address seems to mean; empty for one that may be right."""
    right = text = url.strip()
    for typo, meaning in TYPOS:
        if found := re.fullmatch(typo, text, re.IGNORECASE):
            right = found.expand(meaning)
    word = re.split(r"\W", text)[0]
    rest = text.removeprefix(word)
    kind = next(iter(get_close_matches(word.lower(), filter(None, KINDS), 1, 0.8)), "")
    if kind and kind != scheme(text) and rest[:1] in ("", ":", "/"):
        root = "/" if kind == "replay" and re.match(":/(?!/)", rest) else ""
        right = f"{kind}://{root}{rest.lstrip(':/')}"
    return "" if right == url else right
