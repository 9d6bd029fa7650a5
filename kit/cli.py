"""The `kit` command: each station of the road from the terminal.

Results go to stdout, as text or with --json as one JSON object; progress goes to stderr.
"""

import argparse
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kit import paths
from kit.boards import DEFAULT, find_mcu
from kit.errors import KitError

Printer = Callable[[Any], None]
console = Console()
FIRMWARE = "firmware.elf"
ASKING = ("04", "05")  # the notebooks that ask a board
LAB = (  # the whole project, so that a notebook's links to its C open
    f"--ServerApp.root_dir={paths.ROOT}",
    "--LabApp.default_url=/lab/tree/notebooks/00-start.ipynb",
)
LAB_SETTINGS = paths.ROOT / "kit" / "lesson" / "jupyter"  # no question about news over the course
OWN = ("--json", "-h", "--help")  # of `kit lab`, whose other options are JupyterLab's


def _plain(value: Any) -> Any:
    """What json cannot do by itself: paths, dataclasses and numpy's numbers and arrays."""
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Title and cells as plain text: a path may hold what rich takes for markup."""
    report_table = Table(title=Text(title), title_justify="left")
    for number, column in enumerate(columns):
        justify: Any = "left" if number == 0 else "right"
        report_table.add_column(column, justify=justify, overflow="fold")
    for row in rows:
        cells = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row)
        report_table.add_row(*map(Text, cells))
    return report_table


def run(args: argparse.Namespace) -> Any:
    """Execute the notebooks in order; copies and their HTML land in build/notebooks."""
    from kit.board.ports import require
    from kit.board.recording import absolute

    if args.board is not None:
        require(args.board)
    from kit.lesson import execute as lesson  # takes seconds

    if args.board is None:
        return lesson.run_notebooks(args.notebooks or None)
    return lesson.run_notebooks(args.notebooks or ASKING, board=absolute(args.board))


def _show_run(result: Any) -> None:
    from kit.lesson.results import report_table

    console.print(report_table(result["report"]))
    made = [*result["artifacts"], *result["html"], str(paths.build_folder() / "report.json")]
    console.print(_table("What was made", ["file"], [[path] for path in made]))


def record(args: argparse.Namespace) -> Any:
    """Run notebooks on a board and record what it says: replay://FILE plays it back."""
    from kit.board.ports import require
    from kit.board.recording import read_recording, record_board

    require(args.board)
    from kit.lesson import execute as lesson  # takes seconds

    file = Path(args.file).resolve()
    with record_board(args.board, file):
        lesson.run_notebooks(args.notebooks or ASKING, board=args.board)
    made = read_recording(file)
    url = f"replay://{file.as_posix()}"
    return {"file": file, "url": url, "requests": len(made.replies), "hello": made.hello}


def _show_record(result: Any) -> None:
    size = result["file"].stat().st_size
    print(f"{result['file']}: {result['requests']:,} different requests, {size:,} bytes\n"
          f'To play it: BOARD = "{result["url"]}"')  # fmt: skip


def refresh(args: argparse.Namespace) -> Any:
    """Execute the committed notebooks and keep their outputs in them (for maintainers)."""
    from kit.lesson import execute as lesson

    return {"changed": lesson.refresh_notebooks(args.notebooks or None)}


def _show_refresh(result: Any) -> None:
    for path in result["changed"]:
        print(f"changed: {path}")
    print(f"{len(result['changed'])} notebooks changed")


def status(args: argparse.Namespace) -> Any:
    """What the notebooks made, from what, and what is stale."""
    from kit.lesson.artifacts import status as look

    return look()


def _show_status(rows: Any) -> None:
    console.print(_table("What the notebooks make", list(rows[0]), [row.values() for row in rows]))
    print("What is missing or older than its source is made anew by the notebook that needs it.")


def reset(args: argparse.Namespace) -> Any:
    """Put notebooks back as they came and remove what they made; what was changed is kept."""
    from kit.lesson.reset import reset_notebooks as put_back

    return put_back(args.notebooks or None)


def _show_reset(result: Any) -> None:
    for name, what in (("restored", "put back"), ("removed", "removed"), ("kept", "kept before")):
        print(f"{what}: {', '.join(map(str, result[name])) or 'nothing'}")
    if result["restored"]:
        print("Close and open again what JupyterLab shows of them.")


def lab(args: argparse.Namespace) -> Any:
    """Open JupyterLab on the project, with notebook 00-start; options go to JupyterLab."""
    chosen = {option.split("=")[0] for option in args.options}
    usual = (option for option in LAB if option.split("=")[0] not in chosen)
    command = [sys.executable, "-m", "jupyterlab", *usual, *args.options]
    settings = os.pathsep.join(
        filter(None, [str(LAB_SETTINGS), os.environ.get("JUPYTER_CONFIG_PATH")])
    )
    places = {"KIT_BUILD": str(paths.build_folder()), "JUPYTER_CONFIG_PATH": settings}
    code = subprocess.call(command, env={**os.environ, **places})
    if code:
        raise KitError(
            f"JupyterLab ended with exit code {code}.",
            "Its own messages above say why.",
            "Run `kit doctor`: it says whether everything is installed.",
        )
    return {"exit_code": code}


def _for_jupyterlab(words: Sequence[str]) -> list[str]:
    """The words of `kit lab`, with "--" before what argparse is not to take for its own."""
    if words[:1] != ["lab"] or "--" in words:
        return list(words)
    own = [word for word in words if word in OWN]
    return ["lab", *own, "--", *(word for word in words[1:] if word not in OWN)]


def _show_lab(result: Any) -> None:
    """Nothing: JupyterLab said all there is."""


def doctor(args: argparse.Namespace) -> Any:
    """Look at what this computer has: found, or how to get it."""
    from kit.checks.doctor import examine

    return examine(args.board)


def _show_doctor(checks: Any) -> None:
    console.print(checks)


def generate(args: argparse.Namespace) -> Any:
    """Turn a model into C, by the open engine or by ST's tool."""
    from kit.generate import generate_network as make

    settings = _settings(args, "from_zip")
    made = make(args.model, args.out, args.engine, args.input_range, **settings)
    return asdict(made) | {"macs": made.macs}


def _settings(args: argparse.Namespace, *more: str) -> dict[str, Any]:
    """What was chosen for ST's tool, whose lines are shown as they come."""
    names = ("compression", "optimization", "tool", *more)
    chosen = {name: getattr(args, name) for name in names}
    return chosen | ({"watch": _watch} if args.engine == "xcubeai" else {})


def _watch(line: str) -> None:
    if os.environ.get("KIT_PROGRESS") != "0":
        print(f"  {line}", file=sys.stderr, flush=True)


def _show_generate(made: Any) -> None:
    from kit.model import describe_range

    rows = [
        [layer["name"], layer["operator"], layer["macs"], layer["weights_bytes"]]
        for layer in made["layers"]
    ]
    title = f"{made['model']} as C in {made['folder']}"
    console.print(_table(title, ["layer", "operator", "MACs", "weights, bytes"], rows))
    print(f"weights {made['weights_bytes']:,} bytes, arena {made['arena_bytes']:,} bytes")
    print(describe_range(made["input_range"], made["input"]["dtype"]))
    if made["runtime"]:
        _show_runtime(made)


def _show_runtime(made: Any) -> None:
    flash, ram = made["kernel_flash_bytes"], made["kernel_ram_bytes"]
    if flash is not None and ram is not None:
        print(f"kernels {flash:,} bytes of flash, {ram:,} bytes of RAM")
    runtime = made["runtime"]
    print(f"{runtime['api']} API, {runtime['tool']} {runtime['version']}, {runtime['library']}")
    _show_remark(runtime["remark"])


def validate(args: argparse.Namespace) -> Any:
    """Compare LiteRT's reference kernels, the C on this computer and the C on the board."""
    from kit.checks import validate as check
    from kit.generate import check_engine
    from kit.progress import each

    check_engine(args.engine, {"mode": args.mode} | _settings(args))
    if args.engine == "xcubeai":
        return _validate_by_st(args)
    if args.random:
        inputs = check.random_inputs(args.model, args.random)
        what = f"{len(inputs):,} random inputs"
    else:
        inputs = check.test_images(args.model, args.images, args.input_range)
        what = f"{len(inputs):,} MNIST test images"
    board = args.board or "virtual://validate"
    return check.validate_model(args.model, inputs, what, board, each(f"asking {board}"))


def _validate_by_st(args: argparse.Namespace) -> Any:
    from kit.checks import validate as check
    from kit.generate.xcubeai import Settings

    count = args.random or args.images
    inputs: Any = count
    what = f"{count:,} random inputs"
    if Path(args.model).suffix == ".tflite" and args.random:
        inputs = check.random_inputs(args.model, count)
    elif Path(args.model).suffix == ".tflite":
        inputs = check.test_images(args.model, count, args.input_range)
        what = f"{count:,} MNIST test images"
    settings = Settings(**_settings(args))
    mode = args.mode or "host"
    return check.validate_by_st(args.model, inputs, what, mode, args.board, settings)


def _show_st(result: Any) -> None:
    names = list(dict.fromkeys(name for row in result.metrics for name in row.values))
    rows = [[row.name, *(f"{row.values.get(n, float('nan')):.6g}" for n in names)]
            for row in result.metrics]  # fmt: skip
    title = f"{result.model} on {result.inputs}, validated by {result.tool} ({result.mode})"
    console.print(_table(title, ["ST's evaluation", *names], rows))
    if result.milliseconds is not None:
        print(f"{result.milliseconds:g} ms an inference")
    if result.comparison is None:
        print(f"Not compared with LiteRT: {result.remark}")
        return
    c = result.comparison
    print(f"Compared with LiteRT's reference kernels: {c.mismatches:,} of {c.rows:,} rows differ, "
          f"by {c.largest:.3g} at most, {c.same_digit:,} with the same digit.")  # fmt: skip


def _show_validate(result: Any) -> None:
    if hasattr(result, "metrics"):
        _show_st(result)
        return
    title = f"{result.model} on {result.inputs}, compared with LiteRT's reference kernels"
    columns = ["computed by", "rows", "differ", "by at most", "same digit"]
    rows = [
        [c.name, c.rows, c.mismatches, f"{c.largest:.3g}", c.same_digit] for c in result.comparisons
    ]
    console.print(_table(title, columns, rows))
    print("The C is right." if result.right else "The C DIFFERS from the reference.")


def build(args: argparse.Namespace) -> Any:
    """Build the firmware around a generated network."""
    from kit.compile import build_firmware as make

    folder = args.network or paths.build_folder() / "network"
    out = Path(args.out).resolve() if args.out else "."
    made = make(folder, out, find_mcu(args.mcu), args.compiler)
    sizes = {"flash_bytes": made.memory.flash_bytes, "ram_bytes": made.memory.ram_bytes}
    return {"elf": made.elf, "bin": made.bin, "mcu": made.mcu.name, **sizes, "remark": made.remark}


def _show_build(made: Any) -> None:
    mcu = find_mcu(made["mcu"])
    print(f"{made['elf']}\n{made['bin']}")
    print(f"for the {mcu.board}: flash {made['flash_bytes']:,} of {mcu.flash_bytes:,} bytes, "
          f"RAM {made['ram_bytes']:,} of {mcu.ram_bytes:,} bytes")  # fmt: skip
    _show_remark(made["remark"])


def _show_remark(text: str) -> None:
    if text:
        print(f"Note: {text}")


def boards(args: argparse.Namespace) -> Any:
    """List the boards that are plugged in, and the virtual ones that have a program."""
    from kit.board.probes import list_boards as look

    return look()


def _show_boards(found: Any) -> None:
    rows = [[p.port, p.board, p.kind, p.serial_number, p.drive.path if p.drive else ""]
            for p in found.probes]  # fmt: skip
    rows += [["(no port known)", drive.board, "", "", drive.path] for drive in found.drives]
    rows += [[url, board, "virtual", "", ""] for url, board in found.virtual]
    if rows:
        names = ["address", "board", "ST-LINK", "serial number", "drive"]
        console.print(_table("Boards", names, rows))
    count = len(found.other_ports)
    print(f"{count} other serial port{'' if count == 1 else 's'}")
    if not found.probes:
        print(f"No board is plugged in. {found.advice()}.")


def flash(args: argparse.Namespace) -> Any:
    """Put the firmware into a board's flash and greet it."""
    from kit.board import Board
    from kit.board import flash as put
    from kit.board.address import scheme
    from kit.compile.firmware import remark_on

    done = put(args.board, args.elf or paths.build_folder() / FIRMWARE, args.tool)
    made = {"board": done.url, "how": str(done), "command": done.command}
    with Board(done.url) as board:
        hello = done.hello or board.hello()  # a real board was greeted after flashing
        status = None if scheme(done.url) == "replay" else board.status()
    remark = remark_on(hello.input.elements, hello.output.elements)
    return made | {"hello": hello, "status": status, "remark": remark}


def _show_flash(result: Any) -> None:
    hello, status, full = result["hello"], result["status"], find_mcu(result["hello"].mcu).core_hz
    source = f" ({status.clock_source})" if status else ""
    print(f"{result['how']}\n{result['board']} says hello: {hello.network}, engine {hello.engine}, "
          f"build {hello.build_id}, {hello.core_hz:,} Hz{source}")  # fmt: skip
    if hello.core_hz < full:
        print(f"That is not its full {full:,} Hz: part of its clock did not become ready in time. "
              "It works, only slower; another USB port or power supply may help.")  # fmt: skip
    _show_remark(result["remark"])


def recognize(args: argparse.Namespace) -> Any:
    """Recognize the digit in each picture or .npy file."""
    from kit.board import Board
    from kit.pictures import read_image

    read: list[tuple[str, Any]] = []
    for name in args.images:
        try:
            read.append((name, read_image(name, prepare=args.prepare)))
        except KitError as error:
            if len(args.images) == 1:
                raise
            read.append((name, error))
    answers: list[dict[str, Any]] = []
    with Board(args.board) as board:
        _say_other_model(board)
        for name, image in read:
            if isinstance(image, KitError):
                answers.append({"file": name, "error": str(image)})
                continue
            answer = board.recognize(image)
            answers.append({"file": name} | vars(answer) | {"values": answer.values})
    return _Recognized(answers)


class _Recognized(list[dict[str, Any]]):
    """An answer or an error of each file; right if there is no error."""

    @property
    def right(self) -> bool:
        return not any("error" in answer for answer in self)

    def as_dict(self) -> Any:
        """One object for one file, without its name; a list of them for several."""
        if len(self) > 1:
            return list(self)
        return {key: value for key, value in self[0].items() if key != "file"}


def _say_other_model(board: Any) -> None:
    from kit.lesson.artifacts import other_model

    if other := other_model(board):
        print(other, file=sys.stderr)


def _show_recognize(result: Any) -> None:
    if len(result) == 1:
        print(result[0]["digit"])
        _show_scores(**result[0])
        return
    for answer in result:
        if "error" in answer:
            print(f"{answer['file']}: not read", flush=True)
            print(f"\n{answer['error']}", file=sys.stderr)
        else:
            print(f"{answer['file']}: {answer['digit']}", flush=True)


def _show_scores(scores: Any, output: Any, values: Any, **_: Any) -> None:
    from kit.model import are_shares

    print(f"scores 0 to {len(scores) - 1}:", " ".join(f"{score:g}" for score in scores))
    if output.dtype != "float32":
        step, zero = output.scale, output.zero_point
        print(f"{output.dtype}: the real number is {step:g} * (score - {zero})")
    if not are_shares(values):
        print("These are no shares of 1: the network does not end in a softmax.")


def evaluate(args: argparse.Namespace) -> Any:
    """Recognize test images on a board and count the right answers."""
    from kit.board import Board
    from kit.digits import load_mnist
    from kit.progress import each

    _, (images, labels) = load_mnist()
    images, labels = images[: args.images], labels[: args.images]
    with Board(args.board) as board:
        _check_takes_mnist(board.described.network, board.described.input.elements, images[0].size)
        _say_other_model(board)
        scores = board.scores(images, each(f"asking {args.board}"))
        hello = board.described
    right = int((scores.argmax(axis=1) == labels).sum())
    return {"board": args.board, "images": len(images), "right": right,
            "accuracy": right / len(images), "outputs": scores.shape[1],
            "input_range": hello.input_range, "input_dtype": hello.input.dtype}  # fmt: skip


def _check_takes_mnist(network: str, takes: int, has: int) -> None:
    if takes != has:
        raise KitError(
            f"{network} on the board takes {takes:,} values; MNIST's images have {has}.",
            "`kit evaluate` asks about the images of MNIST's test set.",
            "Compare its model on inputs of its own size: `kit validate MODEL --random 1000`.",
        )


def _show_evaluate(result: Any) -> None:
    from kit.model import describe_range

    print(f"{result['right']:,} of {result['images']:,} right: {result['accuracy']:.2%}")
    print(describe_range(result["input_range"], result["input_dtype"]))
    if result["outputs"] < 10:
        print(f"The network has {result['outputs']} outputs: the digits above cannot be right.")


def selftest(args: argparse.Namespace) -> Any:
    """Ask a board everything it can be asked: a page to paste into a report."""
    from kit.checks.selftest import test_board as check
    from kit.progress import each

    return check(args.board, each("asking the board"))


def _show_selftest(result: Any) -> None:
    print(result)


def _count(most: int, what: str) -> Callable[[str], int]:
    """An argparse type: a whole number from 1 to `most`."""

    def convert(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            why = f"{text!r} is not a number from 1 to {most:,} ({what})"
            raise argparse.ArgumentTypeError(why)
        return int(text)

    return convert


_image_count = _count(10_000, "the test set")
_random_count = _count(100_000, "they are kept in memory")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kit", description=__doc__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(action: Callable[[argparse.Namespace], Any], show: Printer) -> argparse.ArgumentParser:
        name, text = action.__name__, action.__doc__ or ""
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--json", action="store_true", help="print JSON")
        command.set_defaults(action=action, show=show)
        return command

    _add_road(add)
    _add_board(add)
    return parser


def _add_road(add: Any) -> None:
    for action, show in ((run, _show_run), (refresh, _show_refresh), (reset, _show_reset)):
        command = add(action, show)
        command.add_argument("notebooks", nargs="*", help="such as 02; all when none is named")
        if action is run:
            command.add_argument("--board", help="ask this board; 04 and 05 when none is named")
    add(status, _show_status)
    add(lab, _show_lab).add_argument("options", nargs="*", help="JupyterLab's own, or a notebook")
    command = add(doctor, _show_doctor)
    command.add_argument("--board", help="also greet this board")
    command = add(generate, _show_generate)
    command.add_argument("model", help="int8 or float32 .tflite; for xcubeai also .keras, .h5")
    command.add_argument("--out", required=True, help="folder for the C; replaced as a whole")
    _add_engine(command)
    command.add_argument("--from-zip", help="xcubeai: a zip of ST Edge AI Developer Cloud")
    command = add(validate, _show_validate)
    command.add_argument("model", help="int8 or float32 .tflite; for xcubeai also .keras, .h5")
    _add_engine(command)
    modes = "xcubeai: on this computer, or on a board with ST's validation program"
    command.add_argument("--mode", choices=["host", "target"], help=modes)
    count = command.add_mutually_exclusive_group()
    count.add_argument("--images", type=_image_count, default=1000, help="of the test set: 1000")
    count.add_argument("--random", type=_random_count, help="this many random inputs instead")
    command.add_argument("--board", help="is flashed and asked; default: virtual://validate")


def _add_engine(command: argparse.ArgumentParser) -> None:
    command.add_argument("--input-range", nargs=2, type=float, metavar=("BLACK", "WHITE"),
                         help="what a pixel of 0 and one of 255 were in training, such as 0 1; "
                              "default: what the input's quantization tells")  # fmt: skip
    command.add_argument("--engine", default="portable", help="portable (default) or xcubeai")
    command.add_argument("--compression", help="xcubeai: none, lossless, low, medium or high")
    command.add_argument("--optimization", help="xcubeai: time, ram or balanced")
    command.add_argument("--tool", help="xcubeai: ST's program or its folder, when not found")


def _add_board(add: Any) -> None:
    def add_url(command: argparse.ArgumentParser) -> None:
        help_text = "COM5, /dev/ttyACM0, auto, ... (default: virtual://)"
        command.add_argument("--board", default="virtual://", help=help_text)

    command = add(record, _show_record)
    command.add_argument("file", help="such as lesson.rec; replaced when all went well")
    command.add_argument("notebooks", nargs="*", help="default: 04 05")
    add_url(command)
    command = add(build, _show_build)
    command.add_argument("--network", help="folder of the generated C; default: build/network")
    command.add_argument("--out", help="folder for firmware.elf and .bin; default: build")
    command.add_argument("--mcu", default=DEFAULT.name, help=f"default: {DEFAULT.name}")
    command.add_argument("--compiler", help="zig, or gcc, if installed; default: what fits")
    add(boards, _show_boards)
    command = add(flash, _show_flash)
    command.add_argument("--elf", help="default: build/firmware.elf")
    ways = "STM32_Programmer_CLI, openocd, st-flash, pyocd or drive; default: the first found"
    command.add_argument("--tool", help=ways)
    add_url(command)
    command = add(recognize, _show_recognize)
    files = (
        "pictures (PNG, JPEG, ...) or .npy: 28 x 28, light digit on black, or with --prepare any"
    )
    command.add_argument("images", nargs="+", metavar="image", help=files)
    command.add_argument("--prepare", action="store_true", help="any picture: make it like MNIST")
    add_url(command)
    command = add(evaluate, _show_evaluate)
    command.add_argument("--images", type=_image_count, default=10_000, help="default: all 10000")
    add_url(command)
    add_url(add(selftest, _show_selftest))


def _failed(result: Any) -> bool:
    """True for a result that must end the command with a non-zero exit code."""
    return getattr(result, "right", True) is False or getattr(result, "ready", True) is False


def _refused(error: OSError) -> KitError:
    """What no station foresaw: a read-only folder, a full disk, a cable pulled out."""
    return KitError(
        "The computer refused to read or write.",
        str(error),
        "Check that the folder can be written, the disk has space and the board is plugged in.",
    )


def _json(result: Any) -> str:
    if hasattr(result, "as_dict"):
        result = result.as_dict()
    return json.dumps(result, default=_plain, indent=2)


def _resolve_board(args: argparse.Namespace) -> None:
    """`--board auto` becomes the address of a board, once for the whole command; what is no
    address is told before anything is done."""
    if getattr(args, "board", None) is not None:
        from kit.board.ports import resolve

        args.board = resolve(args.board)


def _told(result: Any, args: argparse.Namespace) -> bool:
    """Print a result; False where nobody reads it any longer, as behind `| head -1`."""
    try:
        print(_json(result)) if args.json else args.show(result)
        if sys.stdout:
            sys.stdout.flush()
    except (OSError, SystemExit) as error:  # rich exits; Windows has no EPIPE
        if isinstance(error, OSError) and error.errno not in (errno.EPIPE, errno.EINVAL):
            raise
        with suppress(OSError, ValueError, AttributeError):  # what is left must go somewhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def _complain(text: object) -> None:
    with suppress(OSError):  # nobody reads stderr either
        print(f"\n{text}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 after a KitError or a failed check, 130 after
    Ctrl-C, 141 where nobody reads what is printed (as a shell tells of SIGPIPE), or 2 for a wrong
    command line."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    args = _parser().parse_args(_for_jupyterlab(words))
    try:
        _resolve_board(args)
        result = args.action(args)
        if not _told(result, args):
            return 141
    except KitError as error:
        _complain(error)
        return 1
    except OSError as error:
        _complain(_refused(error))
        return 1
    except KeyboardInterrupt:
        _complain("Stopped.")
        return 130
    return 1 if _failed(result) else 0
