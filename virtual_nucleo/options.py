"""What a virtual:// URL means: `virtual://name?option=value&option=value`."""

import re
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from kit.errors import KitError

DEFAULT = "default"


@dataclass(frozen=True)
class Options:
    """How strict a virtual board is, and what on it is broken.

    `strict`: a program that breaks a rule of the chip is stopped with a fault; off, the chip goes
    on as silicon does, and the port's `complaints` have the sentences. `uninitialized`: "allow", or
    "refuse" to refuse loads from RAM that was never stored to. `hse`, `pll`, `overdrive`: off, that
    part never becomes ready.
    """

    strict: bool = True
    uninitialized: str = "allow"
    hse: bool = True
    pll: bool = True
    overdrive: bool = True

    @property
    def absent(self) -> frozenset[str]:
        """What never becomes ready."""
        return frozenset(name for name in ("hse", "pll", "overdrive") if not getattr(self, name))


def _values(option: str) -> dict[str, bool | str]:
    """What may be written for an option, and what it means."""
    if option == "uninitialized":
        return {"refuse": "refuse", "allow": "allow"}
    return {"on": True, "off": False}


NAMES = [field.name for field in fields(Options)]


def parse(url: str) -> tuple[str, Options]:
    """The name of the board that a URL means, and its options.

    `virtual://` is the board "default", `virtual://alice?hse=off` is "alice" without its HSE.

    Raises:
        KitError: the URL has another form, or an option that there is not.
    """
    parts = urlsplit(url)
    name = parts.netloc or DEFAULT
    extra = parts.path.strip("/") or parts.fragment
    if parts.scheme.lower() != "virtual" or extra or not re.fullmatch("[a-z0-9][a-z0-9_-]*", name):
        raise KitError(
            f"{url!r} is not the address of a virtual board.",
            "An address is virtual:// or virtual://name, where a name has small letters, digits, "
            "- and _, and options may follow: virtual://name?strict=off.",
            "Use virtual:// for the default board.",
        )
    return name, _options(parts.query, url)


def _options(query: str, url: str) -> Options:
    given = parse_qsl(query, keep_blank_values=True)
    for option, value in given:
        if option not in NAMES or value not in _values(option):
            known = ", ".join(f"{name}={'|'.join(_values(name))}" for name in NAMES)
            raise KitError(
                f"{url!r} asks for {option}={value}, which a virtual board does not have.",
                f"The options are {known}.",
                "Write virtual://name?option=value, and & between two options.",
            )
    chosen: dict[str, Any] = {option: _values(option)[value] for option, value in given}
    return Options(**chosen)
