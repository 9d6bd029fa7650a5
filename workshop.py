#!/usr/bin/env python3
"""Sets up this folder and runs the workshop; needs Python 3.11 to 3.13 and nothing else.

The first call makes the folder .venv and installs the packages of requirements.lock into it; later
calls find it complete and start at once. The file keeps to syntax that older Pythons can read, so
that they can say what is missing, or hand over to a Python that fits.
"""

import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import time
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path

THIS = os.path.abspath(__file__)
if os.path.islink(THIS):  # the project is where the file is; elsewhere paths stay as they are given
    THIS = os.path.realpath(THIS)
HERE = Path(THIS).parent
LOCK = HERE / "requirements.lock"
PROJECT = HERE / "pyproject.toml"
VENV = HERE / ".venv"
VENV_BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
VENV_PYTHON = VENV_BIN / ("python.exe" if os.name == "nt" else "python")
BASE_PYTHON = getattr(sys, "_base_executable", None) or sys.executable  # also inside an environment
STAMP = VENV / "workshop.json"
TURN = HERE / ".venv.lock"  # locked while a set-up runs, whose process it names
WHEELS = HERE / "wheels"  # packages brought along, for a room without a network
LOG = VENV / "pip.log"

# Every package of requirements.lock has a wheel for each of these: `lock` checks it.
PYTHONS = ("3.13", "3.12", "3.11")
LAUNCHER = [["py", "-" + version] for version in PYTHONS] if os.name == "nt" else []
CANDIDATES = [*LAUNCHER, *(["python" + version] for version in PYTHONS)]
SYSTEMS = {  # our name: uv's name
    "win-amd64": "x86_64-pc-windows-msvc",
    "macosx-arm64": "aarch64-apple-darwin",
    "linux-x86_64": "x86_64-manylinux_2_28",
    "linux-aarch64": "aarch64-manylinux_2_28",
}
# Bytes: 3.3 GB installed, and 1 GB of downloads twice, in .venv and in pip's cache.
NEEDED = 5_500_000_000
# Windows: the characters of the longest path of a package below HERE, and of any path.
LONGEST_PATH, MAX_PATH = 187, 259

USAGE = """usage: python3 workshop.py COMMAND [OPTIONS]

{}

python3 workshop.py COMMAND --help tells more about a command.
The first call sets up the folder .venv: it downloads about 1 GB, takes 3 GB and 1 to 3 minutes.
For maintainers too: python3 workshop.py lock [--upgrade] pins the packages anew, with uv."""
TEST = "runs every test, and every notebook as a test (options go to pytest)"
KITS_OWN = re.compile(r"^\| `(\w+)[^`]*` \| (.+) \|$", re.MULTILINE)  # rows of a table in README.md

OWN_PYTHON = "install a 64-bit Python 3.13 of your own: https://www.python.org/downloads/"
# What pip's log says when it fails, why, and what helps; the first that is found counts.
SIGNS = (
    (
        "DO NOT MATCH THE HASHES",
        "A downloaded file is not the one that requirements.lock names.",
        "Try another network: this one, or a proxy, changes downloads.",
    ),
    (
        r"No space left on device|WinError 112\b",
        "The disk is full.",
        f"Free {NEEDED / 1e9:.1f} GB and repeat the command.",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED|SSLError",
        "The package index could not prove who it is; often a school's or company's proxy.",
        "Ask for the proxy's certificate and set PIP_CERT to its file; or try another network.",
    ),
    (
        "NewConnectionError|NameResolutionError|Connect(ion)?Timeout|ReadTimeout|ProxyError",
        "The package index could not be reached: no network, or a proxy is needed.",
        "Connect this computer (behind a proxy set HTTPS_PROXY) and repeat the command.",
    ),
    (
        "No matching distribution",
        "A package has no build for this computer: its system may be too old; or the folder "
        "wheels/ was filled on another kind of computer.",
        "Use Windows 10, macOS 13, a Linux with glibc 2.28 (2018), or later; with wheels/, fill "
        "it on a computer of this kind, or remove it.",
    ),
    ("", f"pip says it above; all of its output is in {LOG}.", "Repeat the command."),
)


class Trouble(Exception):
    """An error a user can act on: what happened, why, and what to do next."""

    def __init__(self, what: str, why: str, next_step: str) -> None:
        super().__init__(f"{what}\nWhy: {why}\nNext: {next_step}")


say = partial(print, flush=True)  # at once: lines stay in order with those of programs started


# ---- Which Python ----


def system() -> str:
    """The system this Python was built for, as the names of wheels have it."""
    if os.name == "nt":
        return sysconfig.get_platform()
    return {"darwin": "macosx"}.get(sys.platform, sys.platform) + "-" + platform.machine()


def unsuited() -> str:
    """Why this Python cannot run the workshop; an empty text when it can."""
    if "{}.{}".format(*sys.version_info[:2]) not in PYTHONS:
        return f"This is Python {platform.python_version()}; the workshop needs 3.11 to 3.13."
    if platform.python_implementation() != "CPython":
        return f"This is {platform.python_implementation()}; TensorFlow needs the usual CPython."
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "This is a free-threaded Python; TensorFlow needs the usual one."
    if sys.maxsize < 2**32:
        return "This is a 32-bit Python; TensorFlow needs a 64-bit one."
    if system() not in SYSTEMS:
        return f"There is no TensorFlow for {system()}, only for {', '.join(SYSTEMS)}."
    if sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
        return "This Linux has no glibc (Alpine?), and TensorFlow is built for glibc only."
    return ""


def run_elsewhere(arguments: list, why: str) -> int:
    """Runs this file again with a Python that finds itself suited."""
    silent = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    for command in CANDIDATES:
        with suppress(OSError, subprocess.TimeoutExpired):
            if subprocess.call([*command, THIS, "--suited"], timeout=60, **silent) == 0:
                say(f"{why} Going on with {' '.join(command)}.")
                return call([*command, THIS, *arguments])
    what = "No Python found on this computer can run the workshop."
    raise Trouble(what, why, f"On {', '.join(SYSTEMS)}, {OWN_PYTHON}")


# ---- Running programs ----


def environment() -> dict:
    """The environment of everything started: .venv first, and nothing that reaches around it."""
    variables = dict(
        os.environ,
        VIRTUAL_ENV=str(VENV),
        PATH=str(VENV_BIN) + os.pathsep + os.environ.get("PATH", os.defpath),
        PYTHONUTF8="1",  # text files read the same on Windows
        PYTHONNOUSERSITE="1",  # packages in the home folder stay out
        PIP_USER="0",  # and none is installed there
        JUPYTER_PREFER_ENV_PATH="1",  # the kernel of .venv, not one of the home folder
        KERAS_BACKEND="tensorflow",  # whatever ~/.keras says
        TF_CPP_MIN_LOG_LEVEL="3",  # errors only
        TF_ENABLE_ONEDNN_OPTS="0",  # the same sums on every processor
    )
    for name in ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__"):
        variables.pop(name, None)
    return variables


def call(command: list, **options) -> int:
    """Runs a program and returns its exit code; Ctrl-C is the program's to handle."""
    process = subprocess.Popen([str(part) for part in command], **options)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            code = process.wait()
            return 128 - code if code < 0 else code
        except KeyboardInterrupt:  # it got the signal too; JupyterLab, for one, asks before it ends
            continue


def step(command: list, **changes) -> bool:
    """Runs a program of the set-up, which holds `only_set_up()` too; True when it went well."""
    words, variables = [str(part) for part in command], {**environment(), **changes}
    return subprocess.call(words, env=variables, close_fds=False) == 0


# ---- The set-up ----


def stamp() -> dict:
    """What .venv depends on: its place, since its programs contain it, its Python, two files."""
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (LOCK, PROJECT)}
    return dict(files, folder=str(VENV), python=venv_version())


def venv_version() -> str:
    """The version of .venv's Python, such as 3.12; an empty text when it does not start."""
    question = [str(VENV_PYTHON), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        answer = subprocess.check_output(question, stderr=subprocess.DEVNULL, env=environment())
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.decode().strip()


def outdated() -> str:
    """Why .venv has to be made, or made anew; an empty text when it is complete."""
    if not VENV.exists():
        return "first use"
    try:
        then, now = json.loads(STAMP.read_text()), stamp()
    except (OSError, ValueError):
        return "the last set-up was not finished"
    if not (os.path.exists(then["folder"]) and os.path.samefile(then["folder"], str(VENV))):
        return "the folder was moved"
    if now["python"] != then["python"]:
        return "its Python is gone"
    changed = [path.name for path in (LOCK, PROJECT) if now[path.name] != then[path.name]]
    return changed[0] + " has changed" if changed else ""


@contextmanager
def only_set_up():
    """Waits until no other set-up runs in this folder. The system drops a lock when its programs
    end, however they do."""
    try:
        file = os.open(str(TURN), os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        what = f"Nothing can be written in {HERE}."
        raise Trouble(what, f"{error}.", "Copy the folder into your home folder.") from None
    os.set_inheritable(file, True)  # pip goes on when this program is killed
    try:
        if not locked(file):
            number = os.read(file, 20).decode("ascii", "replace").strip()
            say(f"Another set-up is running in this folder (process {number}); waiting.")
            while not locked(file):
                time.sleep(0.2)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, str(os.getpid()).ljust(20).encode())
        yield
    finally:
        os.close(file)


def locked(file: int) -> bool:
    """Locks an open file; False while another program has it. Some network drives know no locks."""
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(file, 1000, os.SEEK_SET)  # behind the number: Windows lets no one read a lock
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.lseek(file, 0, os.SEEK_SET)
        return False
    except OSError:
        pass
    return True


def check_ours(reason: str) -> None:
    """Refuses to replace an environment that was made by someone else, who may be using it."""
    if VENV.is_symlink():
        why = "It is a link to the one of another folder"
    elif not VENV.exists():
        return
    elif os.name == "posix" and os.getuid() not in (0, VENV.stat().st_uid):
        why = "It belongs to another user"
    elif not os.access(str(VENV), os.W_OK):
        why = "It may not be written"
    else:
        return
    raise Trouble(
        f"{VENV} has to be made anew ({reason}), and is not yours to replace.",
        f"{why}, and others may be using it.",
        "Copy this folder without .venv into your home folder and repeat the command there; or ask "
        "whoever set it up to repeat it here.",
    )


def set_up(reason: str) -> None:
    """Makes .venv anew: after any change that is simpler and surer than to repair it."""
    say(f"Setting up {VENV} ({reason}).")
    start = time.monotonic()
    remove_environment()
    check_disk()
    check_path_length()
    make_environment()
    install_packages()
    install_kit()
    STAMP.write_text(json.dumps(stamp(), indent=1))  # whatever interrupts it leaves no whole one
    say(f"Set up in {time.monotonic() - start:.0f} s. From here on no network is needed.\n")


def remove_environment() -> None:
    """Removes .venv, its stamp first; what pip has downloaded stays in its cache."""
    try:
        if STAMP.exists():
            STAMP.unlink()
        if VENV.exists():
            shutil.rmtree(str(VENV))
    except OSError as error:
        raise Trouble(
            f"{VENV} could not be removed.",
            f"{error}. Perhaps a program started from it, such as JupyterLab, is still running.",
            "Close it and repeat the command in another terminal; or remove .venv yourself.",
        ) from None


def check_disk() -> None:
    """Finds out before the download whether there is room for the packages."""
    free = shutil.disk_usage(str(HERE)).free
    if free < NEEDED:
        raise Trouble(
            f"The disk of {HERE} is too full.",
            f"The set-up needs {NEEDED / 1e9:.1f} GB; {free / 1e9:.1f} GB are free.",
            "Free some space, or move the folder to another disk.",
        )


def check_path_length() -> None:
    """Windows cannot open a path of more than 259 characters, unless it is set to."""
    room = MAX_PATH - len("\\") - LONGEST_PATH
    if len(str(HERE)) > room and not long_paths():
        raise Trouble(
            f"The path of this folder is too long: {HERE}",
            f"TensorFlow adds {LONGEST_PATH} of the {MAX_PATH} characters that Windows allows.",
            f"Move the folder so that its path has at most {room} characters, such as C:\\digits; "
            "or have an administrator switch on LongPathsEnabled.",
        )


def long_paths() -> bool:
    """Whether the system opens paths of any length; on Windows that is a setting."""
    if os.name != "nt":
        return True
    import winreg

    key = r"SYSTEM\CurrentControlSet\Control\FileSystem"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as settings:
            return bool(winreg.QueryValueEx(settings, "LongPathsEnabled")[0])
    except OSError:
        return False


def make_environment() -> None:
    """Makes an empty .venv. Debian leaves out ensurepip; a pip outside .venv will do as well."""
    say("[1/3] An environment of its own in .venv: some seconds")
    missing = [name for name in ("venv", "ensurepip") if not find_spec(name)]
    without_pip = ["--without-pip"] if missing == ["ensurepip"] and find_spec("pip") else []
    possible = without_pip or not missing
    if possible and step([BASE_PYTHON, "-m", "venv", *without_pip, VENV]):
        return
    raise Trouble(
        f"{BASE_PYTHON} could not make {VENV}.",
        f"It lacks {' and '.join(missing)}." if missing else "Python says it above.",
        "Debian, Ubuntu: sudo apt install python{}.{}-venv. ".format(*sys.version_info[:2])
        + f"Elsewhere, or without administrator rights, {OWN_PYTHON}",
    )


def pip_install(*arguments, **changes) -> None:
    """pip install into .venv; says what is wrong when it fails."""
    pip = [VENV_PYTHON, "-m", "pip"]
    if not find_spec("ensurepip"):
        pip = [BASE_PYTHON, "-m", "pip", "--python", VENV_PYTHON]
    usual = ["--disable-pip-version-check", "--no-input", "--log", LOG, "install", "--no-deps"]
    if not step([*pip, *usual, *arguments], **changes):
        log = LOG.read_text(encoding="utf-8", errors="replace") if LOG.exists() else ""
        helps = next(helps for sign, *helps in SIGNS if re.search(sign, log))
        raise Trouble("The packages could not be installed.", *helps)


def install_packages() -> None:
    """Installs exactly the files of requirements.lock, each checked by its hash; none is built."""
    source = f"from {WHEELS}" if WHEELS.is_dir() else "about 1 GB to download"
    say(f"[2/3] The packages of requirements.lock, {source}: 1 to 3 minutes")
    downloads = VENV / "tmp"  # not /tmp, which may be small or in memory
    downloads.mkdir()
    checked = ["--require-hashes", "--only-binary", ":all:", "--no-compile", "-r", LOCK]
    offline = ["--no-index", "--find-links", WHEELS] if WHEELS.is_dir() else []
    pip_install(*checked, *offline, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(downloads)))
    shutil.rmtree(str(downloads), ignore_errors=True)


def install_kit() -> None:
    """Installs `kit` so that .venv uses this folder's files; no network.

    Keeps the notebooks as they are for `reset`, and has each notebook load kit/lesson/hints.py.
    """
    say("[3/3] This project itself: some seconds")
    pip_install("--no-build-isolation", "--no-index", "--editable", HERE)
    shutil.copytree(str(HERE / "notebooks"), str(VENV / "originals" / "notebooks"))
    settings = VENV / "etc" / "ipython" / "ipython_config.json"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"InteractiveShellApp": {"extensions": ["kit.lesson.hints"]}}')


# ---- The commands ----


def test_command(arguments: list) -> list:
    """pytest over tests/ and notebooks/, or over the paths among the arguments."""
    nbval = ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", "tests/sanitize.cfg"]
    given = any((HERE / word.split("::")[0]).exists() for word in arguments)
    return ["-m", "pytest", *nbval, *([] if given else ["tests", "notebooks"]), *arguments]


def lock(arguments: list) -> int:
    """For maintainers: pins the packages of pyproject.toml, and checks that each has its wheels."""
    how = "--universal --fork-strategy fewest --python-version 3.11 --group test --generate-hashes"
    bare = "--no-emit-index-url --no-header --no-annotate --quiet --output-file requirements.lock"
    check = "--dry-run --no-deps --require-hashes --only-binary :all: --quiet --target none"
    with tempfile.TemporaryDirectory() as folder:
        uv = shutil.which("uv")
        if not uv:
            call([sys.executable, "-m", "pip", "install", "--target", folder, "uv"])
        pip = [uv or Path(folder, "bin", "uv"), "pip"]
        compiles = [*pip, "compile", PROJECT.name, *how.split(), *bare.split(), *arguments]
        code = call(compiles, cwd=str(HERE))
        for name, python in itertools.product(SYSTEMS, PYTHONS):
            say(f"Wheels for {name} and Python {python}")
            place = ["--python-platform", SYSTEMS[name], "--python-version", python]
            code = code or call([*pip, "install", *check.split(), *place, "-r", LOCK], cwd=folder)
    return code


def run(arguments: list) -> int:
    """Sets up what is missing, then runs the command."""
    reason = outdated()
    if reason and unsuited():
        return run_elsewhere(arguments, unsuited())
    if reason:
        check_ours(reason)
        with only_set_up():
            reason = outdated()  # another set-up may have just ended
            if reason:
                set_up(reason)
    if arguments[0] != "test":
        # -P: a `kit` in the folder where someone happens to be is not this one
        return call([VENV_PYTHON, "-P", "-m", "kit", *arguments], env=environment())
    command = test_command(arguments[1:])
    say(" ".join(["python", *command]))
    return call([VENV_PYTHON, *command], env=environment(), cwd=str(HERE))


def commands() -> dict:
    """What each command does; all but `test` are the `kit` command's, as README.md tells them."""
    readme = HERE / "README.md"
    rows = KITS_OWN.findall(readme.read_text(encoding="utf-8")) if readme.exists() else ()
    return dict(((name, what.replace("`", "")) for name, what in rows), test=TEST)


def main(arguments: list) -> int:
    """Understands the command line; returns the exit code."""
    if arguments == ["--suited"]:
        return 1 if unsuited() else 0
    known = commands()
    if not arguments or arguments[0] in ("-h", "--help"):
        rows = (f"{name:10} {what}" for name, what in known.items())
        around = {"initial_indent": "  ", "subsequent_indent": " " * 13}
        say(USAGE.format("\n".join(textwrap.fill(row, 98, **around) for row in rows)))
        return 0 if arguments else 2
    if arguments[0] == "lock":
        return lock(arguments[1:])
    if arguments[0] not in known and len(known) > 1:
        why = f"The commands are {', '.join(known)}."
        raise Trouble(f"There is no command {arguments[0]}.", why, "python3 workshop.py --help")
    return run(arguments)


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a path may not fit the terminal's alphabet
    try:
        sys.exit(main(sys.argv[1:]))
    except (Trouble, OSError) as trouble:
        sys.exit(f"\n{trouble}")
    except KeyboardInterrupt:
        sys.exit("\nStopped. The next call begins the set-up anew; downloads are kept.")
