"""Finding ST's tool: a place that is named, then PATH, then where its installers put it.

The order, and within a place the newest version first: the setting given, the variables that ST's
documents and users name (VARIABLES), PATH, the folders of ST Edge AI Core's installer (HOMES) and
the packs of STM32CubeMX (PACKS), in its standard repository and the one that was chosen in it.
"""

import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kit.errors import KitError
from kit.generate.xcubeai.versions import numbers

PROGRAMS = ("stedgeai", "stm32ai")
HOW_TO_GET = (
    "Get ST Edge AI Core from st.com and set STEDGEAI_CORE_DIR to its folder, or give a zip from "
    "ST Edge AI Developer Cloud with --from-zip. Without ST's tool the portable engine does the "
    "same: leave out --engine."
)
VARIABLES = ("STEDGEAI_CORE_DIR", "STEDGEAI_PATH", "X_CUBE_AI_DIR", "STM32_AI_EXE", "STM_AI_EXE")
OF_USER = ("~/ST", "~", "~/STMicroelectronics", "~/opt/ST")
HOMES = {
    "Windows": (*(f"{drive}:/ST" for drive in "CDEFGH"), *OF_USER),
    "Darwin": ("/Applications/ST", "/Applications", "/opt/ST", *OF_USER),
    "Linux": ("/opt/ST", "/opt", *OF_USER),
}
"""Where folders such as STEdgeAI, STEdgeAI_v2 and stedgeai-windows-4.0 lie."""
REPOSITORY = "~/STM32Cube/Repository"
PACKS = ("Packs/STMicroelectronics/X-CUBE-AI", "STMicroelectronics/X-CUBE-AI")
"""Within a repository of STM32CubeMX; the second as older versions had it."""
UPDATER = ".stm32cubemx/plugins/updater/updater.ini"
FOLDERS = {"Windows": ("windows",), "Darwin": ("mac",), "Linux": ("linux",)}
APPLE_SILICON = ("macarm", "mac")


@dataclass(frozen=True)
class Tool:
    """An executable of ST's, and the installation it belongs to.

    `root` is the folder that holds Utilities and Middlewares, or None: the program works without,
    but there is no runtime to link then. `place` says by what it was found.
    """

    program: Path
    root: Path | None
    place: str


@dataclass(frozen=True)
class Look:
    """A place that was looked at, and what was there; "" for nothing."""

    place: str
    found: str


@dataclass(frozen=True)
class Search:
    """All tools found, the preferred one first, and every place that was looked at."""

    tools: tuple[Tool, ...]
    looks: tuple[Look, ...]

    def __str__(self) -> str:
        return "; ".join(f"{look.place}: {look.found or 'nothing'}" for look in self.looks)


def find_tool(setting: str | Path | None = None) -> Tool:
    """The tool to use.

    Args:
        setting: the program, or a folder of an installation; it is used or refused, and nothing
            else is looked at.

    Raises:
        KitError: there is none; the error lists where it was looked for.
    """
    search = look(setting)
    if search.tools:
        return search.tools[0]
    what = f"There is no tool of ST at {setting}." if setting else "ST's tool was not found."
    raise KitError(what, f"Looked at {search}.", HOW_TO_GET)


def look(
    setting: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
    home: Path | None = None,
    system: str | None = None,
) -> Search:
    """Look everywhere; runs nothing. The last three arguments are for tests.

    Args:
        setting: as in `find`: the only place then.
        environment: instead of the variables of this process.
        home: instead of this user's home folder.
        system: "Windows", "Darwin" or "Linux", instead of this computer's.
    """
    eyes = _Eyes(
        os.environ if environment is None else environment,
        home or Path.home(),
        system or platform.system(),
    )
    places = [("the setting", Path(setting))] if setting else list(eyes.places())
    tools: list[Tool] = []
    looks: list[Look] = []
    for place, path in places:
        found = eyes.inside(path) if path else None
        looks.append(Look(place, str(found or "")))
        if found and found not in [tool.program for tool in tools]:
            tools.append(Tool(found, _root(found), place))
    return Search(tuple(tools), tuple(looks))


def _root(program: Path) -> Path | None:
    """The folder above the program that holds Middlewares, which is what it was installed with."""
    above = program.resolve().parents
    return next((folder for folder in above if (folder / "Middlewares").is_dir()), None)


class _Eyes:
    """One look around on a system."""

    def __init__(self, environment: Mapping[str, str], home: Path, system: str) -> None:
        self.environment = environment
        self.home = home
        self.system = system if system in HOMES else "Linux"
        arm = self.system == "Darwin" and platform.machine() == "arm64"
        self.folders = APPLE_SILICON if arm else FOLDERS[self.system]

    def places(self) -> Iterator[tuple[str, Path | None]]:
        """Each place's name, and what to look into there, in the order of preference."""
        for name in VARIABLES:
            value = self.environment.get(name, "").strip(" \"'")
            yield (f"{name}={value}", Path(value)) if value else (name, None)
        for program in PROGRAMS:
            place = shutil.which(program, path=self.environment.get("PATH", ""))
            yield f"{program} on PATH", Path(place) if place else None
        installed = [
            f"{home}/{folder.name}"
            for home in HOMES[self.system]
            for folder in _newest_first(self._path(home))
            if re.match("st_?edge_?ai", folder.name, re.IGNORECASE)
        ]
        packs = [f"{place}/{pack}" for place in self._repositories() for pack in PACKS]
        for name in (*installed, *packs):
            folder = self._path(name)
            versions = _newest_first(folder)
            yield from ((f"{name}/{version.name}", version) for version in versions)
            if not versions:
                yield name, None
        if not installed:
            yield f"STEdgeAI in {', '.join(HOMES[self.system])}", None

    def _path(self, name: str) -> Path:
        return Path(name.replace("~", str(self.home), 1))

    def _repositories(self) -> Iterator[str]:
        """Where STM32CubeMX keeps packs: for this user, for all of a Windows computer, and where
        it was told to."""
        yield REPOSITORY
        if self.system == "Windows":
            yield REPOSITORY.replace("~", self.environment.get("PUBLIC", "C:/Users/Public"))
        try:
            settings = (self.home / UPDATER).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        chosen = re.search(r"^\s*RepositoryPath\s*=\s*(\S.*?)[\s/]*$", settings, re.MULTILINE)
        if chosen:
            yield chosen[1].replace("\\\\", "/").replace("\\:", ":")

    def inside(self, path: Path) -> Path | None:
        """The program at `path`: itself, or in an installation there or one folder below; `path`
        may also be the installation's Utilities, or the folder for this system in it."""
        if path.is_file():
            return path.absolute()
        within = tuple(f"Utilities/{one}" for one in self.folders)
        folders: tuple[str, ...] = (*within, *self.folders, "")
        for root in (path, *_newest_first(path)):
            for folder in folders:
                for name in self._file_names():
                    if (program := root / folder / name).is_file():
                        return program.absolute()
        return None

    def _file_names(self) -> list[str]:
        endings = (".exe", ".cmd") if self.system == "Windows" else ("",)
        return [name + ending for name in PROGRAMS for ending in endings]


def _newest_first(folder: Path) -> list[Path]:
    """The folders in a folder, by the numbers in their names."""
    try:
        inside = [path for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return []
    return sorted(inside, key=lambda path: (numbers(path.name), path.name), reverse=True)
