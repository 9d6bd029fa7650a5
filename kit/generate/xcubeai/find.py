"""Finding ST's tool: at the setting given, or by the variables that ST and users name (VARIABLES),
on PATH, where its installer (HOMES) and STM32CubeMX (PACKS) put it, in this order, newest first."""

import os
import platform
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kit.errors import KitError
from kit.generate.xcubeai.versions import numbers
from kit.programs import find_program, system

PROGRAMS = ("stedgeai", "stm32ai")
HOW_TO_GET = (
    "Get ST Edge AI Core from st.com and set STEDGEAI_CORE_DIR to its folder, or give a zip from "
    "ST Edge AI Developer Cloud with --from-zip. Without ST's tool the portable engine does the "
    "same: leave out --engine."
)
VARIABLES = ("STEDGEAI_CORE_DIR", "STEDGEAI_PATH", "X_CUBE_AI_DIR", "STM32_AI_EXE", "STM_AI_EXE")
OF_USER = ("~/ST", "~", "~/STMicroelectronics", "~/opt/ST")
HOMES = {  # where folders such as STEdgeAI, STEdgeAI_v2 and stedgeai-windows-4.0 lie
    "Windows": (*(f"{drive}:/ST" for drive in "CDEFGH"), *OF_USER),
    "Darwin": ("/Applications/ST", "/Applications", "/opt/ST", *OF_USER),
    "Linux": ("/opt/ST", "/opt", *OF_USER),
}
REPOSITORY = "~/STM32Cube/Repository"
PACKS = ("Packs/STMicroelectronics/X-CUBE-AI", "STMicroelectronics/X-CUBE-AI")
UPDATER = "~/.stm32cubemx/plugins/updater/updater.ini"
FOLDERS = {"Windows": ["windows"], "Darwin": ["macarm", "mac"], "Linux": ["linux"]}


@dataclass(frozen=True)
class StTool:
    """An executable of ST's, found by `place`. `root` is the folder above it that holds Utilities
    and Middlewares, or None: there is no runtime to link then. `changed` is when it was, in
    nanoseconds: another one of this name is asked anew."""

    program: Path
    root: Path | None
    place: str
    changed: int = 0


@dataclass(frozen=True)
class Search:
    """All tools found, the preferred one first; and what was in each place, "" for nothing."""

    tools: tuple[StTool, ...]
    places: dict[str, str]


def find_tool(setting: str | Path | None = None) -> StTool:
    """The tool to use: the preferred one, or that at `setting`, a program or an installation.
    Raises KitError, with every place that was looked at, when there is none."""
    search = look(setting)
    if search.tools:
        return search.tools[0]
    what = f"There is no tool of ST at {setting}." if setting else "ST's tool was not found."
    places = (f"{place}: {found or 'nothing'}" for place, found in search.places.items())
    raise KitError(what, f"Looked at {'; '.join(places)}.", HOW_TO_GET)


def look(setting: str | Path | None = None) -> Search:
    """Look everywhere, or only at `setting`; runs nothing."""
    tools: dict[Path, StTool] = {}
    places: dict[str, str] = {}
    for place, path in [("the setting", Path(setting))] if setting else _places():
        found = _program_in(path) if path else None
        places[place] = str(found or "")
        if found:
            roots = (one for one in found.resolve().parents if (one / "Middlewares").is_dir())
            tools.setdefault(
                found, StTool(found, next(roots, None), place, found.stat().st_mtime_ns)
            )
    return Search(tuple(tools.values()), places)


def _places() -> Iterator[tuple[str, Path | None]]:
    """Each place's name, and what to look into there, in the order of preference."""
    for name in VARIABLES:
        value = os.environ.get(name, "").strip(" \"'")
        yield (f"{name}={value}", Path(value)) if value else (name, None)
    for program in PROGRAMS:
        yield f"{program} on PATH", find_program(program)
    homes = HOMES[system()]
    installed = [
        f"{home}/{folder.name}"
        for home in homes
        for folder in _newest_first(home)
        if re.match("st_?edge_?ai", folder.name, re.IGNORECASE)
    ]
    packs = [f"{repository}/{pack}" for repository in _repositories() for pack in PACKS]
    for place in (*installed, *packs):
        versions = _newest_first(place)
        yield from ((f"{place}/{version.name}", version) for version in versions)
        if not versions:
            yield place, None
    if not installed:
        yield f"STEdgeAI in {', '.join(homes)}", None


def _repositories() -> Iterator[str]:
    """Where STM32CubeMX keeps packs: for this user, for all, and where it was told to."""
    yield REPOSITORY
    if system() == "Windows":
        yield REPOSITORY.replace("~", os.environ.get("PUBLIC", "C:/Users/Public"))
    settings = ""
    with suppress(OSError):
        settings = Path(UPDATER).expanduser().read_text(encoding="utf-8", errors="replace")
    if chosen := re.search(r"^\s*RepositoryPath\s*=\s*(\S.*?)[\s/]*$", settings, re.MULTILINE):
        yield chosen[1].replace("\\\\", "/").replace("\\:", ":")


def _program_in(path: Path) -> Path | None:
    """The program at `path`: itself, or in an installation there or one folder below; `path` may
    also be the installation's Utilities, or the folder for this system in it."""
    if path.is_file():
        return path.absolute()
    folders = FOLDERS[system()] if platform.machine() == "arm64" else FOLDERS[system()][-1:]
    endings = (".exe", ".cmd") if system() == "Windows" else ("",)
    programs = (
        root / folder / f"{name}{ending}"
        for root in (path, *_newest_first(path))
        for folder in (*(f"Utilities/{one}" for one in folders), *folders, "")
        for name in PROGRAMS
        for ending in endings
    )
    return next((program.absolute() for program in programs if program.is_file()), None)


def _newest_first(folder: str | Path) -> list[Path]:
    """The folders in a folder, by the numbers in their names."""
    try:
        inside = [path for path in Path(folder).expanduser().iterdir() if path.is_dir()]
    except OSError:
        return []
    return sorted(inside, key=lambda path: (numbers(path.name), path.name), reverse=True)
