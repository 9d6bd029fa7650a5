"""The stand-in's program: `__main__.py RELEASE ARGUMENTS...`, started by its launcher.

For tests of failures, the variable STAND_IN says as JSON what goes wrong:
    fail: the line to end with, and `code`, the exit code then (default 1)
    hang: start a child that sleeps, sleep too, and write the child's number into this file
    write: "cut" (one ends in the middle), "nothing"
    report, header, config: changes to the text of the report, of network.h and of
        network_config.h, as [old, new]
    info: changes to the JSON, as [path, value]
    leave_out: names of files not to write; info_in: "workspace" to write the JSON there
    keras: the same network as .tflite, for .h5 files, which the stand-in cannot read itself
    outputs: "none", "real" (not quantized), "off" (every third row differs by one step)
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)]

from stand_in.releases import OBJECTIVES, RELEASES, SERIES, VERBS, Release  # noqa: E402


def main(release: Release, behavior: dict[str, Any], words: list[str]) -> None:
    """Do what the release would do."""
    if "--quiet" not in words:  # what hangs a script: it waits for a line or the end
        print("Do you accept that anonymous usage statistics are collected? [y/N] ", flush=True)
        sys.stdin.readline()
    if words == ["--version"]:
        print(release.banner + "\n" + release.more_lines, end="")
    elif words == ["--help"]:
        print(usage(release))
    else:
        verb = words[0] if words and words[0] in VERBS else ""
        given = Parser(release, verb).read(words)
        print(release.banner, flush=True)
        misbehave(behavior)
        perform(release, behavior, verb, given, " ".join(words))
        print(f"elapsed time ({verb}): 0.6s")


def usage(release: Release) -> str:
    """The options as the help shows them; the older program has choices in brackets."""
    options = release.options("generate") | release.options("validate")
    shown = " ".join(f"[{name} {value}]".replace(" ]", "]") for name, value in options.items())
    if not release.is_core:
        shown = re.sub(r" ([\w-]+(\|[\w-]+)+)", r" [\1]", shown)
    return f"usage: {release.program} {shown}\n  {'|'.join(VERBS)}\n\n{release.banner}"


class Parser(argparse.ArgumentParser):
    """Takes the options of a release for a command, each once, with a value that it takes."""

    def __init__(self, release: Release, verb: str) -> None:
        super().__init__(prog=release.program, add_help=False, allow_abbrev=False)
        self.release = release
        self.add_argument("verb", choices=VERBS)
        for name, takes in release.options(verb).items():
            choices = OBJECTIVES if takes == "OBJ" else takes
            more: dict[str, Any] = {"choices": choices.split("|")} if "|" in choices else {}
            more |= {"type": int if takes == "INT" else str} if takes else {"action": "store_true"}
            self.add_argument(name, dest=name, default=argparse.SUPPRESS, **more)

    def error(self, message: str) -> NoReturn:
        """A wrong command line, in the words of the release."""
        if not self.release.is_core:
            super().error(message)
        self.stop(f"E102(CliArgumentError): {message}")

    def stop(self, line: str) -> NoReturn:
        print(line)
        sys.exit(1)

    def read(self, words: list[str]) -> dict[str, Any]:
        """The options and their values."""
        given = vars(self.parse_args(words))
        for name in given:
            if words.count(name) > 1:
                self.error(f"{name} is given twice")
        if "--device" in given:
            self.error("--device is not supported by this target")
        if self.release.is_core and given.get("--target") not in SERIES:
            self.error("--target is missing, or no STM32 with a Cortex-M4")
        if not given.get("--desc", "serial:").startswith("serial:"):
            self.error(f"--desc {given['--desc']}: the syntax is serial[:COMPORT][:baudrate]")
        if not Path(given.get("--model", "")).is_file():
            self.stop(f"E103(CliArgumentError): the file {given.get('--model')!r} does not exist")
        if not "".join(given.get(f"--{x}", "") for x in ("model", "workspace", "output")).isascii():
            self.stop("INTERNAL ERROR: 'ascii' codec can't encode characters")
        return given


def misbehave(behavior: dict[str, Any]) -> None:
    if marker := behavior.get("hang"):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(marker).write_text(str(child.pid))
        print("Compiling the C model... \\\r |\r /", flush=True)
        time.sleep(600)
    if line := behavior.get("fail"):
        print(line)
        sys.exit(behavior.get("code", 1))


def perform(
    release: Release, behavior: dict[str, Any], verb: str, given: dict[str, Any], line: str
) -> None:
    """Write what the command writes."""
    from stand_in import network, run

    model = Path(given["--model"])
    if model.suffix == ".keras":
        print("E010(InvalidModelError): Unrecognized keyword arguments passed to Dense: "
              "{'quantization_config': None}")  # fmt: skip
        sys.exit(1)
    places = [Path(given.get("--output", "st_ai_output")), Path(given.get("--workspace", "st_ws"))]
    for folder in places:
        folder.mkdir(parents=True, exist_ok=True)
    read = Path(behavior["keras"]) if model.suffix == ".h5" else model
    job = run.Job(release, behavior, given, line, *places, network.describe(read, model))
    {"analyze": run.tell, "generate": run.generate, "validate": run.validate}[verb](job, verb)


if __name__ == "__main__":
    main(RELEASES[sys.argv[1]], json.loads(os.environ.get("STAND_IN", "{}")), sys.argv[2:])
