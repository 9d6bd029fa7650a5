"""Running ST's tool so that it can neither hang nor leave half a result: it gets no keyboard (its
question about statistics would wait for an answer for ever), a time limit for all that it starts,
and a work folder whose path is plain ASCII: Core 4.0.1 on Windows crashes on others."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kit.boards import DEFAULT, find_mcu
from kit.errors import KitError
from kit.generate.step import safe_name
from kit.generate.xcubeai.figures import Figures, gather_figures
from kit.generate.xcubeai.find import StTool, find_tool
from kit.generate.xcubeai.refusals import check_done, described_model
from kit.generate.xcubeai.versions import Version, version_in
from kit.model import Model, Range
from kit.paths import build_folder
from kit.programs import Done, Watch, run_program

LIMITS = {"analyze": 600, "generate": 600, "validate": 3600}  # seconds
SHORT = 120  # seconds for --version and --help: the tool unpacks itself when it starts
FIRST_ST_AI = (2, 2)  # the first ST Edge AI Core that can generate this API for an STM32


@dataclass(frozen=True)
class Settings:
    """What can be chosen for this engine; None leaves the tool's own choice.

    `compression` is none, lossless, low, medium or high, `optimization` time, ram or balanced, as
    far as the version has them. `mcu` is the chip, by its name in `kit.boards` (None: that of the
    NUCLEO-F446RE). `tool` is the program or its installation, `from_zip` a zip of ST Edge AI
    Developer Cloud instead. `watch` is called with each line that the tool prints. `input_range` is
    what a pixel of 0 and one of 255 are to the network; None: as its input tells.
    """

    compression: str | None = None
    optimization: str | None = None
    tool: str | Path | None = None
    from_zip: str | Path | None = None
    watch: Watch = str
    input_range: Range | None = None
    mcu: str | None = None


@dataclass
class StJob:
    """A model in a work folder of its own, under a plain name, and the tool that works on it, with
    the options of its version and what they can be set to, where it says that. Commands write into
    `output` and a workspace beside it; `printed` is all that the last one printed."""

    tool: StTool
    version: Version
    options: dict[str, tuple[str, ...]]
    settings: Settings
    model: Path
    described: Model | None
    output: Path
    printed: str = ""

    def run(self, verb: str, *more: str) -> Figures:
        """Let the tool "analyze", "generate" or "validate", with further options. Raises KitError:
        it fails, says that it failed, or takes too long; or its files do not describe the model."""
        workspace = self.output.with_name("workspace")
        kind = "tflite" if self.described else "keras"
        words: list[str | Path] = [verb, "--model", self.model, "--type", kind, "--name", "network"]
        words += ["--output", self.output, "--workspace", workspace, *self._chosen(), *more]
        done = _run(self.tool, words, self.output.parent, LIMITS[verb], self.settings.watch)
        self.printed = done.printed
        check_done(f"{self.version} could not {verb} {self.model.name}.", done, self.model)
        return gather_figures([self.output, workspace], verb, self.described, self.version)

    def _chosen(self) -> Iterator[str]:
        """The options that not every version has; KitError for a setting that this one lacks."""
        series = find_mcu(self.settings.mcu or DEFAULT.name).family
        wanted = {"--target": series, "--series": series, "--quiet": ""}
        if "--no-inputs-allocation" not in self.options:  # then it does not go without saying
            wanted |= {"--allocate-inputs": "", "--allocate-outputs": ""}
        if self.version.number >= FIRST_ST_AI:
            wanted["--c-api"] = "st-ai"
        for name in filter(self.options.__contains__, wanted):
            yield from filter(None, (name, wanted[name]))
        for name in ("compression", "optimization"):
            value, offers = getattr(self.settings, name), self.options.get(f"--{name}")
            if value and (offers is None or (offers and value not in offers)):
                raise KitError(
                    f"{self.version} has no --{name} {value}.",
                    f"It offers {', '.join(offers)}." if offers else "It has no such option.",
                    f"Leave --{name} out, or choose what it offers.",
                )
            if value:
                yield from (f"--{name}", value)


@contextmanager
def open_job(path: Path, settings: Settings) -> Iterator[StJob]:
    """A model made ready; KitError where it is none that is taken, or there is no fitting tool."""
    described, tool = described_model(path), find_tool(settings.tool)
    asked = ask_tool(tool)
    with work_folder() as folder:
        copy = folder / f"{safe_name(path.stem) or 'model'}{path.suffix.lower()}"
        shutil.copyfile(path, copy)
        yield StJob(tool, *asked, settings, copy, described, folder / "output")


@cache
def ask_tool(tool: StTool) -> tuple[Version, dict[str, tuple[str, ...]]]:
    """The version of a tool and its options, asked once for each state of its file; KitError where
    it does not run, says nothing that is known, or is older than 7.1."""
    with work_folder() as folder:
        said, shown = (
            _run(tool, [option], folder, SHORT).printed.strip()
            for option in ("--version", "--help")
        )
    if (version := version_in(said)) is None:
        raise KitError(
            f"{tool.program} does not say a version that is known.",
            f"It says: {said[:300] or 'nothing'}",
            "Check that it is ST's stedgeai or stm32ai, and that it starts in a terminal.",
        )
    version.check_age()
    options: dict[str, tuple[str, ...]] = {}
    for name, choices in re.findall(r"(--[a-z][a-z0-9-]*)(?: \[?([\w-]+(?:\|[\w-]+)+))?", shown):
        options[name] = tuple(choices.split("|")) if choices else options.get(name, ())
    if "--model" not in options:
        raise KitError(
            f"{version} does not say which options it has.",
            f"Asked for --help it says: {shown[:300] or 'nothing'}",
            f"Try `{tool.program} --help` in a terminal, and install the tool again.",
        )
    return version, options


def _run(
    tool: StTool, words: Sequence[str | Path], folder: Path, seconds: float, watch: Watch = str
) -> Done:
    """Run the tool without what is meant for this Python: it brings one of its own."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    done = run_program([tool.program, *words], seconds, folder, ours, watch)
    if done.trouble.startswith("timed out"):
        raise KitError(
            f"{tool.program.name} did not end within {seconds:g} seconds, so it was stopped.",
            f"The last it said: {done.printed.strip()[-1500:] or 'nothing'}",
            "Run it once by hand in a terminal: it may ask a question (about statistics, a "
            "license) that has to be answered once. The command was: "
            f"{subprocess.list2cmdline(map(str, [tool.program, *words]))}",
        )
    if done.trouble:
        raise KitError(
            f"{tool.program} cannot be started.",
            done.trouble,
            "Check that the file is there and may be executed; `kit doctor` shows what was found.",
        )
    return done


@contextmanager
def work_folder() -> Iterator[Path]:
    """A temporary folder whose path has ASCII letters only; KitError where none can be made."""
    public = (os.environ.get("PUBLIC", "C:/Users/Public"), "C:/")
    public = public if sys.platform == "win32" else ("/tmp", "/var/tmp")
    candidates = [Path(tempfile.gettempdir()), build_folder(), Path.home(), *map(Path, public)]
    for place in filter(lambda place: str(place).isascii(), candidates):
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
