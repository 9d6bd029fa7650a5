"""The stand-in's program: `__main__.py BEHAVIOR.json ARGUMENTS...`, started by its launcher.

BEHAVIOR.json names the release and, for tests of failures, what goes wrong:
    fail: the line to end with, and `code`, the exit code then (default 1)
    hang: start a child that sleeps, sleep too, and write the child's number into this file
    write: "half" (files are missing), "cut" (one ends in the middle), "nothing"
    report, header: changes to the text of the report, and to network.h, as [old, new]
    info: changes to the JSON, as [path, value]
    config: the version in network_config.h
    leave_out: names of files not to write; info_in: "workspace" to write the JSON there
    keras: the same network as .tflite, for .h5 files, which the stand-in cannot read itself
    outputs: "none", "real" (not quantized), "off" (every third row differs by one step)
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)]

from stand_in.releases import GENERATE, OBJECTIVES, RELEASES, Release  # noqa: E402

VERBS = ("analyze", "generate", "validate", "supported-ops")
SHORT = {"-m": "--model", "-t": "--type", "-n": "--name", "-c": "--compression",
         "-w": "--workspace",
         "-o": "--output", "-O": "--optimization", "-vi": "--valinput", "-b": "--batch-size",
         "-d": "--desc", "-v": "--verbosity"}  # fmt: skip
Behavior = dict[str, Any]


def main(behavior: Behavior, words: list[str]) -> int:
    """Do what the release would do."""
    release = RELEASES[behavior["release"]]
    _consent(words)
    if words == ["--version"]:
        print(release.banner + "\n" + release.more_lines, end="")
        return 0
    if words == ["--help"]:
        print(usage(release))
        return 0
    verb, given = arguments(release, words)
    print(release.banner, flush=True)
    _misbehave(behavior)
    return perform(release, behavior, verb, given, " ".join(words))


def _consent(words: list[str]) -> None:
    """The question that hangs a script: without --quiet it waits for a line or the end."""
    if "--quiet" not in words:
        print("Do you accept that anonymous usage statistics are collected? [y/N] ", flush=True)
        sys.stdin.readline()


def usage(release: Release) -> str:
    """The options as the help shows them; the older program has choices in brackets."""
    options = release.options | GENERATE | release.validate
    shown = " ".join(
        f"[{name} {value}]" if value else f"[{name}]" for name, value in options.items()
    )
    if not release.is_core:
        shown = re.sub(r" ([\w-]+(\|[\w-]+)+)", r" [\1]", shown)
    return f"usage: {release.program} {shown}\n  {'|'.join(VERBS)}\n\n{release.banner}"


def refuse(release: Release, why: str) -> NoReturn:
    """A wrong command line, in the words of the release."""
    if release.is_core:
        print(f"E102(CliArgumentError): {why}")
        sys.exit(1)
    print(f"usage: {release.program} [-h] ...\n{release.program}: error: {why}", file=sys.stderr)
    sys.exit(2)


def arguments(release: Release, words: list[str]) -> tuple[str, dict[str, str]]:
    """The command and its options; each must be one of the release, with a value it takes."""
    verb = words[0] if words and words[0] in VERBS else refuse(release, "a command must come first")
    known = release.options | {"generate": GENERATE, "validate": release.validate}.get(verb, {})
    given: dict[str, str] = {}
    rest = list(words[1:])
    while rest:
        name = SHORT.get(rest[0], rest[0])
        rest.pop(0)
        if name not in known:
            refuse(release, f"unrecognized arguments: {name}")
        if name in given:
            refuse(release, f"{name} is given twice")
        given[name] = _value(release, name, known[name], rest) if known[name] else ""
    _check(release, verb, given)
    return verb, given


def _value(release: Release, name: str, takes: str, rest: list[str]) -> str:
    if not rest or rest[0].startswith("--"):
        refuse(release, f"argument {name}: expected one argument")
    value = rest.pop(0)
    takes = OBJECTIVES if takes == "OBJ" else takes
    if "|" in takes and value not in takes.split("|"):
        refuse(release, f"argument {name}: invalid choice: {value!r} (choose from {takes})")
    if takes == "INT" and not value.isdecimal():
        refuse(release, f"argument {name}: invalid int value: {value!r}")
    return value


def _check(release: Release, verb: str, given: dict[str, str]) -> None:
    if "--device" in given:
        refuse(release, "--device is not supported by the target stm32f4")
    if release.is_core and given.get("--target") != "stm32f4":
        refuse(release, "--target is missing, or not stm32f4")
    model = Path(given.get("--model", ""))
    if not model.is_file():
        print(f"E103(CliArgumentError): the file {str(model)!r} does not exist")
        sys.exit(1)
    for name in ("--model", "--workspace", "--output"):
        if not given.get(name, "").isascii():
            print("INTERNAL ERROR: 'ascii' codec can't encode characters")
            sys.exit(1)
    if not given.get("--desc", "serial:").startswith("serial:"):
        refuse(release, f"--desc {given['--desc']}: the syntax is serial[:COMPORT][:baudrate]")


def _misbehave(behavior: Behavior) -> None:
    if marker := behavior.get("hang"):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(marker).write_text(str(child.pid))
        print("Compiling the C model... \\\r |\r /", flush=True)
        time.sleep(600)
    if line := behavior.get("fail"):
        print(line)
        sys.exit(behavior.get("code", 1))


def perform(
    release: Release, behavior: Behavior, verb: str, given: dict[str, str], line: str
) -> int:
    """Write what the command writes."""
    from stand_in import network, run

    model = Path(given["--model"])
    if model.suffix == ".keras":
        print("E010(InvalidModelError): Unrecognized keyword arguments passed to Dense: "
              "{'quantization_config': None}")  # fmt: skip
        return 1
    output = Path(given.get("--output", "st_ai_output"))
    workspace = Path(given.get("--workspace", "st_ai_ws"))
    for folder in (output, workspace):
        folder.mkdir(parents=True, exist_ok=True)
    read = Path(behavior["keras"]) if model.suffix == ".h5" else model
    job = run.Job(release, behavior, given, line, output, workspace, network.describe(read, model))
    actions: dict[str, Callable[[run.Job], None]] = {
        "analyze": run.analyze, "generate": run.generate, "validate": run.validate}  # fmt: skip
    actions[verb](job)
    print(f"elapsed time ({verb}): 0.6s")
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2:]))
