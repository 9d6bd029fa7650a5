"""kit/checks/doctor.py: what is there is found, what is missing is named with the way to get it."""

import importlib.metadata
import io
import os
import platform
import sys

import made
import pytest
from networks import EXAMPLE
from rich.console import Console
from usb import CABLE, ONE, USB_STM32

from kit.board import flash
from kit.checks import doctor
from kit.checks.doctor import Check, Examination, look_for

GOOD = Check("zig", True, "0.17.1", "required", "install it")
LACKING = Check("gcc <arm>", False, "", "optional", "apt install gcc")
MISSING = Check("CMake", False, "not on PATH", "required", "install it")


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


def test_it_shows_as_table_text_and_html_and_knows_what_is_required():
    """One result for the terminal and a notebook; an optional lack is no failure of `kit doctor`,
    a required one is."""
    checks = Examination((GOOD, LACKING, MISSING))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(checks.table())
    for text in (console.export_text(), repr(checks), checks._repr_html_()):
        assert "0.17.1" in text and "apt install gcc" in text and "MISSING" in text
    assert "gcc &lt;arm&gt;" in checks._repr_html_()
    assert Examination((GOOD, LACKING)).ready and not checks.ready


@pytest.mark.parametrize(
    ("version", "good"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False)]
)
def test_the_supported_pythons(monkeypatch, version, good):
    """The limits of pyproject.toml's requires-python."""
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    assert look_for("Python 3.11 to 3.13").found is good


def test_packages_that_are_missing_or_not_as_locked_are_told_apart(tmp_path, monkeypatch):
    """A missing one is an error; another version (conda) is only said. The lock may have two, of
    which a marker chooses by Python version or system."""
    rich, pytest_ = map(importlib.metadata.version, ("rich", "pytest"))
    needed = ["pytest>=7", "rich[jupyter] < 99; python_version > '3'"]
    lock = f'rich==0.1 ; python_full_version < "3.12" \\\n    --hash=sha256:0\nrich=={rich} \\\n'
    (tmp_path / "requirements.lock").write_text(lock + "pytest==0.1\n")
    (tmp_path / "pyproject.toml").write_text(f"[project]\ndependencies = {needed}")
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    found = look_for("Python packages")
    different = f"2 packages, other than in requirements.lock: pytest {pytest_}"
    assert (found.found, found.detail) == (True, different)
    needed.append("no-such-package==1")
    (tmp_path / "pyproject.toml").write_text(f"[project]\ndependencies = {needed}")
    found = look_for("Python packages")
    assert (found.found, found.detail) == (False, "missing: no-such-package")


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
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    assert said.format(doctor.short(tool)) in look_for("flashing tools").detail


def test_a_board_that_is_plugged_in_is_named_with_port_and_drive(tmp_path, monkeypatch):
    """And no other device: a program on an STM32's own USB, a cable, another USB stick."""
    for name in ("stick", "NODE_F446RE"):
        (tmp_path / name).mkdir()
    (tmp_path / "NODE_F446RE" / "MBED.HTM").touch()
    ports = [USB_STM32, CABLE, ONE]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: iter(ports))
    monkeypatch.setattr("kit.board.probes.places", lambda: sorted(tmp_path.iterdir()))
    assert look_for("board on USB (ST-LINK)").detail == f"NUCLEO-F446RE at {ONE.device}"
    assert look_for("drive of the board").detail == str(tmp_path / "NODE_F446RE")


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


def test_a_board_is_greeted_when_its_url_is_given(monkeypatch):
    """Then it is required: who names a board wants that one."""
    monkeypatch.setattr(doctor, "CHECKS", {})
    flash("virtual://doctor", made.firmware(EXAMPLE).elf)
    (there,) = doctor.examine("virtual://doctor").checks
    assert there.found and there.needed == "required" and "stm32f446re" in there.detail
    (lacking,) = doctor.examine("/dev/no-such-port").checks
    assert not lacking.found and lacking.needed == "required" and "kit boards" in lacking.how_to_get


def test_paths_are_shown_without_the_person(tmp_path, monkeypatch):
    """The table of 00-start is committed: no home folder in it."""
    monkeypatch.setattr(doctor, "ROOT", tmp_path / "kit")
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    shown = [doctor.short(tmp_path / "kit" / ".venv"), doctor.short(tmp_path / "bin" / "gcc")]
    assert shown == [".venv", os.path.join("~", "bin", "gcc")]
