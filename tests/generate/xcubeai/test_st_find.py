"""kit.generate.xcubeai.find: ST's tool is found wherever it is put, the best one first."""

import os
from pathlib import Path

import pytest

from kit.errors import KitError
from kit.generate.xcubeai import find, look

PLACES = {"Windows": "windows", "Darwin": "mac", "Linux": "linux"}
OF_WINDOWS = find.HOMES["Windows"]


@pytest.fixture
def computer(tmp_path, monkeypatch):
    """A computer without ST's tool: `put` installs a version somewhere, `see` looks around as on a
    system, with variables."""

    class Computer:
        home = tmp_path / "home"

        def put(self, root, system, name="stedgeai", folder=""):
            """An installation in `root`: its program."""
            folder = Path(root) / "Utilities" / (folder or PLACES[system])
            folder.mkdir(parents=True)
            (Path(root) / "Middlewares").mkdir(exist_ok=True)
            program = folder / (f"{name}.exe" if system == "Windows" else name)
            program.touch()
            return program

        def see(self, system, setting=None, **variables):
            monkeypatch.setattr(find, "system", lambda: system)
            for name, value in variables.items():
                monkeypatch.setenv(name, str(value))
            return look(setting)

    homes = dict.fromkeys(PLACES, (f"{tmp_path}/ST", *find.OF_USER))
    monkeypatch.setattr(find, "HOMES", homes)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for name in (*find.VARIABLES, "PATH", "PUBLIC"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(Computer.home))
    return Computer()


@pytest.mark.parametrize("system", PLACES)
def test_the_order_of_preference(computer, tmp_path, system):
    """A folder that is named, then installers, then packs; in each the newest version by number,
    not by letters; headers and library are those of the program."""
    packs = computer.home / "STM32Cube" / "Repository" / find.PACKS[0]
    installed, of_user = tmp_path / "ST" / "STEdgeAI", computer.home / "ST" / "STEdgeAI"
    wanted = [
        computer.put(tmp_path / "named", system),
        computer.put(tmp_path / "exe", system),
        computer.put(installed / "4.0.1", system),
        computer.put(installed / "4.0" / "STEdgeAI", system),  # one level further in
        computer.put(of_user / "10.0", system),
        computer.put(of_user / "9.0", system),
        computer.put(packs / "10.2.0", system),
        computer.put(packs / "9.1.0", system),
        computer.put(packs / "8.1.0", system, "stm32ai"),
    ]
    search = computer.see(system, STEDGEAI_CORE_DIR=tmp_path / "named", STM_AI_EXE=wanted[1])
    assert [tool.program for tool in search.tools] == wanted
    assert [tool.root for tool in search.tools] == [program.parents[2] for program in wanted]
    assert search.tools[0].place.startswith("STEDGEAI_CORE_DIR=")


PUT = [  # where users and installers have put it
    ("Linux", "{home}/ST/STEdgeAI/4.0"),
    ("Linux", "{home}/opt/ST/STEdgeAI/4.0"),
    ("Linux", "{home}/STMicroelectronics/STEdgeAI/2.2"),
    ("Linux", "{home}/STEdgeAI/4.0/4.0"),
    ("Windows", "{drive}/ST/stedgeai-windows-4.0.0"),
    ("Windows", "{drive}/ST/STEdgeAI/4.0"),
    ("Darwin", "{drive}/ST/STEdgeAI_v2"),
    ("Windows", "{public}/STM32Cube/Repository/Packs/STMicroelectronics/X-CUBE-AI/10.2.0"),
    ("Linux", "{chosen}/Packs/STMicroelectronics/X-CUBE-AI/10.2.0"),
    ("Linux", "{home}/STM32Cube/Repository/STMicroelectronics/X-CUBE-AI/7.1.0"),
]


@pytest.mark.parametrize(("system", "where"), PUT)
def test_each_place_where_it_is_put(computer, tmp_path, system, where):
    """Other drives and homes, folders with a version in their names, and the repositories of
    STM32CubeMX: the user's, the computer's, and one that was chosen in it."""
    assert {"C:/ST", "D:/ST"} < set(OF_WINDOWS)
    places = {name: tmp_path / name for name in ("public", "chosen")}
    program = computer.put(where.format(home=computer.home, drive=tmp_path, **places), system)
    settings = computer.home / ".stm32cubemx/plugins/updater/updater.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[Path]\nRepositoryPath={places['chosen']}/\n")
    (tool,) = computer.see(system, PUBLIC=places["public"]).tools
    assert tool.program == program


@pytest.mark.parametrize("inside", ["", "Utilities", "Utilities/linux", "Utilities/linux/stedgeai"])
@pytest.mark.parametrize("name", ["STEDGEAI_CORE_DIR", "STEDGEAI_PATH", "X_CUBE_AI_DIR"])
def test_what_a_variable_may_point_at(computer, tmp_path, name, inside):
    """The installation, a folder in it or the program, with quotes around it as in a shell."""
    program = computer.put(tmp_path / "4.0", "Linux")
    (tool,) = computer.see("Linux", **{name: f'"{tmp_path / "4.0" / inside}"'}).tools
    assert (tool.program, tool.root) == (program, tmp_path / "4.0")


@pytest.mark.parametrize(("machine", "folder"), [("arm64", "macarm"), ("x86_64", "mac")])
def test_the_program_for_the_processor_of_a_mac(computer, tmp_path, monkeypatch, machine, folder):
    """An installation has both, and that for Apple silicon does not start on an Intel Mac."""
    for one in ("mac", "macarm"):
        computer.put(tmp_path / "4.0", "Darwin", folder=one)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert computer.see("Darwin", tmp_path / "4.0").tools[0].program.parent.name == folder


@pytest.mark.skipif(os.name == "nt", reason="writes shell scripts")
def test_on_path(computer, tmp_path):
    """`stedgeai` before `stm32ai`; a program that stands alone has no installation."""
    for name in ("stm32ai", "stedgeai"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    tools = computer.see("Linux", PATH=tmp_path).tools
    assert [tool.program.name for tool in tools] == ["stedgeai", "stm32ai"]
    assert tools[0].root is None


def test_every_place_that_was_looked_at_is_kept(computer, tmp_path):
    """For `kit doctor` and for the error: also the variable that points nowhere."""
    search = computer.see("Linux", STEDGEAI_CORE_DIR=tmp_path / "gone")
    assert search.tools == () and str(tmp_path / "gone") in str(search)
    names = list(search.places)
    assert names[3:7] == ["STM32_AI_EXE", "STM_AI_EXE", "stedgeai on PATH", "stm32ai on PATH"]
    assert "~/STM32Cube/Repository/Packs/STMicroelectronics/X-CUBE-AI" in names
    assert names[-1].startswith("STEdgeAI in ") and set(search.places.values()) == {""}


def test_a_setting_is_used_or_refused(computer, tmp_path):
    """Nothing else is taken in its place."""
    program = computer.put(tmp_path / "4.0", "Linux")
    assert computer.see("Linux", tmp_path / "4.0").tools[0].program == program
    assert computer.see("Linux", program).tools[0].root == tmp_path / "4.0"
    with pytest.raises(KitError, match=r"(?s)no tool of ST at .*gone.*Developer Cloud"):
        find.find_tool(tmp_path / "gone")
