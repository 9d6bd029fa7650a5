"""Which version of ST's tool it is, as it says itself, and what follows from the version.

X-CUBE-AI up to 8.1 brings `stm32ai`; from 9.0 on it is `stedgeai`, called ST Edge AI Core, which
counts its versions anew (CUBES).
"""

import re
from dataclasses import dataclass

from kit.boards import MCUS
from kit.errors import KitError

CORE = "ST Edge AI Core"
OLDEST = (7, 1)  # the first X-CUBE-AI whose C has the API that firmware/engine calls "legacy"
CUBES: dict[tuple[int, ...], tuple[int, ...]] = {  # of each known Core; 9.0 still counted so
    (1, 0): (9, 1), (2, 0): (10, 0), (2, 1): (10, 1), (2, 2): (10, 2), (3, 0): (11, 0),
    (4, 0): (12, 0), (9, 0): (9, 0),
}  # fmt: skip
AGAIN = (
    "Generate again into an empty folder, or download the zip again. If it stays so, the kit does "
    "not know this version: use ST Edge AI Core 1.0 to 4.0, or the portable engine."
)
BOARDS = f"your board or one of its series ({', '.join(mcu.board for mcu in MCUS.values())})"
FOR_BOARD = f"Generate for your board's chip; in ST Edge AI Developer Cloud choose {BOARDS}."
SAME_ROOT = (
    f"Install one version whole (its folder holds Utilities and Middlewares), or choose {BOARDS} "
    "in ST Edge AI Developer Cloud and download the zip again; and generate again: ST promises no "
    "compatibility between the files of two versions."
)
_BANNERS = {
    CORE: re.compile(r"ST ?Edge ?AI ?Core v(\d+(?:\.\d+)+\S*(?: [0-9a-f]{9,})?)"),
    "stm32ai": re.compile(r"\((?:stm\.ai|AI tools) v(\d+(?:\.\d+)+[^)]*)\)", re.IGNORECASE),
}


@dataclass(frozen=True)
class Version:
    """A version of `tool` (CORE or "stm32ai"), whose `text` is such as "4.0.1-20581 7ed50de05";
    `told_cube` is the X-CUBE-AI that it says it belongs to, where it says one."""

    tool: str
    text: str
    told_cube: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return f"{self.tool} {self.text}"

    @property
    def number(self) -> tuple[int, ...]:
        """Without what follows the number: (4, 0, 1)."""
        return numbers(re.split(r"[^\d.]", self.text)[0])

    @property
    def cube(self) -> tuple[int, ...] | None:
        """The X-CUBE-AI by which the runtime library is named; None: not known."""
        return self.told_cube or (
            CUBES.get(self.number[:2]) if self.tool == CORE else self.number[:2]
        )

    def check_age(self) -> None:
        """Raise KitError where the firmware has no adapter for the API of its C."""
        if self.cube and self.cube < OLDEST:
            raise KitError(
                f"{self} is too old.",
                "Its generated C has an older API than that of X-CUBE-AI 7.1.",
                "Install ST Edge AI Core from st.com, or use ST Edge AI Developer Cloud, and "
                "generate again.",
            )

    def check_header(self, text: str, name: str, may_be_silent: bool = False) -> None:
        """Raise KitError unless the header `name` of ST's says that it is of this version."""
        told = re.findall(r"define\s+(?:ST)?AI_TOOLS_VERSION_(?:MAJOR|MINOR)\s+\(?(\d+)", text)
        if (told or not may_be_silent) and tuple(map(int, told)) != self.number[:2]:
            raise self.differs(f"{name} of {'.'.join(told) or 'none'}")

    def differs(self, other: str) -> KitError:
        """The error for a file, `other`, of another version."""
        return KitError(
            f"Generated code and runtime are of two versions: {self} and {other}.",
            "Linked together they may give wrong answers without a word.",
            SAME_ROOT,
        )


def numbers(text: str) -> tuple[int, ...]:
    """The numbers in a text: "10.2.0" has (10, 2, 0)."""
    return tuple(map(int, re.findall(r"\d+", text)))


def version_in(text: str) -> Version | None:
    """The version in what `--version` prints or in a report; None where no banner is known."""
    for tool, banner in _BANNERS.items():
        if found := banner.search(text):
            cube = re.search(r"STM32CubeAI (\d+\.\d+)", text) if tool == CORE else None
            return Version(tool, found[1], numbers(cube[1]) if cube else None)
    return None


def library_version(name: str) -> tuple[int, ...] | None:
    """The X-CUBE-AI that a library's name carries: NetworkRuntime1020_CM4_GCC.a is (10, 2)."""
    found = re.match(r"NetworkRuntime(\d+)(\d)\d_", name)
    return (int(found[1]), int(found[2])) if found else None
