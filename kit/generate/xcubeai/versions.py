"""Which version of ST's tool it is, as it says itself, and what follows from the version.

X-CUBE-AI up to 8.1 brings `stm32ai`; from 9.0 on it is `stedgeai`, called ST Edge AI Core, which
counts its versions anew: Core 1.0 is X-CUBE-AI 9.1, Core 2.2 is 10.2, Core 4.0 is 12.0.
"""

import re
from dataclasses import dataclass

CORE = "ST Edge AI Core"
STM32AI = "stm32ai"
OLDEST = (7, 1)
"""The first X-CUBE-AI whose generated C has the API that firmware/engine knows as "legacy"."""

NEWEST_KNOWN_CORE = 4
_CORE = re.compile(r"ST ?Edge ?AI ?Core v(\d+(?:\.\d+)+)(\S*(?: [0-9a-f]{9,})?)")
_STM32AI = re.compile(r"\((?:stm\.ai|AI tools) v(\d+(?:\.\d+)+)([^)]*)\)", re.IGNORECASE)
_RUNTIME = re.compile(r"STM32CubeAI (\d+(?:\.\d+)+)")
_LIBRARY = re.compile(r"NetworkRuntime(\d+)(\d)(\d)_")


@dataclass(frozen=True)
class Version:
    """A version of the tool. `text` is the whole of it, such as "4.0.1-20581 7ed50de05"."""

    tool: str
    number: tuple[int, ...]
    text: str
    cube: tuple[int, int] | None
    """The X-CUBE-AI it belongs to, by which the runtime library is named; None: not known."""

    def __str__(self) -> str:
        return f"{self.tool} {self.text}"

    @property
    def is_core(self) -> bool:
        """Whether it is `stedgeai`, not the older `stm32ai`."""
        return self.tool == CORE

    @property
    def too_old(self) -> bool:
        """Whether its generated C is older than both APIs that the firmware has an adapter for."""
        return self.cube is not None and self.cube < OLDEST


def numbers(text: str) -> tuple[int, ...]:
    """The numbers of a dotted version: "10.2.0" is (10, 2, 0)."""
    return tuple(map(int, re.findall(r"\d+", text)))


def parse(text: str) -> Version | None:
    """The version in what `--version` prints, or in the first lines of a report.

    Returns:
        None where no known banner is found.
    """
    runtime = _RUNTIME.search(text)
    cube = numbers(runtime[1])[:2] if runtime else None
    if found := _CORE.search(text):
        return of_core(found[1], found[2], cube)
    if found := _STM32AI.search(text):
        return of(STM32AI, found[1] + found[2])
    return None


def of(tool: str, text: str) -> Version:
    """A version from its tool's name and its own text, such as "8.1.0-19520"."""
    dotted = re.match(r"[\d.]*", text)
    assert dotted is not None
    if tool == CORE:
        return of_core(dotted[0], text[dotted.end() :])
    number = numbers(dotted[0])
    return Version(tool, number, text, (number[0], number[1]))


def of_core(dotted: str, rest: str = "", cube: tuple[int, ...] | None = None) -> Version:
    """A version of ST Edge AI Core from its number and what follows it."""
    number = numbers(dotted)
    pair = (cube[0], cube[1]) if cube else _cube(number[0], number[1])
    return Version(CORE, number, dotted + rest, pair)


def _cube(major: int, minor: int) -> tuple[int, int] | None:
    """X-CUBE-AI's number for one of ST Edge AI Core's."""
    if major == 1:
        return 9, minor + 1
    if 2 <= major <= NEWEST_KNOWN_CORE:
        return major + 8, minor
    return (9, minor) if major == 9 else None  # the first Core still counted as X-CUBE-AI did


def library_version(name: str) -> tuple[int, int] | None:
    """The X-CUBE-AI that a library's name carries: NetworkRuntime1020_CM4_GCC.a is (10, 2)."""
    found = _LIBRARY.match(name)
    return (int(found[1]), int(found[2])) if found else None
