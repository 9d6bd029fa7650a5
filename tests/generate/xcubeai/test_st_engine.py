"""kit.generate.xcubeai's engine, tool, refusals and runtime, as far as they can be proven without
ST's tool: with a stand-in (tests/stand_in) that takes the options, writes the files and fails in
the ways that each version documents. From model to network, or an error that says what to do.
"""

import json
import os
import re
import shutil
import subprocess
import time
from contextlib import suppress

import psutil
import pytest
from depth import first
from networks import Spec, make
from stand_in import installation
from stand_in.network import describe
from stand_in.releases import RELEASES
from stand_in.use import by_st, refused, spoil

from kit.checks.doctor import look_for
from kit.cli import main
from kit.errors import KitError
from kit.generate import load_network, xcubeai
from kit.generate.result import TensorInfo
from kit.generate.xcubeai import c_code, refusals, runtime, tool
from kit.generate.xcubeai.find import find_tool
from kit.model import read_model
from kit.programs import Done

ST_AI = ("Core 2.2", "Core 3.0", "Core 4.0", "Core 4.1")


@pytest.mark.parametrize("name", first(3, reversed(RELEASES)))
def test_each_version_makes_a_network(installed, model, out, name):
    """Options, files, API, runtime and every number of each version, from model to result."""
    made = by_st(model, out, installed(name))
    network, own = describe(model), read_model(model)
    assert (made.engine, made.model) == ("xcubeai", "zw_lf_zahlen.tflite")
    assert (made.weights_bytes, made.macs) == (network.weights, network.macc)
    assert made.arena_bytes == network.activations
    assert (made.kernel_flash_bytes, made.kernel_ram_bytes) == (8287, 1344)
    assert (made.input, made.output) == (TensorInfo.of(own.input), TensorInfo.of(own.output))
    assert [layer.macs for layer in made.layers] == [node.macc for node in network.nodes]
    assert made.runtime.api == ("st-ai" if name in ST_AI else "legacy")
    assert made.runtime.version in RELEASES[name].banner
    assert made.runtime.library.name == RELEASES[name].library
    assert made.runtime.cube == tuple(map(int, RELEASES[name].cube.split(".")[:2]))
    assert made.runtime.remark == ""  # the tool was given the model by the kit
    assert (made.runtime.include / "ai_platform.h").is_file()
    assert {path.name for path in made.sources} >= {"network.c", "network_data.c"}
    note = (out / runtime.NOTE).read_text()
    assert made.runtime.version in note and "SLA0044" in note
    xcubeai.check_linkable(made, made.runtime)
    moved = load_network(out.rename(out.with_name("moved")))  # an installation stays where it is
    assert moved.runtime == made.runtime


@pytest.mark.parametrize("name", ["7.2", "Core 4.0"])
def test_a_float_model(installed, float_model, out, name):
    """No scale and no zero point, four bytes a value."""
    made = by_st(float_model, out, installed(name))
    assert (made.input.dtype, made.input.bytes, made.input.scale) == ("float32", 80, 0.0)
    assert made.weights_bytes == 4 * (20 * 5 + 5)


def test_weights_are_as_st_counts_them(place):
    """784-128-128-10 in int8: kernels and four bytes a bias, as ST states for this network."""
    spec = Spec(784, (128, 128, 10), "relu", True, True, True, True, 0.05, 3)
    assert describe(make(spec, place / "tutorial.tflite")).weights == 119_080


@pytest.mark.parametrize(
    ("name", "settings", "given", "not_given"),
    [
        ("Core 4.0", {"compression": "high", "optimization": "ram"},
         "--quiet|--target stm32f4|--c-api st-ai|--type tflite|--compression high|"
         "--optimization ram", "--series|--allocate-inputs"),
        ("8.1", {}, "--quiet|--series stm32f4|--allocate-inputs|--allocate-outputs",
         "--target|--c-api|--compression"),
        ("Core 4.0", {"mcu": "STM32L476RG"}, "--target stm32l4", "--optimization"),
        ("8.1", {"mcu": "stm32l476rg"}, "--series stm32l4", "--target"),
    ],
)  # fmt: skip
def test_what_was_chosen_reaches_the_tool(installed, model, out, name, settings, given, not_given):
    """With the options that keep it from hanging. The older tool knows a series, no target, and
    does not put input and output into the activations by itself. Its lines are shown as they come.
    """
    lines = []
    by_st(model, out, installed(name), watch=lines.append, **settings)
    line = (out / "network_generate_report.txt").read_text().splitlines()[2]
    assert all(words in line for words in given.split("|"))
    assert not any(words in line for words in not_given.split("|"))
    assert lines[0] == RELEASES[name].banner and "elapsed time" in lines[-1]


def test_settings_are_compared(installed, model):
    """One trial a pair; what a version does not have is a refusal in the table."""
    chosen = xcubeai.Settings(tool=installed("Core 4.0"))
    right, wrong = xcubeai.compare_settings(model, ["none", "extreme"], ["time"], chosen)
    assert (right.compression, right.optimization) == ("none", "time")
    assert right.figures.weights_bytes == describe(model).weights
    assert right.figures.activations_bytes == describe(model).activations
    assert wrong.figures is None and "extreme" in wrong.refusal


# --- Running the program -------------------------------------------------------------------------


def test_no_question_can_hang_it(installed):
    """With a keyboard and without --quiet, which --version does not have, the stand-in waits for an
    answer; the kit's question does not."""
    found = find_tool(installed("8.1"))
    pipe = subprocess.PIPE
    with subprocess.Popen([found.program, "--version"], stdin=pipe, stdout=pipe) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.communicate(b"n\n")
    assert process.returncode == 0
    version, options = tool.ask_tool(found)
    assert version.number == (8, 1, 0) and "--optimization" in options


@pytest.mark.deep
def test_a_program_that_hangs_is_ended(installed, model, out, tmp_path, monkeypatch):
    """The error tells what it said last. (That its children end too is kit.programs' promise.)"""
    root = installed("Core 4.0", hang=str(tmp_path.parent / f"{tmp_path.name}.child"))
    monkeypatch.setitem(tool.LIMITS, "generate", 3)
    with refused(out, "within 3 seconds", "Compiling the C model", "ask a question"):
        by_st(model, out, root)


def test_ctrl_c_ends_it(installed, model, tmp_path):
    """Whoever stops waiting leaves nothing running."""
    marker = tmp_path / "child"

    def press(line):
        if marker.is_file() and marker.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        by_st(model, tmp_path / "network", installed("Core 4.0", hang=str(marker)), watch=press)
    with suppress(psutil.NoSuchProcess):  # where nobody waits for it, it may stay in the list
        child, deadline = psutil.Process(int(marker.read_text())), time.monotonic() + 10
        while child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
            time.sleep(0.1)
        assert child.status() == psutil.STATUS_ZOMBIE
    assert not (tmp_path / "network").exists()


@pytest.mark.skipif(os.name == "nt", reason="writes a shell script")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("#!/nowhere\n", "cannot be started"),
        ("#!/bin/sh\necho hello\n", "does not say a version"),
        ("#!/bin/sh\necho 'Neural Network Tools for STM32 v1.4.0 (AI tools v5.2.0)'\n", "too old"),
        ("#!/bin/sh\necho ST Edge AI Core v4.0.1-20581\n", "does not say which options"),
    ],
)
def test_a_program_that_is_something_else(tmp_path, model, out, script, said):
    """A file that is none, another program of that name, or a version whose API is too old."""
    other = tmp_path.parent / f"{tmp_path.name}-stm32ai"
    other.write_text(script)
    other.chmod(0o755)
    with refused(out, said):
        by_st(model, out, other)


def test_the_work_folder_is_ascii(monkeypatch, tmp_path):
    """Core 4.0.1 on Windows crashes on other letters, and a user's name may have them. Where there
    is no such folder, the error says which variable to set."""
    user = tmp_path / "Jörg"
    user.mkdir()
    monkeypatch.setattr(tool.tempfile, "gettempdir", lambda: str(user))
    monkeypatch.setattr(tool, "build_folder", lambda: user)
    with tool.work_folder() as folder:
        assert str(folder).isascii() and folder.is_dir()
    assert not folder.exists()

    def refuse(*_, **__):
        raise OSError("read-only")

    monkeypatch.setattr(tool.tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(KitError, match="TMPDIR"), tool.work_folder():
        pass


# --- What it says when it fails ------------------------------------------------------------------

FAILURES = [
    ("E010(InvalidModelError): Unexpected layer", "cannot read the model"),
    ("E102(CliArgumentError): --device is not supported", "does not accept one of the options"),
    ("E103(CliArgumentError): no such file", "missing or failed"),
    ("E801(HwIOError): could not open port 'COM6': PermissionError(13)", "used by another program"),
    ("E801(HwIOError): No SERIAL COM port detected (STM board is not connected!)", "Plug the"),
    (" E801(HwIOError): Invalid firmware - COM6:115200", "aiValidation"),
    ("E801(HwIOError): time-out", "cannot talk to the board"),
    ("NOT IMPLEMENTED: Order of dimensions of input cannot be interpreted", "supported-ops"),
    ("INTERNAL ERROR: Mismatch in channel position", "portable engine"),
    ("TOOL ERROR: Error in computation of shapes", "portable engine"),
    ("LOAD ERROR: unable to load", "int8 .tflite"),
    ("E999(NobodyKnows): new", "does not know this error"),
    ("[Error] E103", "missing or failed"),
    ("\x1b[31m\x1b[1mE010(InvalidModelError): no\x1b[0m", "cannot read the model"),
    ("\x1b[31m[Error]\x1b[0m E102: --device", "does not accept one of the options"),
]


@pytest.mark.parametrize(("line", "said"), FAILURES)
@pytest.mark.parametrize("code", [1, 0])
def test_each_error_is_explained(tmp_path, line, said, code):
    """The tool's own words, what they mean, and a way out; even with exit code 0."""
    with pytest.raises(KitError) as error:
        refusals.check_done("It failed.", Done(code, f"a\n{line}\n"), tmp_path / "m.tflite")
    words, why = re.sub(r"\x1b\[\d+m", "", line).strip(), error.value.why
    assert words in why and "\x1b" not in why
    assert said in why + error.value.next_step and error.value.next_step


@pytest.mark.parametrize(
    ("name", "behavior", "said"),
    [
        ("Core 4.0", {"fail": FAILURES[0][0]}, "could not generate|E010(InvalidModelError)"),
        ("Core 4.0", {"fail": FAILURES[7][0], "code": 0}, "could not generate|NOT IMPLEMENTED"),
        ("Core 4.0", {"fail": "Segmentation fault", "code": 139}, "exit code 139 and said:"),
        ("Core 4.0", {"write": "nothing"}, "no description"),
        ("Core 4.0", {"write": "cut"}, "network_data.c is cut off: there are 1 { and 0 }"),
        ("Core 4.0", {"leave_out": ["network.h"]}, "no network.h"),
        ("8.1", {"leave_out": ["network_data_params.c"]}, "network_data_params.c"),
        ("7.2", {"leave_out": ["network_generate_report.txt"]}, "no description"),
        ("8.1", {"report": [["v8.1.0", "v8.0.0"]]}, "Version: stm32ai 8.1.0"),
        ("Core 1.0", {"config": [["MAJOR 1", "MAJOR 2"]]}, "network_config.h of 2.0"),
        ("7.2", {"chosen": {"optimization": "ram"}}, "has no such option"),
        ("7.2", {"chosen": {"compression": "extreme"}}, "none, lossless, low, medium, high"),
        ("Core 4.0", {"chosen": {"optimization": "fast"}}, "E102(CliArgumentError)"),
        ("Core 4.0", {"chosen": {"compression": "extreme"}}, "none, lossless, low, medium, high"),
        ("Core 4.0", {"chosen": {"mcu": "stm32h7"}}, "no board support for 'stm32h7'"),
    ],
)
def test_a_failure_leaves_nothing_behind(installed, model, out, name, behavior, said):
    """Whatever the tool does, half-writes, contradicts or does not have of what was chosen: never a
    wrong result, and the earlier network is whole."""
    root = installed(name, **behavior)
    with refused(out, *said.split("|")):
        by_st(model, out, root, **behavior.get("chosen", {}))


def test_a_wrong_option_is_refused_by_the_stand_in(installed, model):
    """The stand-in is as strict as ST's help: otherwise the tests above would prove nothing."""
    chosen = xcubeai.Settings(tool=installed("Core 4.0"))
    for more in (["--device", "x"], ["--mode", "x86"], ["--optimization", "fast"], ["--quiet"]):
        with (
            pytest.raises(KitError, match=r"E102\(CliArgumentError\)"),
            tool.open_job(model, chosen) as job,
        ):
            job.run("analyze", *more)


def test_keras_files(installed, keras_files, out):
    """Of one that the tool cannot read the Keras is named that saved it, and the .tflite is offered
    instead. One that it reads has the shape that the tool says."""
    from kit.silence import tensorflow

    keras = f"Keras {tensorflow().keras.__version__}"
    root = installed("Core 4.0")
    with refused(out, "quantization_config", keras, "int8 .tflite"):
        by_st(keras_files["keras"], out, root)
    assert refusals.keras_version(keras_files["h5"]) == keras
    assert refusals.keras_version(out / "network.json") == "another version of Keras"
    made = by_st(keras_files["h5"], out, installed("Core 2.2", keras=str(keras_files["tflite"])))
    assert (made.model, made.input.shape, made.input.dtype) == ("digits.h5", (1, 20), "float32")
    assert made.weights_bytes == 4 * (20 * 5 + 5)


@pytest.mark.parametrize("name", ["gone.tflite", "gone.keras"])
def test_a_model_that_is_not_there(installed, out, place, name):
    """Before the tool is started."""
    root = installed("Core 4.0")
    with refused(out, f"There is no file {place / name}"):
        by_st(place / name, out, root)


# --- The runtime ---------------------------------------------------------------------------------

LIB, INC = installation.LIB, installation.INC
LIBRARY = LIB / RELEASES["Core 4.0"].library
OF_3 = "#define STAI_TOOLS_VERSION_MAJOR (3)\n#define STAI_TOOLS_VERSION_MINOR (0)\n"
WHOLE, CORE = "one version whole", "not for the Cortex-M4"
BREAK = [
    ({INC: None}, WHOLE, "header stai.h was not found"),
    ({LIB: None}, WHOLE, "no library at all"),
    ({"Middlewares": None}, WHOLE, "no library at all"),
    ({LIBRARY: LIB / "NetworkRuntime1201_CM7_GCC.a"}, WHOLE, "CM7_GCC.a"),
    ({LIBRARY: LIB / "NetworkRuntime1020_CM4_GCC.a"}, WHOLE, "of two versions"),
    ({LIBRARY: LIB / "NetworkRuntime1200_CM4_GCC.a"}, WHOLE, "of two versions"),
    ({INC / "stai.h": OF_3}, "of two versions", "stai.h of 3.0"),
    ({LIBRARY: ("cortex_m0", "eabi")}, CORE, "for another core"),
    ({LIBRARY: ("cortex_m7", "eabihf", 8)}, CORE, "for another core"),
    ({LIBRARY: ("cortex_m4", "eabi")}, CORE, "without hard float"),
]


@pytest.mark.parametrize(("harm", "what", "said"), first(6, BREAK))
def test_a_runtime_that_does_not_fit(fresh, model, out, harm, what, said):
    """Missing or mixed files of an installation are found before anything is linked; a library's
    name may lie, its objects do not."""
    spoil(fresh, harm)
    with refused(out, what, said):
        by_st(model, out, fresh)


@pytest.mark.parametrize("content", [b"", b"!<arch>\n", b"!<arch>\n" + b"x" * 60, b"MZ" * 99])
def test_a_library_that_is_none(tmp_path, content):
    """Every damaged file has its reason, and no stack."""
    (tmp_path / "x.a").write_bytes(content)
    assert "cannot be read as an archive" in runtime.wrong_core(tmp_path / "x.a")


def test_the_runtime_is_checked_again_before_linking(fresh, model, out):
    """Between generating and building an installation may be updated or removed."""
    made = by_st(model, out, fresh)
    xcubeai.check_linkable(made, made.runtime)
    names = (out / c_code.NAMES).rename(out / "names")
    with pytest.raises(KitError, match=r"(?s)engine_network\.h.*Generate"):
        xcubeai.check_linkable(made, made.runtime)
    names.rename(out / c_code.NAMES)
    spoil(fresh, {LIBRARY: ("cortex_m0", "eabi")})
    with pytest.raises(KitError, match=CORE):
        xcubeai.check_linkable(made, made.runtime)
    shutil.rmtree(fresh)
    with pytest.raises(KitError, match=r"(?s)is gone.*4\.0\.1-20581"):
        xcubeai.check_linkable(made, made.runtime)


# --- The doctor and the command line -------------------------------------------------------------


def test_the_doctor_names_tool_version_and_places(installed, monkeypatch, tmp_path):
    """Which one is used, or where it was looked for."""
    for name, value in (("PATH", ""), ("HOME", tmp_path), ("USERPROFILE", tmp_path)):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(installed("Core 2.2")))
    check = look_for("X-CUBE-AI (ST Edge AI)")
    assert check.found and "ST Edge AI Core 2.2.0" in check.detail
    assert "STEDGEAI_CORE_DIR" in check.detail
    monkeypatch.delenv("STEDGEAI_CORE_DIR")
    check = look_for("X-CUBE-AI (ST Edge AI)")
    assert not check.found and "stm32ai on PATH" in check.detail and "~/STM32Cube" in check.detail


def test_the_command_line(installed, model, out, capsys, monkeypatch):
    """`kit generate --engine xcubeai`, as text and as JSON."""
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(installed("Core 4.0")))
    words = ["generate", str(model), "--out", str(out), "--engine", "xcubeai"]
    assert main([*words, "--compression", "none", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["runtime"]["api"] == "st-ai" and made["kernel_flash_bytes"] == 8287
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "kernels 8,287 bytes of flash" in shown and "ST Edge AI Core 4.0.1" in shown
    for words in (["generate", str(model), "--out", str(out)], ["validate", str(model)]):
        assert main([*words, "--tool", "elsewhere"]) == 1
        assert "portable engine has no setting tool" in capsys.readouterr().err
        assert main([*words, "--engine", "xcubeai", "--optimize", "time"]) == 1
        told = capsys.readouterr().err
        assert "xcubeai has no setting optimize" in told and "--optimization in a command" in told
