"""workshop.py: set up once, whole or not at all; start at once after that; never a traceback.

A real set-up takes 3 GB, so these tests make a small project of their own (in a folder with spaces
and foreign letters) whose lock holds one package, taken from what is installed here: everything is
real but the amount. No test needs a network.
"""

import ast
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distribution
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
WORKSHOP = ROOT / "workshop.py"
KIT = """import json, os, sys
print(json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ), "kit": __file__}))
sys.exit(7)
"""
PROJECT = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "small"
version = "1"
[tool.setuptools]
packages = ["kit"]
"""
SET_UP = "Setting up"


@pytest.fixture
def workshop(tmp_path):
    """workshop.py as a module, in a folder of its own where nothing is set up."""
    shutil.copy(WORKSHOP, tmp_path)
    spec = importlib.util.spec_from_file_location("workshop", tmp_path / "workshop.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shutil.copy(README, tmp_path)
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    return module


def wheel_of(name, folder):
    """An installed pure-Python package, packed into a wheel again."""
    package = distribution(name)
    path = folder / f"{name}-{package.version}-py3-none-any.whl"
    files = [file for file in package.files or [] if "__pycache__" not in file.parts]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            if ".." not in file.parts:
                archive.write(str(file.locate()), str(file))
    return path


class Small:
    """A small project beside a copy of workshop.py."""

    def __init__(self, folder, wheels):
        self.folder, self.wheels = folder, wheels
        wheel = next(wheels.glob("*.whl"))
        name, version, *_ = wheel.name.split("-")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        (folder / "kit").mkdir(parents=True)
        (folder / "kit" / "__init__.py").write_text("")
        (folder / "kit" / "__main__.py").write_text(KIT)
        (folder / "notebooks").mkdir()
        (folder / "notebooks" / "01.ipynb").write_text("as it came")
        (folder / "pyproject.toml").write_text(PROJECT)
        shutil.copy(README, folder)
        self.lock = folder / "requirements.lock"
        self.lock.write_text(f"{name}=={version} \\\n    --hash=sha256:{digest}\n")
        text = WORKSHOP.read_text(encoding="utf-8")
        text = re.sub("NEEDED = .*", "NEEDED = 0", text, count=1)  # a fuller disk will do for this
        (folder / "workshop.py").write_text(text, encoding="utf-8")

    @property
    def venv(self):
        return self.folder / ".venv"

    def call(self, *arguments, **environment):
        """python workshop.py ARGUMENTS, with the wheels as the only package index."""
        command = [sys.executable, str(self.folder / "workshop.py"), *arguments]
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": ""}
        variables = {**os.environ, **offline, "PYTHONIOENCODING": "utf-8", **environment}
        variables = {name: value for name, value in variables.items() if value != "(unset)"}
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", env=variables, cwd=self.folder.parent
        )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    wheel_of("setuptools", folder)
    return folder


@pytest.fixture(scope="module")
def set_up_once(wheels, tmp_path_factory):
    """A small project after its first call."""
    small = Small(tmp_path_factory.mktemp("Übung für 数字") / "digits on stm32", wheels)
    return small, small.call("doctor", "--json")


@pytest.fixture
def small(set_up_once, tmp_path):
    """The same before its first call, for what goes wrong."""
    return Small(tmp_path / "other folder", set_up_once[0].wheels)


def kit_says(result):
    """What the small project's kit printed last."""
    return json.loads(result.stdout.splitlines()[-1])


def assert_clear_error(result):
    """What, why and next, a non-zero exit code, and no traceback."""
    assert result.returncode == 1
    assert re.search(r"\n.+\nWhy: .+\nNext: .+", result.stderr), result.stderr
    assert "Traceback" not in result.stdout + result.stderr


# ---- The set-up for real ----


def test_first_call_sets_up_and_runs_the_command(set_up_once):
    """Locked packages, then kit from this folder's files; arguments and exit code go through."""
    small, first = set_up_once
    assert SET_UP in first.stdout, first.stderr
    assert first.returncode == 7
    answer = kit_says(first)
    assert answer["arguments"] == ["doctor", "--json"]
    assert Path(answer["kit"]) == small.folder / "kit" / "__main__.py"
    assert answer["environment"]["VIRTUAL_ENV"] == str(small.venv)
    assert not (small.venv / "tmp").exists()
    assert (small.venv / "originals" / "notebooks" / "01.ipynb").read_text() == "as it came"
    settings = json.loads((small.venv / "etc" / "ipython" / "ipython_config.json").read_text())
    assert settings == {"InteractiveShellApp": {"extensions": ["kit.lesson.hints"]}}


def test_second_call_uses_neither_pip_nor_an_index_nor_settings_from_outside(set_up_once):
    """A complete .venv is used as it is: even with pip out of reach. A foreign PYTHONPATH, Keras
    backend or package in the home folder changes nothing."""
    small, _ = set_up_once
    pip = next(small.venv.rglob("site-packages")) / "pip"
    pip.rename(pip.with_name("hidden"))
    foreign = {"PYTHONPATH": str(ROOT / "tests"), "KERAS_BACKEND": "torch"}
    try:
        second = small.call("run", PIP_FIND_LINKS="(unset)", **foreign)
    finally:
        pip.with_name("hidden").rename(pip)
    assert SET_UP not in second.stdout
    answer = kit_says(second)
    assert answer["arguments"] == ["run"] and "PYTHONPATH" not in answer["environment"]
    expected = {"KERAS_BACKEND": "tensorflow", "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1"}
    assert answer["environment"].items() >= expected.items()


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_to_the_file_is_the_project(set_up_once, tmp_path):
    """Nothing is set up where the link is, and a foreign `kit` there is not run."""
    small, first = set_up_once
    (tmp_path / "link.py").symlink_to(small.folder / "workshop.py")
    (tmp_path / "kit.py").write_text("raise SystemExit('another kit')")
    command = [sys.executable, "link.py", "doctor", "--json"]
    linked = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=tmp_path)
    assert linked.returncode == 7, linked.stderr
    assert kit_says(linked)["kit"] == kit_says(first)["kit"]
    assert not (tmp_path / ".venv").exists()


@pytest.mark.deep
def test_a_changed_hash_is_refused_and_leaves_nothing_half_done(small):
    """A file that is not the locked one is not installed, and the next call starts over."""
    good = small.lock.read_text()
    small.lock.write_text(re.sub("sha256:.*", "sha256:" + "0" * 64, good))
    refused = small.call("run")
    assert_clear_error(refused)
    assert "not the one that requirements.lock names" in refused.stderr
    small.lock.write_text(good)
    again = small.call("run")
    assert "the last set-up was not finished" in again.stdout
    assert again.returncode == 7


@pytest.mark.deep
@pytest.mark.parametrize("brought", [False, True])
def test_no_network_at_the_first_set_up(small, brought):
    """Says that the index could not be reached (nothing listens on port 9), unless an instructor
    brought the packages along."""
    if brought:
        shutil.copytree(small.wheels, small.folder / "wheels")
    index = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    unset = {"PIP_NO_INDEX": "(unset)", "PIP_FIND_LINKS": "(unset)", "PIP_CONFIG_FILE": os.devnull}
    result = small.call("run", **index, **unset)
    if brought:
        assert result.returncode == 7, result.stderr
    else:
        assert_clear_error(result)
        assert "could not be reached" in result.stderr


@pytest.mark.deep
def test_a_second_call_during_the_first_waits_and_goes_on(small):
    """It neither removes what the first is making nor makes it again."""
    with ThreadPoolExecutor() as threads:
        first = threads.submit(small.call, "run")
        while not (small.venv.exists() or first.done()):
            time.sleep(0.01)
        second = small.call("doctor")
    assert SET_UP in first.result().stdout and first.result().returncode == 7
    assert re.search(r"Another set-up .* \(process \d+\); waiting", second.stdout)
    assert SET_UP not in second.stdout
    assert kit_says(second)["arguments"] == ["doctor"]


def test_the_lock_of_a_killed_set_up_is_gone(workshop):
    """The system drops it; its file alone keeps nobody waiting."""
    script = "import workshop\nwith workshop.only_set_up():\n print(1, flush=True)\n input()"
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=workshop.HERE, stdin=pipe, stdout=pipe) as other:
        assert other.stdout and other.stdout.readline()
        with open(workshop.TURN, "r+b") as file:
            assert not workshop.locked(file.fileno())
        other.kill()
        other.wait()
    with workshop.only_set_up():
        pass


def test_a_shared_environment_is_not_replaced(complete, monkeypatch, tmp_path):
    """One who may not write, or owns it not, gets words; what is there stays as it was."""
    complete.LOCK.write_text("# other\n")
    before = complete.STAMP.read_text()
    with monkeypatch.context() as patch:
        patch.setattr(complete.os, "access", lambda *_: False)
        assert "may not be written" in refusal(complete, "run", ["doctor"])
    if os.name == "posix":
        with monkeypatch.context() as patch:
            patch.setattr(complete.os, "getuid", lambda: complete.VENV.stat().st_uid + 1)
            assert "belongs to another user" in refusal(complete, "run", ["doctor"])
        complete.VENV.rename(tmp_path / "shared")
        complete.VENV.symlink_to(tmp_path / "shared")
        assert "is a link" in refusal(complete, "run", ["doctor"])
    assert complete.STAMP.read_text() == before


def test_a_complete_environment_needs_nothing_to_be_written(complete, monkeypatch):
    """A class may share a folder that only its owner may write."""
    monkeypatch.setattr(complete.os, "open", refuse)
    monkeypatch.setattr(complete, "call", lambda *_, **__: 7)
    assert complete.run(["doctor"]) == 7
    complete.STAMP.unlink()
    assert "Permission denied" in refusal(complete, "run", ["doctor"])


# ---- When .venv counts as complete ----


@pytest.fixture
def complete(workshop, monkeypatch):
    """A set-up that went well, with every program replaced by a success."""
    workshop.VENV.mkdir()
    monkeypatch.setattr(workshop, "venv_version", lambda: "3.12")
    workshop.STAMP.write_text(json.dumps(workshop.stamp()))
    assert workshop.outdated() == ""
    return workshop


def test_without_an_environment_it_is_the_first_use(workshop):
    assert (workshop.outdated(), workshop.venv_version()) == ("first use", "")


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("requirements.lock", "# other\n", "requirements.lock has changed"),
        ("pyproject.toml", "# other\n", "pyproject.toml has changed"),
        (".venv/workshop.json", "", "the last set-up was not finished"),
        (".venv/workshop.json", '{"python": "3.1', "the last set-up was not finished"),
        (".venv/workshop.json", "\0\0\0", "the last set-up was not finished"),
        (".venv/workshop.json", None, "the last set-up was not finished"),
    ],
)
def test_a_changed_file_and_an_unfinished_set_up_are_noticed(complete, file, text, reason):
    """After `git pull` the packages follow; Ctrl-C or a power cut may come at any moment."""
    (complete.HERE / file).unlink()
    if text is not None:
        (complete.HERE / file).write_text(text)
    assert complete.outdated() == reason


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"folder": "/no/such/folder"}, "the folder was moved"),
        ({"folder": os.sep}, "the folder was moved"),
        ({"python": ""}, "its Python is gone"),
        ({"python": "3.13"}, "its Python is gone"),
    ],
)
def test_a_moved_folder_and_a_python_that_is_gone_are_noticed(complete, changed, reason):
    """The programs in .venv contain its path: after a move or in a copy they would run the old one,
    or nothing. An uninstalled or replaced Python leaves .venv without one, or its packages."""
    stamp = json.loads(complete.STAMP.read_text())
    complete.STAMP.write_text(json.dumps({**stamp, **changed}))
    assert complete.outdated() == reason


STEPS = ("check_disk", "make_environment", "install_packages", "install_kit")


@pytest.mark.parametrize("at", [*STEPS, None])
def test_a_set_up_is_whole_or_begins_anew(complete, monkeypatch, at):
    """Whichever step is interrupted, there is no stamp, and nothing half-installed survives."""

    def interrupt():
        raise KeyboardInterrupt

    for name in STEPS:
        monkeypatch.setattr(complete, name, lambda: complete.VENV.mkdir(exist_ok=True))
    (complete.VENV / "half").write_text("")
    if at is None:
        complete.set_up("a test")
        assert complete.outdated() == ""
    else:
        monkeypatch.setattr(complete, at, interrupt)
        with pytest.raises(KeyboardInterrupt):
            complete.set_up("a test")
        assert complete.outdated() in ("first use", "the last set-up was not finished")
    assert not (complete.VENV / "half").exists()


# ---- What can be wrong with a computer ----


def refuse(*_, **__):
    raise PermissionError(13, "Permission denied")


def refusal(workshop, function, *arguments):
    """The text with which a check refuses; what, why and next are there."""
    with pytest.raises(workshop.Trouble) as error:
        getattr(workshop, function)(*arguments)
    text = str(error.value)
    assert re.fullmatch(r".+\nWhy: .+\nNext: .+", text)
    return text


def test_a_folder_that_cannot_be_used(workshop, monkeypatch):
    """Full, found out before the download, or in use: Windows does not remove what a running
    JupyterLab has loaded."""
    workshop.VENV.mkdir()
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=4_000_000_000))
    assert "needs 5.5 GB; 4.0 GB are free" in refusal(workshop, "check_disk")
    monkeypatch.setattr("shutil.rmtree", refuse)
    assert "still running" in refusal(workshop, "remove_environment")


def test_path_too_long(workshop, monkeypatch):
    """On Windows, unless long paths are switched on; the longest folder that fits is accepted."""
    monkeypatch.setattr(workshop, "long_paths", lambda: False)
    monkeypatch.setattr(workshop, "HERE", "C:\\" + "x" * 68)
    workshop.check_path_length()
    monkeypatch.setattr(workshop, "HERE", "C:\\" + "x" * 69)
    assert "at most 71 characters" in refusal(workshop, "check_path_length")
    monkeypatch.setattr(workshop, "long_paths", lambda: True)
    workshop.check_path_length()


def test_no_package_has_a_longer_path_than_assumed(workshop):
    """The limit for Windows is measured on the packages that Windows gets.

    The header files of NVIDIA's libraries come with TensorFlow for Linux only.
    """
    folder = Path(str(distribution("tensorflow").locate_file("")))
    names = (os.path.join(top, name) for top, _, files in os.walk(folder) for name in files)
    inside = (name[len(str(folder)) + 1 :] for name in names)
    longest = max(len(n) for n in inside if not re.search("cudnn_frontend|cutlass", n))
    assert len(".venv\\Lib\\site-packages\\") + longest <= workshop.LONGEST_PATH


def test_debian_leaves_out_parts_of_python(workshop, monkeypatch):
    """Where a pip exists outside .venv, no administrator is needed; else the package is named."""
    steps = []
    monkeypatch.setattr(workshop, "find_spec", lambda name: name != "ensurepip")
    monkeypatch.setattr(workshop, "step", lambda command, **_: not steps.append(command))
    workshop.make_environment()
    workshop.pip_install("x")
    assert "--without-pip" in steps[0]
    assert steps[1][1:5] == ["-m", "pip", "--python", workshop.VENV_PYTHON]
    monkeypatch.setattr(workshop, "find_spec", lambda name: name == "venv")
    text = refusal(workshop, "make_environment")
    assert "It lacks ensurepip." in text
    assert f"apt install python3.{sys.version_info.minor}-venv" in text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("(Caused by SSLError(SSLCertVerificationError(1, ...", "could not prove who it is"),
        ("(Caused by NewConnectionError('...: Failed to establish", "could not be reached"),
        ("ERROR: No matching distribution found for tensorflow==2.21.0", "no build for this"),
        ("Killed", "pip says it above"),
    ],
)
def test_pip_failures_are_explained(workshop, monkeypatch, line, reason):
    workshop.VENV.mkdir()
    workshop.LOG.write_text(f"2026-01-01 Collecting x\n{line}\n")
    monkeypatch.setattr(workshop, "step", lambda *_, **__: False)
    assert reason in refusal(workshop, "pip_install", "x")


# ---- Which Python ----


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sys.version_info": (3, 10, 4)}, "needs 3.11 to 3.13"),
        ({"sys.version_info": (3, 14, 0)}, "needs 3.11 to 3.13"),
        ({"platform.python_implementation": lambda: "PyPy"}, "This is PyPy"),
        ({"sysconfig.get_config_var": lambda _: 1}, "free-threaded"),
        ({"sys.maxsize": 2**31 - 1}, "32-bit"),
        ({"system": lambda: "macosx-x86_64"}, "no TensorFlow for macosx-x86_64"),
        ({"system": lambda: "win-arm64"}, "no TensorFlow for win-arm64"),
        ({"sys.platform": "linux", "platform.libc_ver": lambda: ("", "")}, "no glibc"),
    ],
)
def test_unsuited_pythons_are_named(workshop, monkeypatch, change, reason):
    """Each kind of Python for which TensorFlow does not exist; this one is fine."""
    monkeypatch.setattr(workshop, "system", lambda: "linux-x86_64")
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.28"))
    assert workshop.unsuited() == ""
    with monkeypatch.context() as patch:  # sys is everyone's: changed no longer than necessary
        for name, value in change.items():
            owner, _, attribute = name.rpartition(".")
            patch.setattr(getattr(workshop, owner) if owner else workshop, attribute, value)
        answer = workshop.unsuited()
    assert reason in answer


def test_an_unsuited_python_hands_over_to_a_suited_one(workshop, monkeypatch, capfd):
    """The first candidate does not exist; the second runs the same file again, and says so."""
    monkeypatch.setattr(workshop, "CANDIDATES", [["python3.x"], [sys.executable]])
    assert workshop.run_elsewhere(["--help"], "This is Python 3.9.") == 0
    printed = capfd.readouterr().out
    assert printed.startswith(f"This is Python 3.9. Going on with {sys.executable}.\nusage:")
    workshop.CANDIDATES.pop()
    text = refusal(workshop, "run_elsewhere", ["run"], "This is Python 3.9.")
    assert "Why: This is Python 3.9.\n" in text and "Python 3.13" in text


def test_older_pythons_can_read_it():
    """They have to get as far as saying that they are too old."""
    ast.parse(WORKSHOP.read_text(encoding="utf-8"), feature_version=(3, 6))


# ---- The command line ----


def outside(*arguments):
    command = [sys.executable, str(WORKSHOP), *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8")


def test_the_usage_names_every_command_and_another_word_is_refused():
    """kit's, as README.md tells them (tests/test_readme.py holds them to kit's own), and `test`."""
    for words, code in (((), 2), (("--help",), 0)):
        result = outside(*words)
        assert result.returncode == code and result.stdout.startswith("usage:")
        listed = re.findall(r"^  (\w+) ", result.stdout, re.MULTILINE)
        assert {"run", "lab", "doctor", "selftest", "test"} <= set(listed)
        assert max(map(len, result.stdout.splitlines())) <= 100
    assert_clear_error(refused := outside("trian"))
    assert "trian" in refused.stderr


def test_without_the_readme_every_word_goes_to_kit(workshop, monkeypatch):
    """A README that is gone takes no command away."""
    (workshop.HERE / "README.md").unlink()
    monkeypatch.setattr(workshop, "run", lambda arguments: arguments)
    assert workshop.main(["doctor", "--json"]) == ["doctor", "--json"]


def test_tests_run_as_the_readme_says(workshop):
    """Both folders by default; the paths that are given instead of them."""
    both = "-m pytest --nbval --nbval-current-env --nbval-sanitize-with tests/sanitize.cfg"
    assert " ".join(workshop.test_command(["-x"])) == f"{both} tests notebooks -x"
    (workshop.HERE / "tests").mkdir()
    (workshop.HERE / "tests" / "test_a.py").write_text("")
    assert " ".join(workshop.test_command(["tests/test_a.py::b"])) == f"{both} tests/test_a.py::b"


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_exit_code_of_a_killed_program(workshop):
    """As a shell counts it: 128 and the signal's number."""
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert workshop.call([sys.executable, "-c", script]) == 128 + 9
