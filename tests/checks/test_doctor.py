"""kit/checks/doctor.py: what is there is found, what is missing is named with the way to get it."""

import importlib.metadata
import io
import os
import platform
import stat
import sys
from collections import namedtuple

import pytest
from rich.console import Console

from kit.checks import doctor
from kit.checks.doctor import Check, Examination, look_for
from kit.errors import KitError

GOOD = Check("zig", True, "0.17.1", "required", "install it")
LACKING = Check("gcc <arm>", False, "", "optional", "apt install gcc")
MISSING = Check("CMake", False, "not on PATH", "required", "install it")
PYTHON, USB, DRIVE = "Python 3.11 to 3.13", "board on USB (ST-LINK)", "drive of the board"


def test_the_computer_that_runs_these_tests_is_ready():
    """Whatever the tests need, the doctor must find: the same compiler, packages and CPU."""
    found = doctor.examine()
    lacking = [one.name for one in found.checks if one.needed == "required" and not one.found]
    assert lacking == [] and found.ready and len(found.checks) >= 14


def test_every_lack_comes_with_a_way_out(monkeypatch):
    """With an empty PATH and no tools, each optional check still says how to get it."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("STEDGEAI_CORE_DIR", raising=False)
    assert all(one.how_to_get for one in doctor.examine().checks if not one.found)


def test_ready_means_everything_required():
    """The exit code of `kit doctor`: an optional lack is no failure, a required one is."""
    assert Examination((GOOD, LACKING)).ready
    assert not Examination((GOOD, MISSING)).ready


def test_it_shows_as_table_text_and_html():
    """One result for the terminal and a notebook."""
    checks = Examination((GOOD, LACKING, MISSING))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(checks.table())
    for text in (console.export_text(), repr(checks), checks._repr_html_()):
        assert "0.17.1" in text and "apt install gcc" in text and "MISSING" in text
    assert "gcc &lt;arm&gt;" in checks._repr_html_()


@pytest.mark.parametrize(
    ("version", "good"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False)]
)
def test_the_supported_pythons(monkeypatch, version, good):
    """The limits of pyproject.toml's requires-python."""
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    assert look_for(PYTHON).found is good


def test_packages_that_are_missing_or_not_as_locked_are_told_apart():
    """A missing one is an error; another version (conda) is only said."""
    version = importlib.metadata.version("pytest")
    locked = {"pytest": {"0.1"}, "rich": {importlib.metadata.version("rich")}}
    found = doctor.compare_packages(["pytest", "rich", "no-such-package"], locked)
    assert found == (["no-such-package"], [f"pytest {version}"])


def test_the_lock_may_name_two_versions_of_a_package(tmp_path, monkeypatch):
    """Markers choose between them by Python version or system; either is as locked."""
    lock = 'numpy==2.4.6 ; python_full_version < "3.12" \\\n    --hash=sha256:0\nnumpy==2.5.5 \\\n'
    (tmp_path / "requirements.lock").write_text(lock)
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    assert doctor.locked_versions() == {"numpy": {"2.4.6", "2.5.5"}}


def test_dependencies_are_the_names_in_pyproject():
    """Names without version limits or extras."""
    names = doctor.dependencies()
    assert {"tensorflow", "ziglang", "ai-edge-litert"} <= set(names)
    assert all(name.replace("-", "").replace("_", "").isalnum() for name in names)


@pytest.mark.skipif(os.name == "nt", reason="writes a shell script")
@pytest.mark.parametrize(
    ("name", "script", "said"),
    [
        ("st-flash", "#!/bin/sh\necho v1.8.0-rc\n", "st-flash 1.8.0 {}"),
        ("pyocd", "#!/nowhere\n", "pyOCD {}"),
    ],
)
def test_a_tool_on_path_is_found_with_its_version(tmp_path, monkeypatch, name, script, said):
    """The version is what the tool itself says; one that does not start has none, and no stack."""
    tool = tmp_path / name
    tool.write_text(script)
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    assert said.format(doctor.short(tool)) in look_for("flashing tools").detail


Port = namedtuple("Port", "device vid pid serial_number location", defaults=("066E", None))


def test_an_st_link_is_told_from_other_ports(monkeypatch):
    """By its USB numbers: ST's vendor number is also that of programs on an STM32's own USB."""
    ports = [Port("COM1", None, None), Port("COM7", 0x0483, 0x374B), Port("COM8", 0x0483, 0x5740)]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: iter(ports))
    assert look_for(USB).found and look_for(USB).detail.endswith(" at COM7")


def test_the_drive_of_a_board_is_known_by_its_file(tmp_path, monkeypatch):
    """Another USB stick is not a board."""
    for name in ("stick", "NODE_F446RE"):
        (tmp_path / name).mkdir()
    (tmp_path / "NODE_F446RE" / "MBED.HTM").touch()
    monkeypatch.setattr("kit.board.probes.places", lambda: sorted(tmp_path.iterdir()))
    assert look_for(DRIVE).detail == str(tmp_path / "NODE_F446RE")


@pytest.mark.parametrize("system", ["Windows", "Darwin", "Linux", "FreeBSD"])
def test_advice_fits_the_system(monkeypatch, system):
    """Nobody on Windows is told to use apt; an unknown system gets Linux's advice."""
    monkeypatch.setattr("kit.compile.toolchain.find_gcc", lambda: None)
    monkeypatch.setattr(platform, "system", lambda: system)
    advice = look_for("arm-none-eabi-gcc").how_to_get
    assert ("apt" in advice) == (system in ("Linux", "FreeBSD"))


def test_a_package_that_cannot_be_loaded_is_a_lack_and_no_stack(monkeypatch):
    """Such as Unicorn, whose library may not fit the computer."""
    monkeypatch.setitem(sys.modules, "unicorn", None)
    check = look_for("virtual board (Unicorn)")
    assert not check.found and "unicorn" in check.detail and "workshop.py" in check.how_to_get


class FakeBoard:
    """Answers at virtual://, and nowhere else."""

    def __init__(self, url):
        if url != "virtual://":
            raise KitError("No board there.", "", "Plug it in.")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def hello(self):
        return "NUCLEO-F446RE"


def test_a_board_is_greeted_when_its_url_is_given(monkeypatch):
    """Then it is required: who names a board wants that one."""
    monkeypatch.setattr("kit.board.Board", FakeBoard)
    monkeypatch.setattr(doctor, "CHECKS", {})
    (there,) = doctor.examine("virtual://").checks
    assert there == Check("board at virtual://", True, "NUCLEO-F446RE", "required", "")
    (lacking,) = doctor.examine("COM99").checks
    assert (lacking.found, lacking.needed, lacking.how_to_get) == (False, "required", "Plug it in.")


def test_paths_are_shown_without_the_person(tmp_path, monkeypatch):
    """The table of 00-start is committed: no home folder in it."""
    monkeypatch.setattr(doctor, "ROOT", tmp_path / "kit")
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    shown = [doctor.short(tmp_path / "kit" / ".venv"), doctor.short(tmp_path / "bin" / "gcc")]
    assert shown == [".venv", os.path.join("~", "bin", "gcc")]
