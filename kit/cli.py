"""The `kit` command: each station of the road from the terminal.

Results go to stdout, as text or with --json as one JSON object; progress goes to stderr.
"""

import argparse
import errno
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from typing import Any

from rich.console import Console

import kit
from kit.errors import KitError

VERDICTS = ("right", "ready")
"""Properties that belong to the JSON of a result; where one is False, the command has failed."""
LAB_OWN = ("--json", "-h", "--help")  # of `kit lab`, whose other options are JupyterLab's


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 after a KitError or a failed check, 130 after
    Ctrl-C, 141 where nobody reads what is printed (as a shell tells of SIGPIPE), or 2 for a wrong
    command line."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        args = _parser().parse_args(_for_jupyterlab(words))
        if getattr(args, "board", None) is not None:  # "auto" becomes an address, for all of it
            args.board = kit.resolve(args.board)
        value, *shown = args.work(args)
        if not _printed([json.dumps(value, default=_plain, indent=2)] if args.json else shown):
            return 141
    except KitError as error:
        return _complain(error)
    except OSError as error:  # no station foresaw it: a read-only folder, a full disk, a cable out
        refused = KitError(
            "The computer refused to read or write.",
            str(error),
            "Check that the folder can be written, the disk has space and the board is plugged in.",
        )
        return _complain(refused)
    except ImportError as error:
        lacking = KitError(
            "A Python package that the kit needs is missing or broken.",
            f"{error}.",
            "Remove the folder .venv and run this again: it is made anew. In an environment of "
            "your own, install what environment.yml lists.",
        )
        return _complain(lacking)
    except KeyboardInterrupt:
        return _complain("Stopped.", 130)
    if isinstance(value, list):
        return int(any("error" in one for one in value))
    return int(any(getattr(value, name, True) is False for name in VERDICTS))


def _parser() -> argparse.ArgumentParser:
    from kit.commands import COMMANDS, EITHER  # here, so that main() tells of a missing package

    parser = argparse.ArgumentParser(prog="kit", description=__doc__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for work, arguments in COMMANDS.items():
        name, text = work.__name__.lstrip("_"), work.__doc__
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--json", action="store_true", help="print JSON")
        command.set_defaults(work=work)
        for argument, told in arguments.items():
            either: Any = command if argument != EITHER else command.add_mutually_exclusive_group()
            for one, settings in told.items() if argument == EITHER else [(argument, told)]:
                settings = {"help": settings} if isinstance(settings, str) else settings
                either.add_argument(one, **settings)
    return parser


def _for_jupyterlab(words: list[str]) -> list[str]:
    """The words of `kit lab`, with "--" before what argparse is not to take for its own."""
    if words[:1] != ["lab"] or "--" in words:
        return words
    own = [word for word in words if word in LAB_OWN]
    return ["lab", *own, "--", *(word for word in words[1:] if word not in LAB_OWN)]


def _plain(value: Any) -> Any:
    """What json cannot do by itself: paths, dataclasses, numpy's numbers and arrays."""
    if is_dataclass(value) and not isinstance(value, type):
        verdicts = {name: getattr(value, name) for name in VERDICTS if hasattr(value, name)}
        return verdicts | asdict(value)
    return value.tolist() if hasattr(value, "tolist") else os.fspath(value)


def _printed(shown: Sequence[Any]) -> bool:
    """Print a result; False where nobody reads it any longer, as behind `| head -1`."""
    try:
        for part in filter(None, shown):
            if isinstance(part, KitError):
                _complain(part)
            elif isinstance(part, str | os.PathLike):
                print(part, flush=True)  # as it is: rich takes brackets for markup
            else:
                Console().print(part)
    except (OSError, SystemExit) as error:  # rich exits; Windows has no EPIPE
        if isinstance(error, OSError) and error.errno not in (errno.EPIPE, errno.EINVAL):
            raise
        with suppress(OSError, ValueError, AttributeError):  # what is left must go somewhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def _complain(text: object, code: int = 1) -> int:
    with suppress(OSError):  # nobody reads stderr either
        print(f"\n{text}", file=sys.stderr)
    return code
