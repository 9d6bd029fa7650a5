"""Running ST's tool so that it can neither hang nor leave half a result.

It gets no keyboard (its question about statistics would wait for an answer for ever), a time limit
for it and everything it starts, and a work folder whose path is plain ASCII: Core 4.0.1 on Windows
crashes on others.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from kit.errors import KitError
from kit.generate.xcubeai.find import Tool
from kit.generate.xcubeai.refusals import explain
from kit.generate.xcubeai.versions import Version, check_age, parse
from kit.paths import build_folder
from kit.programs import end

SHORT = 120  # seconds for --version and --help: the tool unpacks itself when it starts
LIMITS = {"analyze": 600, "generate": 600, "validate": 3600}  # seconds
GRACE = 5  # seconds for the last lines, after the program ended
TARGET = "stm32f4"
FIRST_ST_AI = (2, 2)
"""The first ST Edge AI Core that can generate the st-ai API for an STM32F4."""

Watch = Callable[[str], None]
"""Is called with each line that the tool prints."""


def unwatched(_line: str) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Driven:
    """A tool that was asked for its version and its options."""

    tool: Tool
    version: Version
    options: frozenset[str]
    choices: dict[str, tuple[str, ...]]
    """For an option such as --compression: what it can be set to, from the tool's help."""


@dataclass(frozen=True)
class Job:
    """What a command left: its two folders, and everything it printed."""

    output: Path
    workspace: Path
    printed: str


def ask(tool: Tool) -> Driven:
    """Ask a tool for its version and options.

    Raises:
        KitError: it does not run, says nothing that is known, or is older than 7.1.
    """
    stamp = tool.program.stat().st_mtime_ns if tool.program.is_file() else 0
    return _ask(tool, stamp)


@cache
def _ask(tool: Tool, _stamp: int) -> Driven:
    version = version_of(tool)
    check_age(version)
    shown = _say(tool, "--help")
    options = frozenset(re.findall(r"--[a-z][a-z0-9-]*", shown))
    if "--model" not in options:
        raise KitError(
            f"{version} does not say which options it has.",
            f"Asked for --help it says: {shown.strip()[:300] or 'nothing'}",
            f"Try `{tool.program} --help` in a terminal, and install the tool again.",
        )
    lists = re.findall(r"(--[a-z][a-z-]*) \[?([\w-]+(?:\|[\w-]+)+)\]?", shown)
    return Driven(tool, version, options, {name: tuple(text.split("|")) for name, text in lists})


def version_of(tool: Tool) -> Version:
    """The version of a tool, as it says itself.

    Raises:
        KitError: it does not run, or says nothing that is known.
    """
    said = _say(tool, "--version")
    version = parse(said)
    if version is None:
        raise KitError(
            f"{tool.program} does not say a version that is known.",
            f"It says: {said.strip()[:300] or 'nothing'}",
            "Check that it is ST's stedgeai or stm32ai, and that it starts in a terminal.",
        )
    return version


def _say(tool: Tool, option: str) -> str:
    with work_folder() as folder:
        return run([tool.program, option], folder, SHORT).printed


def command(
    driven: Driven, verb: str, model: Path, folder: Path, more: Sequence[str | Path] = ()
) -> list[str | Path]:
    """The command line of one of the tool's commands, with the options that its version has.

    Args:
        driven: the tool.
        verb: "analyze", "generate" or "validate".
        model: the model, inside `folder`.
        folder: the work folder, which gets the folders `output` and `workspace`.
        more: further options.
    """
    kind = "tflite" if model.suffix == ".tflite" else "keras"
    words: list[str | Path] = [driven.tool.program, verb, "--model", model, "--type", kind]
    words += ["--name", "network", "--workspace", folder / "workspace"]
    words += ["--output", folder / "output"]
    for name in ("--target", "--series"):  # the older stm32ai has the latter, or neither
        words += [name, TARGET] if name in driven.options else []
    if "--no-inputs-allocation" not in driven.options:  # then it is not what goes without saying
        places = ("--allocate-inputs", "--allocate-outputs")
        words += [name for name in places if name in driven.options]
    if "--c-api" in driven.options and driven.version.number >= FIRST_ST_AI:
        words += ["--c-api", "st-ai"]
    if "--quiet" in driven.options:
        words.append("--quiet")
    return [*words, *more]


def perform(
    driven: Driven,
    verb: str,
    model: Path,
    folder: Path,
    more: Sequence[str | Path] = (),
    watch: Watch = unwatched,
) -> Job:
    """Run one of the tool's commands in a work folder.

    Raises:
        KitError: it fails, says that it failed, or takes too long; with its words, what they mean
            and what to do.
    """
    done = run(command(driven, verb, model, folder, more), folder, LIMITS[verb], watch)
    problem = explain(done.printed, done.code, verb, model)
    if problem is not None:
        why, next_step = problem
        raise KitError(f"{driven.version} could not {verb} {model.name}.", why, next_step)
    return Job(folder / "output", folder / "workspace", done.printed)


@contextmanager
def work_folder() -> Iterator[Path]:
    """A temporary folder whose path holds no letter outside ASCII.

    Raises:
        KitError: no such folder can be made on this computer.
    """
    candidates = [Path(tempfile.gettempdir()), build_folder(), Path.home()]
    if sys.platform == "win32":
        candidates += [Path(os.environ.get("PUBLIC", "C:/Users/Public")), Path("C:/")]
    else:
        candidates += [Path("/tmp"), Path("/var/tmp")]
    for place in candidates:
        if str(place).isascii():
            with suppress(OSError):
                folder = tempfile.TemporaryDirectory("", "kit-", place, ignore_cleanup_errors=True)
                break
    else:
        raise KitError(
            "There is no place for ST's tool to work in.",
            "It cannot work in a folder whose path has letters outside ASCII, and the folders "
            f"without such letters cannot be written: {', '.join(map(str, candidates))}.",
            "Set the variable TMPDIR (Windows: TMP) to a folder such as C:/temp.",
        )
    with folder as name:
        yield Path(name)


def _environment() -> dict[str, str]:
    """Without what is meant for this Python: the tool brings one of its own."""
    return {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}


@dataclass(frozen=True)
class Done:
    """A program that ended: its exit code and all that it printed."""

    code: int
    printed: str


def run(words: Sequence[str | Path], cwd: Path, limit: float, watch: Watch = unwatched) -> Done:
    """Run a program without a keyboard, and end it with all that it started at the time limit.

    Raises:
        KitError: it cannot be started, or takes longer than `limit` seconds.
    """
    line = [str(word) for word in words]
    try:
        process = subprocess.Popen(
            line,
            cwd=cwd,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise KitError(
            f"{line[0]} cannot be started.",
            str(error),
            "Check that the file is there and may be executed; `kit doctor` shows what was found.",
        ) from error
    return _follow(process, line, limit, watch)


def _follow(
    process: "subprocess.Popen[bytes]", line: list[str], limit: float, watch: Watch
) -> Done:
    lines: list[str] = []
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    deadline = time.monotonic() + limit
    shown = 0
    try:
        while process.poll() is None:
            if time.monotonic() > deadline:
                end(process)
                reader.join(GRACE)
                raise _too_long(line, limit, lines)
            reader.join(0.1)
            shown = _show(lines, shown, watch)
    finally:
        if process.poll() is None:
            end(process)
    reader.join(GRACE)  # longer only where a child outlives it and keeps the pipe open
    _show(lines, shown, watch)
    return Done(process.returncode, "".join(lines))


def _show(lines: list[str], shown: int, watch: Watch) -> int:
    """Hand over the lines that came since; returns how many were handed over in all."""
    fresh = lines[shown:]
    for text in filter(str.strip, fresh):
        watch(text.rstrip())
    return shown + len(fresh)


def _read(pipe: IO[bytes] | Any, lines: list[str]) -> None:
    """Collect lines as they come; of one that a progress bar redraws, the fullest."""
    for raw in iter(pipe.readline, b""):
        drawn = raw.decode("utf-8", "replace").rstrip("\r\n").split("\r")
        lines.append(max(reversed(drawn), key=lambda text: len(text.strip())) + "\n")


def _too_long(line: list[str], limit: float, lines: list[str]) -> KitError:
    said = "".join(lines).strip()[-1500:]
    return KitError(
        f"{Path(line[0]).name} did not end within {limit:g} seconds, so it was stopped.",
        f"The last it said: {said or 'nothing'}",
        "Run it once by hand in a terminal: it may ask a question (about statistics, a license) "
        f"that has to be answered once. The command was: {subprocess.list2cmdline(line)}",
    )
