"""What this computer has for the course: found, or how to get it."""

import importlib.metadata
import platform
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
from rich.table import Table
from rich.text import Text

from kit.errors import KitError
from kit.paths import ROOT, build_folder
from kit.programs import find_program, run_program, system

GIGABYTE = 1_000_000_000

INSTALL = "python3 workshop.py doctor (it installs what is locked)"


@dataclass(frozen=True)
class Check:
    """One thing looked for. `detail` is its version and place, or what is wrong."""

    name: str
    found: bool
    detail: str
    needed: str  # "required" or "optional"
    how_to_get: str


class Examination(list[Check]):
    """All checks; shows as a table in a notebook and with rich's `print`."""

    @property
    def ready(self) -> bool:
        """Whether everything that is required was found."""
        return all(check.found for check in self if check.needed == "required")

    def as_dict(self) -> dict[str, Any]:
        """For JSON: {"ready": bool, "checks": [{"name", "found", "detail", ...}]}."""
        return {"ready": self.ready, "checks": [asdict(check) for check in self]}

    def rows(self) -> list[tuple[str, str, str]]:
        """What, whether it was found, and its detail or how to get it."""
        return [(check.name, _verdict(check), _remark(check)) for check in self]

    def __rich__(self) -> Table:
        table = Table("what", "found", "", title="What this computer has")
        for row in self.rows():
            table.add_row(*map(Text, row))
        return table

    def _repr_html_(self) -> str:
        left = 'style="text-align:left"'
        heads = "".join(f"<th {left}>{text}</th>" for text in ("what", "found", ""))
        lines = ("".join(f"<td {left}>{escape(text)}</td>" for text in row) for row in self.rows())
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        return f"<table><tr>{heads}</tr>{body}</table>"

    def __repr__(self) -> str:
        return "\n".join(": ".join(row) for row in self.rows())


def examine(board_url: str | None = None) -> Examination:
    """Look for everything the course can use; changes nothing and needs no network.

    Args:
        board_url: also greet the board there, for example "virtual://" or "COM5".
    """
    looks = [python, packages, compiler, *_build_tools(), virtual_board, board_on_usb, board_drive]
    looks += [flashing_tools, st_edge_ai, gnu_compiler, chromium, memory, disk]
    checks = Examination(look() for look in looks)
    if board_url is not None:
        checks.append(board(board_url))
    return checks


def _verdict(check: Check) -> str:
    if check.found:
        return "yes"
    return "MISSING" if check.needed == "required" else "no (optional)"


def _remark(check: Check) -> str:
    texts = [check.detail] if check.found else [check.detail, check.how_to_get]
    return ". ".join(text for text in texts if text)


def python() -> Check:
    """Python 3.11 to 3.13, and whether it is the one of .venv."""
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    place = short(Path(sys.prefix)) if sys.prefix != sys.base_prefix else "no virtual environment"
    detail = f"{platform.python_version()}, {place}"
    return Check("Python 3.11 to 3.13", good, detail, "required", "Get it from python.org")


def packages() -> Check:
    """Every dependency of pyproject.toml is installed, in the version of requirements.lock."""
    missing, different = compare_packages(dependencies(), locked_versions())
    found = f"{len(dependencies())} packages"
    if different:
        found += f", other than in requirements.lock: {', '.join(different)}"
    detail = f"missing: {', '.join(missing)}" if missing else found
    return Check("Python packages", not missing, detail, "required", INSTALL)


def compare_packages(
    names: Iterable[str], locked: dict[str, set[str]]
) -> tuple[list[str], list[str]]:
    """The names that are not installed, and "name version" of those that are not locked so."""
    missing, different = [], []
    for name in names:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if version not in locked.get(name, {version}):
            different.append(f"{name} {version}")
    return missing, different


def dependencies() -> list[str]:
    """The names in pyproject.toml's [project] dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in project["dependencies"]]


def locked_versions() -> dict[str, set[str]]:
    """The versions of each package in requirements.lock: some differ between Pythons."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE):
        versions.setdefault(name, set()).add(version)
    return versions


def compiler() -> Check:
    """zig, which comes as a Python package."""
    version = _printed([sys.executable, "-m", "ziglang", "version"])
    return Check("C compiler (zig)", bool(version), version, "required", INSTALL)


def _build_tools() -> list[Callable[[], Check]]:
    return [
        lambda: _program("CMake", ["cmake"], "required", INSTALL),
        lambda: _program("Ninja", ["ninja"], "required", INSTALL),
    ]


def virtual_board() -> Check:
    """Unicorn, the CPU of the virtual NUCLEO-F446RE, can be loaded."""
    try:
        import_module("unicorn")
    except (ImportError, OSError) as error:
        return Check("virtual board (Unicorn)", False, str(error), "required", INSTALL)
    detail = f"{importlib.metadata.version('unicorn')}, at virtual://"
    return Check("virtual board (Unicorn)", True, detail, "required", INSTALL)


def board_on_usb() -> Check:
    """The ST-LINKs that have a serial port."""
    from kit.board.probes import PLUG_IN, find_probes

    found = ", ".join(f"{probe.board} at {probe.port}" for probe in find_probes())
    detail = found or "no serial port of an ST-LINK"
    return Check("board on USB (ST-LINK)", bool(found), detail, "optional", PLUG_IN[system()])


def board_drive() -> Check:
    """The drive that a NUCLEO shows; a .bin copied there is flashed."""
    from kit.board.probes import probe_drives
    from kit.boards import DEFAULT

    places = [drive.path for drive in probe_drives()]
    detail = ", ".join(map(str, places))
    how = f"Plug in a {DEFAULT.board}: it shows as the drive {DEFAULT.drive}"
    return Check("drive of the board", bool(places), detail, "optional", how)


def flashing_tools() -> Check:
    """Programs that can flash a board, the preferred one first; the drive needs none of them."""
    from kit.board.flashing.tools import installed

    how = "Not needed while the board shows a drive; else install STM32CubeProgrammer"
    found = installed()
    words = [(tool.name, _number(path), short(path)) for tool, path in found]
    detail = ", ".join(" ".join(filter(None, parts)) for parts in words)
    return Check("flashing tools", bool(found), detail, "optional", how)


def st_edge_ai() -> Check:
    """ST's generator (X-CUBE-AI): which one is used and its version, or where it was looked for."""
    from kit.generate.xcubeai import ask_tool, look

    name = "X-CUBE-AI (ST Edge AI)"
    how = "Get ST Edge AI Core from st.com and set STEDGEAI_CORE_DIR to its folder"
    search = look()
    if not search.tools:
        places = ", ".join(search.places)
        return Check(name, False, f"looked at {places}", "optional", how)
    tool, others = search.tools[0], search.tools[1:]
    try:
        version = str(ask_tool(tool)[0])
    except KitError as error:
        return Check(name, False, f"{short(tool.program)}: {error.why}", "optional", how)
    detail = f"{version}, {short(tool.program)} (by {tool.place})"
    also = "".join(f"; also {short(other.program)}" for other in others)
    return Check(name, True, detail + also, "optional", "")


def gnu_compiler() -> Check:
    """arm-none-eabi-gcc: on PATH, or where an installer puts it."""
    from kit.compile.toolchain import GET_GCC, find_gcc

    how = f"Only X-CUBE-AI and `kit build --compiler gcc` need it: {GET_GCC[system()]}"
    path = find_gcc()
    detail = f"{_number(path)} {short(path)}".strip() if path else ""
    return Check("arm-none-eabi-gcc", bool(path), detail, "optional", how)


def chromium() -> Check:
    """A browser for the test of the drawing pad."""
    names = ["chromium", "chromium-browser", "google-chrome", "chrome"]
    how = "Only the browser test uses it: install Chromium or Google Chrome"
    return _program("Chromium", names, "optional", how)


def memory() -> Check:
    """4 GB of memory: TensorFlow's training and converter fit."""
    size = psutil.virtual_memory().total / GIGABYTE
    return Check("4 GB of memory", size >= 4, f"{size:.0f} GB", "optional", "Close other programs")


def disk() -> Check:
    """1 GB free where build/ is, which can be written."""
    try:
        folder = build_folder()
    except KitError as error:
        return Check("1 GB of disk", False, error.what, "required", error.next_step)
    free = shutil.disk_usage(folder).free / GIGABYTE
    enough = free >= 1  # the exact number would differ at each look
    detail = f"{'enough' if enough else f'{free:.1f} GB'} free in {short(folder)}"
    return Check("1 GB of disk", enough, detail, "required", "Free some space on this disk")


def board(url: str) -> Check:
    """The board at a URL answers."""
    from kit.board import Board

    try:
        with Board(url) as there:
            detail = str(there.hello())
    except KitError as error:
        return Check(f"board at {url}", False, error.what, "required", error.next_step)
    return Check(f"board at {url}", True, detail, "required", "")


def _program(name: str, candidates: list[str], needed: str, how: str) -> Check:
    found = [path for candidate in candidates if (path := find_program(candidate, beside=True))]
    detail = ", ".join(f"{_number(path)} {short(path)}".strip() for path in found)
    return Check(name, bool(found), detail, needed, how)


def _number(program: Path) -> str:
    """The first thing like a version in what `--version` prints."""
    found = re.search(r"\d+(\.\d+)+", _printed([str(program), "--version"]))
    return found.group() if found else ""


def _printed(command: list[str]) -> str:
    """What a program prints; nothing when it fails or hangs."""
    done = run_program(command, 20)
    return "" if done.code or done.trouble else done.printed.strip()


def short(path: Path) -> str:
    """A path from the project's folder, or from the home folder, where it lies in one of them."""
    for base, sign in ((ROOT, "."), (Path.home(), "~")):
        if path.is_relative_to(base):
            return str(sign / path.relative_to(base))
    return str(path)
