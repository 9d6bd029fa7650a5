"""What each word after `kit` does: a row of COMMANDS, and the function that the row names."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kit
from kit import paths
from kit.boards import DEFAULT, find_mcu
from kit.commands.network import (
    Args,
    Told,
    _build,
    _compare,
    _generate,
    _profile,
    _validate,
    say,
)
from kit.digits import load_mnist
from kit.errors import KitError
from kit.generate import GOALS
from kit.lesson import artifacts, results
from kit.model import are_shares, describe_range
from kit.progress import each
from kit.tables import Table, table

ASKING = ("04", "05")  # the notebooks that ask a board
LAB = (  # the whole project, so that a notebook's links to its C open
    f"--ServerApp.root_dir={paths.ROOT}",
    "--LabApp.default_url=/lab/tree/notebooks/00-start.ipynb",
)


def _run(args: Args) -> Told:
    """Executes 00 to 05, or those named, or all; copies and their HTML land in build/notebooks."""
    from kit.board import ports, recording

    if args.board:
        ports.require(args.board)
    from kit.lesson import execute

    board = args.board and recording.absolute(args.board)
    made = execute.run_notebooks(args.notebooks or (ASKING if board else None), board=board)
    yield made
    yield results.report_table(made["report"])
    files = [*made["artifacts"], *made["html"], paths.build_folder() / "report.json"]
    yield table([{"file": path} for path in files], caption="What was made")


def _record(args: Args) -> Told:
    """Runs 04 and 05 on a board and keeps what it says for replay://FILE."""
    from kit.board import ports, recording

    ports.require(args.board)
    from kit.lesson import execute

    file = Path(args.file).resolve()
    with recording.record_board(args.board, file):
        execute.run_notebooks(args.notebooks or ASKING, board=args.board)
    made, url = recording.read_recording(file), f"replay://{file.as_posix()}"
    yield {"file": file, "url": url, "requests": len(made.replies), "hello": made.hello}
    yield f"{file}: {len(made.replies):,} different requests, {file.stat().st_size:,} bytes"
    yield f'To play it: BOARD = "{url}"'


def _refresh(args: Args) -> Told:
    """For maintainers: writes the notebooks' outputs anew."""
    from kit.lesson import execute

    changed = execute.refresh_notebooks(args.notebooks or None)
    yield {"changed": changed}
    yield from (f"changed: {path}" for path in changed)
    yield f"{len(changed)} notebooks changed"


def _status(_: Args) -> Told:
    """What the notebooks made, from what, and what is stale."""
    yield (rows := artifacts.status())
    yield table(rows, caption="What the notebooks make")
    yield "What is missing or older than its source is made anew by the notebook that needs it."


def _reset(args: Args) -> Told:
    """Puts notebooks back as they came and removes what they made; a changed notebook
    is kept in build/exercises/kept first."""
    from kit.lesson import reset

    yield (done := reset.reset_notebooks(args.notebooks or None))
    for name, what in (("restored", "put back"), ("removed", "removed"), ("kept", "kept before")):
        yield f"{what}: {', '.join(map(str, done[name])) or 'nothing'}"
    if done["restored"]:
        yield "Close and open again what JupyterLab shows of them."


def _lab(args: Args) -> Told:
    """Opens JupyterLab on the project, with 00-start in front; takes its options."""
    chosen = {option.split("=")[0] for option in args.options}
    usual = (option for option in LAB if option.split("=")[0] not in chosen)
    command = [sys.executable, "-m", "jupyterlab", *usual, *args.options]
    own = str(paths.ROOT / "kit" / "lesson" / "jupyter")  # no question about news over the course
    settings = os.pathsep.join(filter(None, [own, os.environ.get("JUPYTER_CONFIG_PATH")]))
    places = {"KIT_BUILD": str(paths.build_folder()), "JUPYTER_CONFIG_PATH": settings}
    if code := subprocess.call(command, env=os.environ | places):
        raise KitError(
            f"JupyterLab ended with exit code {code}.",
            "Its own messages above say why.",
            "Run `kit doctor`: it says whether everything is installed.",
        )
    yield {"exit_code": code}


def _doctor(args: Args) -> Told:
    """What this computer has, and how to get the rest."""
    yield (checks := kit.examine(args.board))
    yield checks.table()


def _boards(_: Args) -> Told:
    """The boards that are plugged in, their ports and drives."""
    from kit.board import probes

    yield (found := probes.list_boards())
    rows = [[p.port, p.board, p.kind, p.serial_number, str(p.drive.path if p.drive else "")]
            for p in found.probes]  # fmt: skip
    rows += [["(no port known)", drive.board, "", "", str(drive.path)] for drive in found.drives]
    rows += [[url, board, "virtual", "", ""] for url, board in found.virtual]
    columns = ["address", "board", "ST-LINK", "serial number", "drive"]
    yield Table(columns, rows, [False] * 5, "Boards") if rows else ""
    count = len(found.other_ports)
    yield f"{count} other serial port{'' if count == 1 else 's'}"
    if not found.probes:
        yield f"No board is plugged in. {probes.PLUG_IN}."


def _flash(args: Args) -> Told:
    """Puts the firmware into a board's flash, and sees that it is there."""
    from kit.board.address import scheme
    from kit.compile import Program
    from kit.compile.firmware import remark_on

    program = Program(args.elf or paths.build_folder() / "firmware.elf")
    done = kit.flash(args.board, program, args.tool)
    if program.is_bare:
        yield {"board": done.url, "how": str(done), "command": done.command}
        yield f"{done}\nIt is a bare program: it takes an input's bytes and sends an output's."
        return
    with kit.Board(done.url) as board:
        hello = done.hello or board.hello()  # a real board was greeted after flashing
        status = None if scheme(done.url) == "replay" else board.status()
    remark, full = remark_on(hello.input.elements, hello.output.elements), find_mcu(hello.mcu)
    made = {"board": done.url, "how": str(done), "command": done.command}
    yield made | {"hello": hello, "status": status, "remark": remark}
    yield str(done)
    says = f"{hello.network}, engine {hello.engine}, build {hello.build_id}, {hello.core_hz:,} Hz"
    yield f"{done.url} says hello: {says}" + (f" ({status.clock_source})" if status else "")
    if hello.core_hz < full.core_hz:
        yield (
            f"That is not its full {full.core_hz:,} Hz: part of its clock did not become ready in "
            "time. It works, only slower; another USB port or power supply may help."
        )
    yield remark and f"Note: {remark}"


def _recognize(args: Args) -> Told:
    """Reads images (PNG, JPEG, BMP, GIF, TIFF, WebP or .npy); --prepare makes any
    picture or photograph of one digit like MNIST."""
    pictures = [_picture(name, args) for name in args.images]
    with kit.Board(args.board) as board:
        say(artifacts.other_model(board))
        answers = [x if isinstance(x, KitError) else board.recognize(x) for x in pictures]
    values = [{"error": str(x)} if isinstance(x, KitError) else vars(x) | {"values": x.values}
              for x in answers]  # fmt: skip
    if len(answers) == 1:
        yield values[0]
        yield from _scores(answers[0])
        return
    yield [{"file": name} | value for name, value in zip(args.images, values, strict=True)]
    for name, answer in zip(args.images, answers, strict=True):
        if isinstance(answer, KitError):
            yield f"{name}: not read"
            yield answer
        else:
            yield f"{name}: {answer.digit}"


def _picture(name: str, args: Args) -> Any:
    """An image; one of several may be the error that says why it is none."""
    from kit.pictures import read_image

    try:
        return read_image(name, prepare=args.prepare)
    except KitError as error:
        if len(args.images) == 1:
            raise
        return error


def _scores(answer: Any) -> Iterator[str]:
    """One answer in lines; the digit stands alone on the first, for scripts."""
    scores, output = answer.scores, answer.output
    yield f"{answer.digit}"
    yield f"scores 0 to {len(scores) - 1}: {' '.join(f'{score:g}' for score in scores)}"
    if output.dtype != "float32":
        yield f"{output.dtype}: the real number is {output.scale:g} * (score - {output.zero_point})"
    if not are_shares(answer.values):
        yield "These are no shares of 1: the network does not end in a softmax."


def _evaluate(args: Args) -> Told:
    """Reads test images and counts the right answers."""
    images, labels = (part[: args.images] for part in load_mnist()[1])
    with kit.Board(args.board) as board:
        hello = board.described
        if hello.input.elements != images[0].size:
            raise KitError(
                f"{hello.network} on the board takes {hello.input.elements:,} values; "
                f"MNIST's images have {images[0].size}.",
                "`kit evaluate` asks about the images of MNIST's test set.",
                "Compare its model on inputs of its own size: `kit validate MODEL --random 1000`.",
            )
        say(artifacts.other_model(board))
        scores = board.scores(images, each(f"asking {args.board}"))
    outputs, right = scores.shape[1], int((scores.argmax(axis=1) == labels).sum())
    share, span = right / len(images), hello.input_range
    made = {"board": args.board, "images": len(images), "right": right, "accuracy": share}
    made |= {"digest": kit.digest(scores), "outputs": outputs}
    yield made | {"input_range": span, "input_dtype": hello.input.dtype}
    yield f"{right:,} of {len(images):,} right: {share:.2%}"
    yield f"digest of the scores: {made['digest']}"
    yield describe_range(span, hello.input.dtype)
    if outputs < 10:
        yield f"The network has {outputs} outputs: the digits above cannot be right."


def _selftest(args: Args) -> Told:
    """A page about a board: clock, memory, line, layers, 1,000 images, cycles."""
    from kit.checks import selftest

    yield (page := selftest.run_selftest(args.board, each("asking the board")))
    yield str(page)


def _bench(args: Args) -> Told:
    """This engine and others side by side: builds the same networks with each, and counts."""
    from kit.checks import bench

    yield (made := bench.run_bench(args.board, args.images, each))
    yield from made.shown()
    yield from (paths.build_folder() / name for name in ("bench.json", "bench.png"))


def _count(most: int, what: str) -> Callable[[str], int]:
    """An argparse type: a whole number from 1 to `most`."""

    def convert(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            why = f"{text!r} is not a number from 1 to {most:,} ({what})"
            raise argparse.ArgumentTypeError(why)
        return int(text)

    return convert


NOTEBOOKS = {"nargs": "*", "help": "such as 02, or all"}
MODEL = "int8 or float32 .tflite; for xcubeai also .keras, .h5"
BOARD = {"default": "virtual://", "help": "COM5, /dev/ttyACM0, auto, ... (default: virtual://)"}
IMAGES = {"type": _count(10_000, "the test set")}
RANDOM = {"type": _count(100_000, "they are kept in memory")}
PIXELS = (
    "what a pixel of 0 and one of 255 were in training, such as 0 1; "
    "default: what the input's quantization tells"
)
PICTURES = "PNG, JPEG, ... or .npy: 28 x 28, light digit on black, or with --prepare any picture"
WAYS = "STM32_Programmer_CLI, openocd, st-flash, pyocd or drive; default: the first found"
GOAL = {"choices": GOALS, "help": "what to save; default: time; data: time, by skipping zeros"}
BARE = {"action": "store_true", "help": "little but the network: bytes in, bytes out"}
ENGINE = {
    "--engine": {"default": "portable", "help": "portable (default) or xcubeai"},
    "--input-range": {"nargs": 2, "type": float, "metavar": ("BLACK", "WHITE"), "help": PIXELS},
    "--optimize": GOAL,
    "--compression": "xcubeai: none, lossless, low, medium or high",
    "--optimization": "xcubeai: time, ram or balanced",
    "--tool": "xcubeai: ST's program or its folder, when not found",
    "--mcu": f"xcubeai: the chip, as for build; default: {DEFAULT.name}",
}
MODE = "xcubeai: on this computer, or on a board with ST's validation program"
EITHER = "either"
COMMANDS: dict[Callable[[Args], Told], dict[str, Any]] = {
    _run: {"notebooks": NOTEBOOKS, "--board": "ask this board; 04 and 05 when none is named"},
    _lab: {"options": {"nargs": "*", "help": "JupyterLab's own, or a notebook"}},
    _doctor: {"--board": "also greet this board"},
    _boards: {},
    _generate: {
        "model": MODEL,
        "--out": {"required": True, "help": "folder for the C; replaced as a whole"},
        **ENGINE,
        "--from-zip": "xcubeai: a zip of ST Edge AI Developer Cloud",
    },
    _validate: {
        "model": MODEL,
        **ENGINE,
        "--mode": {"choices": ["host", "target"], "help": MODE},
        EITHER: {
            "--images": {**IMAGES, "default": 1000, "help": "of the test set: 1000"},
            "--random": {**RANDOM, "help": "this many random inputs instead"},
        },
        "--bare": BARE,
        "--board": "is flashed and asked; default: virtual://validate",
    },
    _profile: {
        "model": {"nargs": "?", "help": "built and flashed; default: what is on the board"},
        "--images": {**IMAGES, "default": 100, "help": "of the test set: 100"},
        "--input-range": ENGINE["--input-range"],
        "--optimize": GOAL,
        "--board": "default: virtual://profile, without a model virtual://",
    },
    _compare: {
        "models": {"nargs": "+", "metavar": "model", "help": ".tflite, or integer network (.npz)"},
        "--images": {**IMAGES, "default": 10_000, "help": "of the test set; default: all 10000"},
        "--board-images": {**IMAGES, "default": 1000, "help": "of these on the board: 1000"},
        "--reference": "the model to agree with; default: the first in float32",
        "--optimize": GOAL,
        "--mcu": f"the chip, as for build; default: that of the board, {DEFAULT.name}",
        "--board": "is flashed and asked; default: virtual://compare",
        "--csv": {"metavar": "FILE", "help": "write the rows there, too"},
    },
    _bench: {
        "--images": {**IMAGES, "default": 100, "help": "of the test set: 100"},
        "--board": {"default": "auto", "help": "is flashed and measured, too; default: auto"},
    },
    _build: {
        "--network": "folder of the generated C; default: build/network",
        "--out": "folder for firmware.elf and .bin; default: build",
        "--mcu": {"default": DEFAULT.name, "help": f"default: {DEFAULT.name}"},
        "--compiler": "zig, or gcc, if installed; default: what fits",
        "--bare": BARE,
    },
    _flash: {"--elf": "default: build/firmware.elf", "--tool": WAYS, "--board": BOARD},
    _selftest: {"--board": BOARD},
    _record: {
        "file": "such as lesson.rec; replaced when all went well",
        "notebooks": {"nargs": "*", "help": "default: 04 05"},
        "--board": BOARD,
    },
    _recognize: {
        "images": {"nargs": "+", "metavar": "image", "help": PICTURES},
        "--prepare": {"action": "store_true", "help": "any picture: make it like MNIST"},
        "--board": BOARD,
    },
    _evaluate: {
        "--images": {**IMAGES, "default": 10_000, "help": "default: all 10000"},
        "--board": BOARD,
    },
    _status: {},
    _reset: {"notebooks": NOTEBOOKS},
    _refresh: {"notebooks": NOTEBOOKS},
}
"""Each command's function, which gives its name and help, and its arguments: what argparse is told
of each, or only their help. Those under EITHER exclude each other."""
