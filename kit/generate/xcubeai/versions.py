"""Which version of ST's tool it is, as it says itself, and what follows from the version.

X-CUBE-AI up to 8.1 brings `stm32ai`; from 9.0 on it is `stedgeai`, called ST Edge AI Core, which
counts its versions anew: Core 1.0 is X-CUBE-AI 9.1, Core 2.2 is 10.2, Core 4.0 is 12.0.
"""

import re
from dataclasses import dataclass

from kit.errors import KitError

CORE = "ST Edge AI Core"
STM32AI = "stm32ai"
OLDEST = (7, 1)
"""The first X-CUBE-AI whose generated C has the API that firmware/engine knows as "legacy"."""

SAME_ROOT = (
    "Install one version whole (its folder holds Utilities and Middlewares), or download the zip "
    "again, and generate again: ST promises no compatibility between the files of two versions."
)
CUBES = {(1, 0): (9, 1), (2, 0): (10, 0), (2, 1): (10, 1), (2, 2): (10, 2), (3, 0): (11, 0),
         (4, 0): (12, 0), (9, 0): (9, 0)}  # fmt: skip
"""X-CUBE-AI's number for each ST Edge AI Core that is known; the first still counted as it did."""

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
        return of(CORE, found[1] + found[2], cube)
    if found := _STM32AI.search(text):
        return of(STM32AI, found[1] + found[2])
    return None


def of(tool: str, text: str, cube: tuple[int, ...] | None = None) -> Version:
    """A version from its tool's name and its own text, such as "8.1.0-19520".

    Args:
        tool: CORE or STM32AI.
        text: the version, with what follows its number.
        cube: the X-CUBE-AI it belongs to, where that was read.
    """
    dotted = re.match(r"[\d.]*", text)
    assert dotted is not None
    number = numbers(dotted[0])
    if tool == CORE:
        pair = (cube[0], cube[1]) if cube else CUBES.get((number[0], number[1]))
        return Version(tool, number, text, pair)
    return Version(tool, number, text, (number[0], number[1]))


def check_age(version: Version) -> None:
    """Raise KitError for a version whose C has an API that the firmware has no adapter for."""
    if version.too_old:
        raise KitError(
            f"{version} is too old.",
            "Its generated C has an older API than that of X-CUBE-AI 7.1.",
            "Install ST Edge AI Core from st.com, or use ST Edge AI Developer Cloud, and generate "
            "again.",
        )


def two_versions(version: Version, other: str) -> KitError:
    """The error for a file, `other`, of another version than `version`."""
    return KitError(
        f"Generated code and runtime are of two versions: {version} and {other}.",
        "Linked together they may give wrong answers without a word.",
        SAME_ROOT,
    )


def library_version(name: str) -> tuple[int, int] | None:
    """The X-CUBE-AI that a library's name carries: NetworkRuntime1020_CM4_GCC.a is (10, 2)."""
    found = _LIBRARY.match(name)
    return (int(found[1]), int(found[2])) if found else None
