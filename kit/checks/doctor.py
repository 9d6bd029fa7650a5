"""What this computer has for the course: found, or how to get it."""

import importlib
import importlib.metadata
import platform
import re
import shutil
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from kit.boards import DEFAULT
from kit.errors import KitError
from kit.paths import ROOT, build_folder
from kit.programs import find_program, run_program, system
from kit.tables import Table

GIGABYTE = 1_000_000_000
INSTALL = "python3 workshop.py doctor (it installs what is locked)"
PLUG_IN = f"Plug in a {DEFAULT.board}: it shows as the drive {DEFAULT.drive}"
NO_TOOL = "Not needed while the board shows a drive; else install STM32CubeProgrammer"
GET_ST_EDGE_AI = "Get ST Edge AI Core from st.com and set STEDGEAI_CORE_DIR to its folder"
NO_BROWSER = "Only the browser test uses it: install Chromium or Google Chrome"
ZIG = (sys.executable, "-m", "ziglang", "version")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")  # for the drawing pad's test
REQUIRED, OPTIONAL = "required", "optional"


@dataclass(frozen=True)
class Check:
    """One thing looked for. `detail` is its version and place, or what is wrong; `needed` is
    REQUIRED or OPTIONAL."""

    name: str
    found: bool
    detail: str
    needed: str
    how_to_get: str


@dataclass(frozen=True)
class Examination:
    """All checks; a notebook shows them as a table."""

    checks: tuple[Check, ...]

    @property
    def ready(self) -> bool:
        """Whether everything that is required was found."""
        return all(check.found for check in self.checks if check.needed == REQUIRED)

    def table(self) -> Table:
        """What, whether it was found, and its detail or how to get it."""
        lacks = {REQUIRED: "MISSING", OPTIONAL: "no (optional)"}
        rows = []
        for one in self.checks:
            remarks = [one.detail] if one.found else [one.detail, one.how_to_get]
            verdict = "yes" if one.found else lacks[one.needed]
            rows.append([one.name, verdict, ". ".join(filter(None, remarks))])
        return Table(["what", "found", ""], rows, [False] * 3, "What this computer has")

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def examine(board_url: str | None = None) -> Examination:
    """Look for everything the course can use; changes nothing and needs no network. With
    `board_url`, such as "virtual://" or "COM5", also greet the board there."""
    checks = [look_for(name) for name in CHECKS]
    if board_url is not None:
        checks.append(_check(f"board at {board_url}", REQUIRED, lambda: _greeted(board_url)))
    return Examination(tuple(checks))


def look_for(name: str) -> Check:
    """One of CHECKS, by its name."""
    return _check(name, *CHECKS[name])


def _check(name: str, needed: str, look: Callable[[], str], how_to_get: str = "") -> Check:
    """A look gives what it found, in words; nothing, or an error that says what is wrong, where it
    found nothing."""
    try:
        detail = look()
    except KitError as error:
        return Check(name, False, error.what, needed, error.next_step or how_to_get)
    except (ImportError, OSError) as error:
        return Check(name, False, str(error), needed, how_to_get)
    return Check(name, bool(detail), detail, needed, how_to_get)


def _enough(good: bool, detail: str) -> str:
    if not good:
        raise KitError(detail)
    return detail


def _python() -> str:
    place = short(Path(sys.prefix)) if sys.prefix != sys.base_prefix else "no virtual environment"
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return _enough(good, f"{platform.python_version()}, {place}")


def _packages() -> str:
    """A package in another version than locked, as conda installs it, is only named."""
    names, locked = dependencies(), locked_versions()
    missing, different = [], []
    for name in names:
        try:
            version = importlib.metadata.version(name)
            if version not in locked.get(name, {version}):
                different.append(f"{name} {version}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        raise KitError(f"missing: {', '.join(missing)}")
    other = f", other than in requirements.lock: {', '.join(different)}" if different else ""
    return f"{len(names)} packages{other}"


def project() -> Any:
    """What pyproject.toml says under [project]."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def dependencies() -> list[str]:
    """The names of the packages that the course needs."""
    return [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in project()["dependencies"]]


def locked_versions() -> dict[str, set[str]]:
    """The versions of each package in requirements.lock: some differ between Pythons."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE):
        versions.setdefault(name, set()).add(version)
    return versions


def _unicorn() -> str:
    importlib.import_module("unicorn")
    return f"{importlib.metadata.version('unicorn')}, at virtual://"


def _board_on_usb() -> str:
    from kit.board import probes

    if found := probes.find_probes():
        return ", ".join(f"{probe.board} at {probe.port}" for probe in found)
    raise KitError("no serial port of an ST-LINK", next_step=probes.PLUG_IN)


def _board_drive() -> str:
    from kit.board.probes import probe_drives

    return ", ".join(str(drive.path) for drive in probe_drives())


def _flashing_tools() -> str:
    """The preferred one first; the drive needs none of them."""
    from kit.board.flashing.tools import installed

    return ", ".join(f"{tool.name} {_program(path)}" for tool, path in installed())


def _st_edge_ai() -> str:
    """Which one is used and its version, or where it was looked for."""
    from kit.generate.xcubeai import ask_tool, look

    search = look()
    if not search.tools:
        raise KitError(f"looked at {', '.join(search.places)}")
    used, *others = search.tools
    try:
        detail = f"{ask_tool(used)[0]}, {short(used.program)} (by {used.place})"
    except KitError as error:
        raise KitError(f"{short(used.program)}: {error.why}") from error
    return "; also ".join([detail, *(short(other.program) for other in others)])


def _gnu_compiler() -> str:
    from kit.compile.toolchain import GET_GCC, find_gcc

    if path := find_gcc():
        return _program(path)
    needs = "Only X-CUBE-AI and `kit build --compiler gcc` need it"
    raise KitError("", next_step=f"{needs}: {GET_GCC[system()]}")


def _memory() -> str:
    size = psutil.virtual_memory().total / GIGABYTE
    return _enough(size >= 4, f"{size:.0f} GB")


def _disk() -> str:
    folder = build_folder()
    free = shutil.disk_usage(folder).free / GIGABYTE
    _enough(free >= 1, f"{free:.1f} GB free in {short(folder)}")
    return f"enough free in {short(folder)}"  # the exact number would differ at each look


def _greeted(url: str) -> str:
    from kit.board import Board

    with Board(url) as there:
        return str(there.hello())


def _programs(*names: str) -> str:
    found = (find_program(name, beside=True) for name in names)
    return ", ".join(_program(path) for path in found if path)


def _program(path: Path) -> str:
    """The first thing like a version in what `--version` prints, and the place."""
    version = re.search(r"\d+(\.\d+)+", _printed(path, "--version"))
    return f"{version.group()} {short(path)}" if version else short(path)


def _printed(*command: str | Path) -> str:
    """What a program prints; nothing when it fails or hangs."""
    done = run_program(command, 20)
    return "" if done.code or done.trouble else done.printed.strip()


def short(path: Path) -> str:
    """A path from the project's folder, or from the home folder, where it lies in one of them."""
    for base, sign in ((ROOT, "."), (Path.home(), "~")):
        if path.is_relative_to(base):
            return str(sign / path.relative_to(base))
    return str(path)


CHECKS: dict[str, tuple[str, Callable[[], str], str]] = {
    "Python 3.11 to 3.13": (REQUIRED, _python, "Get it from python.org"),
    "Python packages": (REQUIRED, _packages, INSTALL),
    "C compiler (zig)": (REQUIRED, lambda: _printed(*ZIG), INSTALL),
    "CMake": (REQUIRED, lambda: _programs("cmake"), INSTALL),
    "Ninja": (REQUIRED, lambda: _programs("ninja"), INSTALL),
    "virtual board (Unicorn)": (REQUIRED, _unicorn, INSTALL),
    "board on USB (ST-LINK)": (OPTIONAL, _board_on_usb, ""),
    "drive of the board": (OPTIONAL, _board_drive, PLUG_IN),
    "flashing tools": (OPTIONAL, _flashing_tools, NO_TOOL),
    "X-CUBE-AI (ST Edge AI)": (OPTIONAL, _st_edge_ai, GET_ST_EDGE_AI),
    "arm-none-eabi-gcc": (OPTIONAL, _gnu_compiler, ""),
    "Chromium": (OPTIONAL, lambda: _programs(*BROWSERS), NO_BROWSER),
    "4 GB of memory": (OPTIONAL, _memory, "Close other programs"),
    "1 GB of disk": (REQUIRED, _disk, "Free some space on this disk"),
}
"""Whether it is needed, the look for it, and how to get it where the look does not tell."""
