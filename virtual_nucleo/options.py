"""What a URL means: `virtual://name?option=value&option=value`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from virtual_nucleo.errors import VirtualError

DEFAULT = "default"
PARTS = ("hse", "pll", "overdrive")
CHOICES = {"strict": ("on", "off"), "uninitialized": ("refuse", "allow")}  # the first means yes
CHOICES |= dict.fromkeys(PARTS, ("on", "off"))


@dataclass(frozen=True)
class Options:
    """What runs on a virtual board, how strict it is, and what on it is broken. `elf`: the program,
    instead of the one that the board keeps; `mcu`: the chip, instead of the one that the program
    was built for. `strict`: a program that breaks a rule of the chip is stopped with a fault; off,
    the chip goes on as silicon does, and `inside.complaints` has the sentences. `uninitialized`:
    loads from RAM that was never stored to are refused. `absent`: "hse", "pll" or "overdrive", what
    never becomes ready."""

    elf: Path | None = None
    mcu: str = ""
    strict: bool = True
    uninitialized: bool = False
    absent: frozenset[str] = frozenset()


def parse(url: str) -> tuple[str, Options]:
    """The name of the board that a URL means, and its options. `virtual://` is the board "default",
    `virtual://alice?hse=off` is "alice" without its HSE. In `elf=PATH`, %20 and the like stand for
    other characters. Raises VirtualError for anything else."""
    parts = urlsplit(url)
    name = parts.netloc or DEFAULT
    extra = parts.path.strip("/") or parts.fragment
    if parts.scheme.lower() != "virtual" or extra or not re.fullmatch("[a-z0-9][a-z0-9_-]*", name):
        raise VirtualError(
            f"{url!r} is not the address of a virtual board.",
            "An address is virtual:// or virtual://name, where a name has small letters, digits, "
            "- and _, and options may follow: virtual://name?strict=off.",
            "Use virtual:// for the default board.",
        )
    chosen: dict[str, Any] = {}
    for option, _, text in (part.partition("=") for part in parts.query.split("&") if part):
        value = unquote(text)
        if option in ("elf", "mcu") and value:
            chosen[option] = Path(value).expanduser() if option == "elf" else value
        elif value in CHOICES.get(option, ()):
            chosen[option] = value == CHOICES[option][0]
        else:
            known = [f"{choice}={'|'.join(values)}" for choice, values in CHOICES.items()]
            raise VirtualError(
                f"{url!r} asks for {option}={value}, which a virtual board does not have.",
                f"The options are {', '.join(['elf=PATH', 'mcu=NAME', *known])}.",
                "Write virtual://name?option=value, and & between two options.",
            )
    absent = frozenset(part for part in PARTS if not chosen.pop(part, True))
    return name, Options(absent=absent, **chosen)
