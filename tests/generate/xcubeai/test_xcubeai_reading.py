"""Finding ST's tool, and reading what it says about a network: right, or an error that says so."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import Spec, make
from stand_in import run
from stand_in.network import Network, describe
from stand_in.releases import RELEASES

from kit.errors import KitError
from kit.generate.xcubeai import description as report
from kit.generate.xcubeai import find as find_module
from kit.generate.xcubeai import versions
from kit.generate.xcubeai.figures import gather_figures as gather
from kit.generate.xcubeai.find import find_tool, look
from kit.model import read_model

# --- Finding it ----------------------------------------------------------------------------------

PLACES = {
    "Windows": ("windows", "stedgeai.exe", "stm32ai.exe"),
    "Darwin": ("mac", "stedgeai", "stm32ai"),
    "Linux": ("linux", "stedgeai", "stm32ai"),
}


@pytest.fixture
def computer(tmp_path, monkeypatch):
    """A computer of a system: `put` installs a version somewhere, `see` looks around."""

    class Computer:
        home = tmp_path / "home"
        environment = {"PATH": ""}  # noqa: RUF012

        def __init__(self):
            homes = dict.fromkeys(PLACES, (f"{tmp_path}/ST", *find_module.OF_USER))
            monkeypatch.setattr(find_module, "HOMES", homes)

        def put(self, root, system, number=1):
            """An installation in `root`; number 2 is the older program."""
            folder = Path(root) / "Utilities" / PLACES[system][0]
            folder.mkdir(parents=True)
            (Path(root) / "Middlewares").mkdir()
            (folder / PLACES[system][number]).touch()
            return folder / PLACES[system][number]

        def see(self, system, setting=None):
            monkeypatch.setattr(find_module, "system", lambda: system)
            monkeypatch.setenv("HOME", str(self.home))
            monkeypatch.setenv("USERPROFILE", str(self.home))
            for name in (*find_module.VARIABLES, "PATH", "PUBLIC"):
                monkeypatch.delenv(name, raising=False)
            for name, value in self.environment.items():
                monkeypatch.setenv(name, value)
            return look(setting)

    return Computer()


@pytest.mark.parametrize("system", PLACES)
def test_the_order_of_preference(computer, tmp_path, system):
    """A folder that is named, then installers, then packs; in each the newest version by number,
    not by letters; headers and library are those of the program."""
    packs = computer.home / "STM32Cube" / "Repository" / find_module.PACKS[0]
    installed = tmp_path / "ST" / "STEdgeAI"
    wanted = [
        computer.put(tmp_path / "named", system),
        computer.put(tmp_path / "exe", system),
        computer.put(installed / "4.0.1", system),
        computer.put(installed / "4.0" / "STEdgeAI", system),  # one level further in
        computer.put(computer.home / "ST" / "STEdgeAI" / "10.0", system),
        computer.put(computer.home / "ST" / "STEdgeAI" / "9.0", system),
        computer.put(packs / "10.2.0", system),
        computer.put(packs / "9.1.0", system),
        computer.put(packs / "8.1.0", system, 2),
    ]
    computer.environment = {"STEDGEAI_CORE_DIR": str(tmp_path / "named"),
                            "STM_AI_EXE": str(wanted[1]), "PATH": ""}  # fmt: skip
    search = computer.see(system)
    assert [tool.program for tool in search.tools] == wanted
    roots = [program.parents[2] for program in wanted]
    assert [tool.root for tool in search.tools] == roots
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
    places = {name: tmp_path / name for name in ("drive", "public", "chosen")}
    program = computer.put(where.format(home=computer.home, **places).replace("drive/", ""), system)
    computer.environment = {"PUBLIC": str(places["public"]), "PATH": ""}
    settings = computer.home / ".stm32cubemx/plugins/updater/updater.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[Path]\nRepositoryPath={places['chosen']}/\n")
    assert [tool.program for tool in computer.see(system).tools] == [program]


@pytest.mark.parametrize("inside", ["", "Utilities", "Utilities/linux", "Utilities/linux/stedgeai"])
@pytest.mark.parametrize("name", ["STEDGEAI_CORE_DIR", "STEDGEAI_PATH", "X_CUBE_AI_DIR"])
def test_what_a_variable_may_point_at(computer, tmp_path, name, inside):
    """The installation, a folder in it or the program, with quotes around it as in a shell."""
    program = computer.put(tmp_path / "4.0", "Linux")
    computer.environment = {name: f'"{tmp_path / "4.0" / inside}"', "PATH": ""}
    (tool,) = computer.see("Linux").tools
    assert (tool.program, tool.root) == (program, tmp_path / "4.0")


def test_the_folders_on_other_drives():
    """As they are looked at on Windows."""
    assert {"C:/ST", "D:/ST"} < set(find_module.HOMES["Windows"])


@pytest.mark.parametrize(("machine", "folder"), [("arm64", "macarm"), ("x86_64", "mac")])
def test_the_program_for_the_processor_of_a_mac(computer, tmp_path, monkeypatch, machine, folder):
    """An installation has both, and that for Apple silicon does not start on an Intel Mac."""
    computer.put(tmp_path / "4.0", "Darwin")
    (tmp_path / "4.0" / "Utilities" / "macarm").mkdir()
    (tmp_path / "4.0" / "Utilities" / "macarm" / "stedgeai").touch()
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert computer.see("Darwin", tmp_path / "4.0").tools[0].program.parent.name == folder


def test_on_path(computer, tmp_path, monkeypatch):
    """`stedgeai` before `stm32ai`; a program that stands alone has no installation."""
    for name in ("stm32ai", "stedgeai"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name, path: str(Path(path) / name))
    computer.environment = {"PATH": str(tmp_path)}
    tools = computer.see("Linux").tools
    assert [tool.program.name for tool in tools] == ["stedgeai", "stm32ai"]
    assert tools[0].root is None


def test_every_place_that_was_looked_at_is_kept(computer, tmp_path):
    """For `kit doctor` and for the error: also the variable that points nowhere."""
    computer.environment = {"STEDGEAI_CORE_DIR": str(tmp_path / "gone"), "PATH": ""}
    search = computer.see("Linux")
    assert search.tools == () and str(tmp_path / "gone") in str(search)
    names = list(search.places)
    assert names[3:7] == ["STM32_AI_EXE", "STM_AI_EXE", "stedgeai on PATH", "stm32ai on PATH"]
    assert "~/STM32Cube/Repository/Packs/STMicroelectronics/X-CUBE-AI" in names
    assert names[-1].startswith("STEdgeAI in ")
    assert set(search.places.values()) == {""}


def test_a_setting_is_used_or_refused(computer, tmp_path):
    """Nothing else is taken in its place."""
    program = computer.put(tmp_path / "4.0", "Linux")
    assert computer.see("Linux", tmp_path / "4.0").tools[0].program == program
    assert computer.see("Linux", program).tools[0].root == tmp_path / "4.0"
    with pytest.raises(KitError, match=r"(?s)no tool of ST at .*gone.*Developer Cloud"):
        find_tool(tmp_path / "gone")


# --- Versions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("banner", "number", "cube"),
    [
        ("Neural Network Tools for STM32AI v1.4.1 (STM.ai v6.0.0-RC6)", (6, 0, 0), (6, 0)),
        ("Neural Network Tools for STM32 family v1.7.0 (stm.ai v8.1.0-19520)", (8, 1, 0), (8, 1)),
        ("STEdgeAI Core v9.0.0-19802", (9, 0, 0), (9, 0)),
        ("ST Edge AI Core v1.0.0-19899", (1, 0, 0), (9, 1)),
        ("ST Edge AI Core v2.0.0-20049", (2, 0, 0), (10, 0)),
        ("ST Edge AI Core v2.2.0-20266 2adc00962", (2, 2, 0), (10, 2)),
        ("ST Edge AI Core v3.0.0", (3, 0, 0), (11, 0)),
        ("ST Edge AI Core v4.0.1-20581 7ed50de05\n   STM32CubeAI 12.0.1-RC2", (4, 0, 1), (12, 0)),
        ("ST Edge AI Core v5.1.0\n   STM32CubeAI 13.4.0", (5, 1, 0), (13, 4)),
        ("ST Edge AI Core v5.1.0", (5, 1, 0), None),
        ("ST Edge AI Core v4.1.0\n   STM32CubeAI 12.0.2", (4, 1, 0), (12, 0)),
        ("ST Edge AI Core v4.1.0", (4, 1, 0), None),
    ],
)
def test_every_banner_is_known(banner, number, cube):
    """And which X-CUBE-AI's runtime it belongs to; for a version of the future only if it says."""
    version = versions.version_in(f"some line\n{banner}\n")
    assert (version.number, version.cube) == (number, cube)
    assert versions.version_in("hello") is None


@pytest.mark.parametrize(
    ("name", "cube"),
    [
        ("NetworkRuntime810_CM4_GCC.a", (8, 1)),
        ("NetworkRuntime1020_CM4_GCC.a", (10, 2)),
        ("NetworkRuntime1201_CM4_GCC.a", (12, 0)),
        ("runtime.a", None),
    ],
)
def test_the_version_in_a_library_name(name, cube):
    """Its last two digits are minor and micro."""
    assert versions.library_version(name) == cube


# --- Reading -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Network:
    spec = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 3)
    return describe(make(spec, tmp_path_factory.mktemp("reading") / "small.tflite"))


@pytest.fixture
def told(network, tmp_path):
    """`told(release, **behavior)`: the figures that are read from what the release writes."""

    def read_back(name, **behavior):
        (tmp_path / "workspace").mkdir(exist_ok=True)
        release = RELEASES[name]
        job = run.Job(release, behavior, {}, "generate", tmp_path, tmp_path / "workspace", network)
        run.tell(job, "generate")
        places = [tmp_path, tmp_path / "workspace"]
        return gather(places, "generate", read_model(network.model.path))

    return read_back


WRONG = [
    ("Core 4.0", {"info": [[["json_schema_version"], "3.0"]]}, "schema is '3.0'"),
    ("Core 4.0", {"info": [[["memory_footprint", "weights"], None]]}, "None is not a count"),
    ("Core 4.0", {"info": [[["memory_footprint", "weights"], -4]]}, "-4 is not a count"),
    ("Core 4.0", {"info": [[["memory_footprint", "weights"], 5]]}, "contradict each other"),
    ("Core 4.0", {"info": [[["memory_footprint", "kernel_flash"], 5]]}, "kernel flash"),
    ("Core 4.0", {"info": [[["graphs", 0, "nodes", 0, "macc"], 7]]}, "macs"),
    ("Core 4.0", {"info": [[["graphs", 0, "inputs"], [0, 1]]]}, "has 2 inputs"),
    ("Core 4.0", {"info": [[["graphs"], []]]}, "for another target"),
    ("Core 4.0", {"info": [[["buffers"], []]]}, "lacks or garbles"),
    ("Core 4.0", {"info": [[["buffers", 0, "size_bytes"], 783]]}, "its shape needs 784"),
    ("Core 4.0", {"info": [[["buffers", 0, "format"], "STAI_FORMAT_U8"]]}, "input is uint8"),
    (
        "Core 4.0",
        {"info": [[["buffers", 0, "format"], "STAI_FORMAT_Q7"]]},
        "input is STAI_FORMAT_Q7",
    ),
    ("8.1", {"report": [["ai_i8", "ai_i16"]]}, "input is int16"),
    ("8.1", {"report": [["v8.1.0", "v6.0.0"], ["C-Layers (3)", "C-Layers (4)"]]}, "too old"),
    ("8.1", {"report": [["v8.1.0", "v7.0.0"]]}, "too old"),
    ("Core 4.0", {"info": [[["buffers", 0, "intq", "scales"], [0.5]]]}, "contradict"),
    ("Core 4.0", {"info": [[["buffers", 0, "format"], "STAI_FORMAT_Q7"]]}, "Q7"),
    ("Core 4.0", {"report": [["v4.0.1", "v3.0.0"]]}, "version"),
    ("8.1", {"report": [["macc               :", "mocc               :"]]}, "lacks: macs"),
    ("8.1", {"report": [["C-Layers (3)", "C-Layers (4)"]]}, "3 rows, not 4"),
    ("8.1", {"report": [["1/1 ", "1/2 "]]}, "2 inputs"),
    ("8.1", {"report": [["(1,784)", "(1,785)"]]}, "contradict each other"),
    ("8.1", {"report": [["s=0.0", "s=0.1"]]}, "contradict each other"),
]


@pytest.mark.parametrize(("name", "behavior", "said"), WRONG)
def test_what_cannot_be_right_is_an_error(told, name, behavior, said):
    """An unknown schema, a missing or contradictory number: an error, never a wrong number."""
    with pytest.raises(KitError) as caught:
        told(name, **behavior)
    assert said in str(caught.value) and caught.value.next_step


@pytest.mark.parametrize(
    "behavior",
    [
        {"info_in": "workspace"},
        {"leave_out": ["network_c_info.json"]},
        {"leave_out": ["network_generate_report.txt"]},
        {},
    ],
)
def test_either_description_is_enough(told, network, behavior):
    """Versions differ in what they write and where; the numbers are the same."""
    figures = told("Core 4.0", **behavior)
    assert (figures.weights_bytes, figures.macs) == (network.weights, network.macc)
    assert (figures.kernel_flash_bytes, figures.kernel_ram_bytes) == (8287, 1344)
    assert figures.input.scale == network.model.input.scale


def test_a_computer_without_a_compiler_for_the_chip(told):
    """Then the tool does not know the kernels' size; it is unknown, not 0."""
    no_report = ["network_generate_report.txt"]
    figures = told("Core 4.0", leave_out=no_report, info=[[["memory_footprint", "toolchain"], ""]])
    assert figures.kernel_flash_bytes is None


def test_the_compilers_own_library_is_counted_once(told):
    """The JSON gives it beside the kernels' size, which holds it already, as the report's does."""
    figures = told("Core 4.0", info=[[["memory_footprint", "toolchain_flash"], 200]])
    assert figures.kernel_flash_bytes == 8287


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"json_schema_version": "2.0"}'])
def test_a_damaged_json(tmp_path, content):
    """Cut off or something else: an error with the file's name."""
    (tmp_path / "network_c_info.json").write_text(content)
    with pytest.raises(KitError, match=r"network_c_info\.json cannot be read"):
        gather([tmp_path], "generate")


def test_the_older_tool_has_no_schema(told, tmp_path):
    """A JSON file that stm32ai leaves is not guessed at; its report says everything."""
    (tmp_path / "network_c_info.json").write_text(json.dumps({"json_schema_version": "1.0"}))
    assert told("8.1").macs > 0


counts = st.integers(0, 10**9)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    figures=st.fixed_dictionaries({"macc": counts, "weights (ro)": counts,
                                   "activations (rw)": counts}),
    scale=st.floats(1e-6, 100).map(lambda x: float(f"{x:.9f}")),
    zero_point=st.integers(-128, 127),
    size=st.integers(1, 5000),
    commas=st.booleans(),
    unknown=st.lists(st.from_regex(r"\A[a-z ]{1,12} : [ -~]{0,30}\Z"), max_size=6),
    order=st.randoms(),
)  # fmt: skip
def test_any_report_is_read_right(figures, scale, zero_point, size, commas, unknown, order):
    """With or without commas, in any order, among unknown lines: each number as it was written."""
    lines = [
        f"{label:<19}:   {value:,} B (x KiB) (1 segment)" if commas else f" {label} : {value} B"
        for label, value in figures.items()
    ]
    lines.append(
        f"input 1/1 : 'x', int8(1x{size}), 9 Bytes, QLinear({scale:.9f},{zero_point},int8)"
    )
    taken = ("macc", "weights", "activations", "input", "output", "ram")
    lines += [line for line in unknown if not line.strip().startswith(taken)]
    order.shuffle(lines)
    found = report.parse_report("\n".join(lines))
    assert found["macs"] == figures["macc"]
    assert found["weights_bytes"] == figures["weights (ro)"]
    assert found["activations_bytes"] == figures["activations (rw)"]
    tensor = found["input"]
    assert (tensor.shape, tensor.scale, tensor.zero_point) == ((1, size), scale, zero_point)
    assert "output" not in found and "io_bytes" not in found


@given(text=st.text())
def test_any_text_is_read_or_refused(text):
    """Whatever stands in a file: figures, the kit's error, or a ValueError, which becomes one."""
    try:
        found = report.parse_report(text)
    except (ValueError, KitError):
        return
    assert all(isinstance(found[name], int) for name in ("macs", "io_bytes") if name in found)


@pytest.mark.parametrize("value", ["1.234 B", "1,23 B", "12,3456", "abc", "-5", "3.5 KiB"])
def test_a_number_written_in_another_way_is_refused(value):
    """A decimal point or a misplaced comma would be read wrong."""
    with pytest.raises(ValueError, match="whole number"):
        report.parse_report(f"weights (ro) : {value}")


OLD_PORTS = [
    "input_0 [784 items, 784 B, ai_i8, scale=0.003921569, zero=-128, (1, 28, 28, 1)]",
    "'x'\n                        784 items, 784 B, ai_i8, s=0.003921569, zp=-128, (1,28,28,1)",
    "'x' (domain:user/)\n                   :   784 items, ai_i8, s=0.003921569, "
    "zp=-128, (1,28,28,1)",
    "'x', 784 items, 784 B, ai_i8, s=0.003921569, zp=-128, (1, 28, 28, 1)",
    "'x', int8(1x28x28x1), 784 Bytes, QLinear(0.003921569,-128,int8), user",
]


@pytest.mark.parametrize("value", OLD_PORTS)
def test_inputs_as_versions_write_them(value):
    """From 6.0 on: shape, type, scale and zero point."""
    for label in ("input", "input 1/1"):
        tensor = report.parse_report(f"{label}   : {value}")["input"]
        assert (tensor.shape, tensor.dtype, tensor.bytes) == ((1, 28, 28, 1), "int8", 784)
        assert (tensor.scale, tensor.zero_point) == (0.003921569, -128)


def test_lines_that_contradict_each_other():
    """One of two numbers is wrong, and which one is not known."""
    with pytest.raises(ValueError, match="in one line and"):
        report.parse_report("macc : 3,280\nmacc : 3,376\n")
    assert report.parse_report("macc : 3,280\nmodel: macc=3,376\nmacc : 3280\n")["macs"] == 3280
