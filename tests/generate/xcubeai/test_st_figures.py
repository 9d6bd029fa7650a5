"""kit.generate.xcubeai's versions and figures: what the tool says is read right, or an
error says why not; never a wrong number."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stand_in import run
from stand_in.network import describe
from stand_in.releases import RELEASES

from kit.errors import KitError
from kit.generate.xcubeai.figures import gather_figures, parse_report
from kit.generate.xcubeai.versions import library_version, version_in
from kit.model import read_model


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
    version = version_in(f"some line\n{banner}\n")
    assert (version.number, version.cube) == (number, cube)
    assert version_in("hello") is None


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
    assert library_version(name) == cube


@pytest.fixture
def told(model, tmp_path):
    """`told(release, **behavior)`: the figures that are read from what the release writes."""

    def read_back(name, **behavior):
        places = [tmp_path, tmp_path / "workspace"]
        places[1].mkdir(exist_ok=True)
        run.tell(run.Job(RELEASES[name], behavior, {}, "x", *places, describe(model)), "generate")
        return gather_figures(places, "generate", read_model(model))

    return read_back


def info(value, *path):
    """The behavior of a tool that writes another value into its JSON file."""
    return {"info": [[list(path), value]]}


ITSELF, NOT_IT = "contradicts itself", "What the tool made is not zwölf zahlen.tflite"
WRONG = [
    ("Core 4.0", info("3.0", "json_schema_version"), "schema is '3.0'"),
    ("Core 4.0", info(None, "memory_footprint", "weights"), "None does not begin with"),
    ("Core 4.0", info(-4, "memory_footprint", "weights"), "-4 does not begin with"),
    ("Core 4.0", info(5, "memory_footprint", "weights"), ITSELF),
    ("Core 4.0", info(5, "memory_footprint", "kernel_flash"), "Kernel flash"),
    ("Core 4.0", info(7, "graphs", 0, "nodes", 0, "macc"), "Macs"),
    ("Core 4.0", info([0, 1], "graphs", 0, "inputs"), "has 2 inputs"),
    ("Core 4.0", info([], "graphs"), "for another target"),
    ("Core 4.0", info([], "buffers"), "lacks or garbles"),
    ("Core 4.0", info(783, "buffers", 0, "size_bytes"), "its shape needs 784"),
    ("Core 4.0", info("STAI_FORMAT_U8", "buffers", 0, "format"), "input is uint8"),
    ("Core 4.0", info("STAI_FORMAT_Q7", "buffers", 0, "format"), "input is STAI_FORMAT_Q7"),
    ("Core 4.0", info([0.5], "buffers", 0, "intq", "scales"), ITSELF),
    ("Core 4.0", {"report": [["v4.0.1", "v3.0.0"]]}, "Version: ST Edge AI Core 3.0.0"),
    ("8.1", {"report": [["ai_i8", "ai_i16"]]}, "input is int16"),
    ("8.1", {"report": [["v8.1.0", "v6.0.0"], ["C-Layers (3)", "C-Layers (4)"]]}, "too old"),
    ("8.1", {"report": [["v8.1.0", "v7.0.0"], ["macc   ", "mucc   "]]}, "too old"),
    ("8.1", {"report": [["macc               :", "mocc               :"]]}, "lacks: macs"),
    ("8.1", {"report": [["C-Layers (3)", "C-Layers (4)"]]}, "3 rows, not 4"),
    ("8.1", {"report": [["1/1 ", "1/2 "]]}, "2 inputs"),
    ("8.1", {"report": [["(1,784)", "(1,785)"]]}, NOT_IT),
    ("8.1", {"report": [["s=0.0", "s=0.1"]]}, NOT_IT),
]


@pytest.mark.parametrize(("name", "behavior", "said"), WRONG)
def test_what_cannot_be_right_is_an_error(told, name, behavior, said):
    """An unknown schema, a missing or contradictory number, a network that is not taken."""
    with pytest.raises(KitError) as caught:
        told(name, **behavior)
    assert said in str(caught.value) and caught.value.next_step


@pytest.mark.parametrize(
    "behavior",
    [
        {"info_in": "workspace"},
        {"leave_out": ["network_c_info.json"]},
        {"leave_out": ["network_generate_report.txt"]},
        info(200, "memory_footprint", "toolchain_flash"),  # within the kernels' size already
    ],
)
def test_either_description_is_enough(told, model, behavior):
    """Versions differ in what they write and where; the numbers are the same."""
    figures, network = told("Core 4.0", **behavior), describe(model)
    assert (figures.weights_bytes, figures.macs) == (network.weights, network.macc)
    assert (figures.kernel_flash_bytes, figures.kernel_ram_bytes) == (8287, 1344)
    assert figures.input.scale == network.model.input.scale


def test_a_computer_without_a_compiler_for_the_chip(told):
    """Then the tool does not know the kernels' size; it is unknown, not 0."""
    changed = info("", "memory_footprint", "toolchain")
    figures = told("Core 4.0", leave_out=["network_generate_report.txt"], **changed)
    assert figures.kernel_flash_bytes is figures.kernel_ram_bytes is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"json_schema_version": "2.0"}'])
def test_a_damaged_json(tmp_path, content):
    """Cut off or something else: an error with the file's name."""
    (tmp_path / "network_c_info.json").write_text(content)
    with pytest.raises(KitError, match=r"network_c_info\.json cannot be read"):
        gather_figures([tmp_path], "generate")


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
    linear = f"QLinear({scale:.9f},{zero_point},int8)"
    lines.append(f"input 1/1 : 'x', int8(1x{size}), 9 Bytes, {linear}")
    taken = ("macc", "weights", "activations", "input", "output", "ram")
    lines += [line for line in unknown if not line.strip().startswith(taken)]
    order.shuffle(lines)
    found = parse_report("\n".join(lines))
    assert (found["macs"], found["weights_bytes"]) == (figures["macc"], figures["weights (ro)"])
    assert found["activations_bytes"] == figures["activations (rw)"]
    tensor = found["input"]
    assert (tensor.shape, tensor.scale, tensor.zero_point) == ((1, size), scale, zero_point)
    assert "output" not in found and "io_bytes" not in found


@given(text=st.text())
def test_any_text_is_read_or_refused(text):
    """Whatever stands in a file: figures, the kit's error, or a ValueError, which becomes one."""
    try:
        found = parse_report(text)
    except (ValueError, KitError):
        return
    assert all(isinstance(found[name], int) for name in ("macs", "io_bytes") if name in found)


@pytest.mark.parametrize("value", ["1.234 B", "1,23 B", "12,3456", "abc", "-5", "3.5 KiB"])
def test_a_number_written_in_another_way_is_refused(value):
    """A decimal point or a misplaced comma would be read wrong."""
    with pytest.raises(ValueError, match="whole number"):
        parse_report(f"weights (ro) : {value}")


OLD_PORTS = [
    "input_0 [784 items, 784 B, ai_i8, scale=0.003921569, zero=-128, (1, 28, 28, 1)]",
    "'x'\n                        784 items, 784 B, ai_i8, s=0.003921569, zp=-128, (1,28,28,1)",
    "'x' (domain:user/)\n                   :   784 items, ai_i8, s=0.003921569, "
    "zp=-128, (1,28,28,1)",
    "'x', 784 items, 784 B, ai_i8, s=0.003921569, zp=-128, (1, 28, 28, 1)",
    "'f32 (1, 2)', int8(1x28x28x1), 784 Bytes, QLinear(0.003921569,-128,int8), user",
]


@pytest.mark.parametrize("value", OLD_PORTS)
def test_inputs_as_versions_write_them(value):
    """From 6.0 on: shape, type, scale and zero point."""
    for label in ("input", "input 1/1"):
        tensor = parse_report(f"{label}   : {value}")["input"]
        assert (tensor.shape, tensor.dtype, tensor.bytes) == ((1, 28, 28, 1), "int8", 784)
        assert (tensor.scale, tensor.zero_point) == (0.003921569, -128)


def test_lines_that_contradict_each_other():
    """One of two numbers is wrong, and which one is not known."""
    with pytest.raises(ValueError, match="in one line and"):
        parse_report("macc : 3,280\nmacc : 3,376\n")
    assert parse_report("macc : 3,280\nmodel: macc=3,376\nmacc : 3280\n")["macs"] == 3280
