"""What a URL means: `virtual://name?option=value&option=value`."""

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from virtual_nucleo.errors import VirtualError

DEFAULT = "default"
VALUES: dict[str, dict[str, Any]] = {"uninitialized": {"refuse": True, "allow": False}}
SWITCH = {"on": True, "off": False}


@dataclass(frozen=True)
class Options:
    """What runs on a virtual board, how strict it is, and what on it is broken.

    `elf`: the program, instead of the one that the board keeps; `mcu`: the chip, instead of the one
    that the program was built for. `strict`: a program that breaks a rule of the chip is stopped
    with a fault; off, the chip goes on as silicon does, and the port's `complaints` have the
    sentences. `uninitialized`: "refuse" also refuses loads from RAM that was never stored to.
    `hse`, `pll`, `overdrive`: off, that part never becomes ready.
    """

    elf: Path | None = None
    mcu: str = ""
    strict: bool = True
    uninitialized: bool = False
    hse: bool = True
    pll: bool = True
    overdrive: bool = True

    @property
    def absent(self) -> frozenset[str]:
        """What never becomes ready."""
        return frozenset(name for name in ("hse", "pll", "overdrive") if not getattr(self, name))


CHOICES = [field.name for field in fields(Options)][2:]


def parse(url: str) -> tuple[str, Options]:
    """The name of the board that a URL means, and its options.

    `virtual://` is the board "default", `virtual://alice?hse=off` is "alice" without its HSE. In
    `elf=PATH`, %20 and the like stand for other characters. Raises VirtualError when the URL has
    another form, or an option that there is not.
    """
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
    given = [part.partition("=")[::2] for part in parts.query.split("&") if part]
    return name, Options(**{option: _value(option, unquote(text), url) for option, text in given})


def _value(option: str, text: str, url: str) -> Any:
    if option == "elf" and text:
        return Path(text).expanduser()
    if option == "mcu" and text:
        return text
    values = VALUES.get(option, SWITCH)
    if option not in CHOICES or text not in values:
        known = [f"{name}={'|'.join(VALUES.get(name, SWITCH))}" for name in CHOICES]
        raise VirtualError(
            f"{url!r} asks for {option}={text}, which a virtual board does not have.",
            f"The options are {', '.join(['elf=PATH', 'mcu=NAME', *known])}.",
            "Write virtual://name?option=value, and & between two options.",
        )
    return values[text]
