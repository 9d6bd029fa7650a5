"""ST's tool as an engine, as far as it can be proven without it: with a stand-in (tests/stand_in)
that takes the options, writes the files and fails in the ways that each version documents.
"""

import json
import os
import re
import shutil
import subprocess
import time
import warnings
import zipfile
from importlib import import_module
from pathlib import Path

import numpy as np
import psutil
import pytest
from networks import Spec, make
from stand_in import installation
from stand_in.network import describe
from stand_in.releases import RELEASES

from kit.checks import validate
from kit.compile.toolchain import WARNINGS, run_tool, zig
from kit.errors import KitError
from kit.generate import generate_network, load_network, xcubeai
from kit.generate.xcubeai import (
    Settings,
    c_code,
    license,
    refusals,
    runtime,
    tool,
    validation,
    zipped,
)
from kit.generate.xcubeai.find import find_tool
from kit.model import Reference, read_model
from kit.paths import FIRMWARE

doctor = import_module("kit.checks.doctor")  # the package gives the function of that name
SMALL = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 3)
ST_AI = ("Core 2.2", "Core 3.0", "Core 4.0", "Core 4.1")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder whose path has what users' paths have."""
    folder = tmp_path_factory.mktemp("user") / "Ünïcode & spaces"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def model(place):
    """An int8 model of MNIST's shape, under a name with letters outside ASCII."""
    return make(SMALL, place / "zwölf zahlen.tflite")


@pytest.fixture(scope="module")
def float_model(place):
    return make(Spec(20, (5,), None, True, True, False, False, 0.3, 1), place / "float.tflite")


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """One installation of each release that a test asks for, in a path with spaces."""
    folder = tmp_path_factory.mktemp("installed here")
    made = {}

    def root(name):
        if name not in made:
            made[name] = folder / name
            installation.install(made[name], name)
        return made[name]

    return root


@pytest.fixture
def installed(roots):
    """`installed(name, **behavior)` gives an installation; it behaves well again afterwards."""
    used = []

    def install(name, **behavior):
        used.append((roots(name), name))
        (roots(name) / installation.BEHAVIOR).unlink(missing_ok=True)
        installation.behave(roots(name), release=name, **behavior)
        return roots(name)

    yield install
    for root, name in used:
        (root / installation.BEHAVIOR).unlink()
        installation.behave(root, release=name)


@pytest.fixture
def out(tmp_path):
    """Where a network goes; an earlier one is there already, so that a failure could harm it."""
    folder = tmp_path / "nétwork"
    folder.mkdir()
    (folder / "network.json").write_text("{}")
    return folder


def by_st(model, out, root, **settings):
    return generate_network(model, out, "xcubeai", tool=root, **settings)


def assert_refused(out, *said):
    """A context: a KitError with these words and a way out, and the earlier network untouched."""

    class Refused:
        def __enter__(self):
            return self

        def __exit__(self, kind, error, _trace):
            assert kind is KitError, f"{kind}: {error}"
            text = str(error)
            assert [word for word in said if word not in text] == [], text
            assert "Next: " in text
            assert [path.name for path in out.iterdir()] == ["network.json"]
            assert sorted(path.name for path in out.parent.iterdir()) == [out.name]
            return True

    return Refused()


# --- Generating, with each version ---------------------------------------------------------------


@pytest.mark.parametrize("name", RELEASES)
def test_each_version_makes_a_network(installed, model, out, name):
    """Options, files, API, runtime and every number of each version, from model to result."""
    made = by_st(model, out, installed(name))
    network, tensor = describe(model), read_model(model)
    assert (made.engine, made.model) == ("xcubeai", "zw_lf_zahlen.tflite")
    assert (made.weights_bytes, made.macs) == (network.weights, network.macc)
    assert made.arena_bytes == network.activations
    assert (made.kernel_flash_bytes, made.kernel_ram_bytes) == (8287, 1344)
    for info, own in ((made.input, tensor.input), (made.output, tensor.output)):
        assert (info.shape, info.dtype, info.bytes) == (own.shape, own.dtype, own.bytes)
        assert (info.scale, info.zero_point) == (own.scale, own.zero_point)
    assert [layer.macs for layer in made.layers] == [node.macc for node in network.nodes]
    assert made.runtime.api == ("st-ai" if name in ST_AI else "legacy")
    assert made.runtime.version in RELEASES[name].banner
    assert made.runtime.library.name == RELEASES[name].library
    assert made.runtime.cube == tuple(map(int, RELEASES[name].cube.split(".")[:2]))
    assert made.runtime.remark == ""  # the tool was given the model by the kit
    assert (made.runtime.include / "ai_platform.h").is_file()
    assert made == load_network(out)
    xcubeai.check_linkable(made)
    assert {path.name for path in made.sources} >= {"network.c", "network_data.c"}


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


def test_what_was_chosen_reaches_the_tool(installed, model, out):
    """--compression and --optimization, and with them the options that keep it from hanging."""
    by_st(model, out, installed("Core 4.0"), compression="high", optimization="ram")
    line = (out / "network_generate_report.txt").read_text().splitlines()[2]
    for words in ("--compression high", "--optimization ram", "--quiet", "--target stm32f4",
                  "--c-api st-ai", "--type tflite"):  # fmt: skip
        assert words in line


def test_the_older_tool_has_options_of_its_own(installed, model, out):
    """It knows a series, no target, and does not put input and output into the activations by
    itself."""
    by_st(model, out, installed("8.1"))
    line = (out / "network_generate_report.txt").read_text().splitlines()[2]
    assert "--series stm32f4 --allocate-inputs --allocate-outputs --quiet" in line
    assert "--target" not in line and "--c-api" not in line


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("7.2", {"optimization": "ram"}, "does not have this option"),
        ("7.2", {"compression": "extreme"}, "none, lossless, low, medium, high"),
        ("Core 4.0", {"optimization": "fast"}, "E102(CliArgumentError)"),
        ("Core 4.0", {"compression": "extreme"}, "none, lossless, low, medium, high"),
    ],
)
def test_a_setting_that_a_version_does_not_have(installed, model, out, name, settings, said):
    """The tool's own help says what it has, or the tool refuses it."""
    root = installed(name)
    with assert_refused(out, said):
        by_st(model, out, root, **settings)


def test_the_portable_engine_has_no_such_settings(model, out):
    """A setting that would be ignored is refused."""
    with assert_refused(out, "no setting compression", "xcubeai"):
        generate_network(model, out, compression="high")


def test_the_tool_is_watched(installed, model, out):
    """Its lines are shown as they come."""
    lines = []
    by_st(model, out, installed("Core 4.0"), watch=lines.append)
    assert lines[0] == RELEASES["Core 4.0"].banner and "elapsed time" in lines[-1]


def test_terms_lie_beside_the_code(installed, model, out):
    """Who finds the folder learns whose files these are."""
    by_st(model, out, installed("Core 2.2"))
    note = (out / license.NOTE).read_text()
    assert "ST Edge AI Core 2.2.0-20266" in note and "SLA0044" in note


@pytest.mark.parametrize("url", ["virtual://", "VIRTUAL://two"])
def test_the_runtime_is_not_executed_on_an_emulator(url):
    """ST's license; the open engine is offered."""
    with pytest.raises(KitError, match=r"(?s)license.*--engine portable"):
        xcubeai.check_may_run_on(url)
    xcubeai.check_may_run_on("COM5")


# --- Running the program -------------------------------------------------------------------------


def test_the_stand_in_waits_for_an_answer(installed):
    """What makes the next test mean something: with a keyboard and without --quiet it hangs."""
    program = find_tool(installed("Core 4.0")).program
    with subprocess.Popen(
        [program, "--version"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.communicate(b"n\n")
    assert process.returncode == 0


def test_no_question_can_hang_it(installed):
    """--version has no --quiet: only the missing keyboard keeps it from waiting."""
    version, options = tool.ask_tool(find_tool(installed("8.1")))
    assert version.number == (8, 1, 0) and "--optimization" in options


@pytest.mark.deep
def test_a_program_that_hangs_is_ended_with_its_children(
    installed, model, out, tmp_path, monkeypatch
):
    """The error tells what it said last; nothing of it runs on."""
    marker = tmp_path.parent / f"{tmp_path.name}.child"
    root = installed("Core 4.0", hang=str(marker))
    monkeypatch.setitem(tool.LIMITS, "generate", 3)
    with assert_refused(out, "within 3 seconds", "Compiling the C model", "ask a question"):
        by_st(model, out, root)
    assert_gone(int(marker.read_text()))


def test_ctrl_c_ends_it(installed, model, tmp_path):
    """Whoever stops waiting leaves nothing running."""
    marker = tmp_path / "child"

    def press(line):
        if marker.is_file() and marker.read_text():
            raise KeyboardInterrupt

    root = installed("Core 4.0", hang=str(marker))
    with pytest.raises(KeyboardInterrupt):
        by_st(model, tmp_path / "network", root, watch=press)
    assert_gone(int(marker.read_text()))
    assert not (tmp_path / "network").exists()


def assert_gone(number):
    """The process has ended; where nobody waits for it, it may stay in the list of processes."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if psutil.Process(number).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.1)
    pytest.fail(f"process {number} still runs")


def test_a_program_that_does_not_start(tmp_path, model, out):
    """A file that is none is told, not a stack."""
    broken = tmp_path.parent / f"{tmp_path.name}-stedgeai"
    broken.write_text("#!/nowhere\n")
    with assert_refused(out, "cannot be started"):
        by_st(model, out, broken)


@pytest.mark.skipif(os.name == "nt", reason="writes a shell script")
@pytest.mark.parametrize(
    ("says", "said"),
    [
        ("hello", "does not say a version"),
        ("Neural Network Tools for STM32 v1.4.0 (AI tools v5.2.0)", "too old"),
        ("ST Edge AI Core v4.0.1-20581", "does not say which options"),
    ],
)
def test_a_program_that_is_something_else(tmp_path, model, out, says, said):
    """Another program of that name, or a version whose API is too old."""
    other = tmp_path.parent / f"{tmp_path.name}-stm32ai"
    other.write_text(f"#!/bin/sh\necho '{says}'\n")
    other.chmod(0o755)
    with assert_refused(out, said):
        by_st(model, out, other)


def test_the_work_folder_is_ascii(monkeypatch, tmp_path):
    """Core 4.0.1 on Windows crashes on other letters, and a user's name may have them."""
    user = tmp_path / "Jörg"
    user.mkdir()
    monkeypatch.setattr(tool.tempfile, "gettempdir", lambda: str(user))
    monkeypatch.setattr(tool, "build_folder", lambda: user)
    with tool.work_folder() as folder:
        assert str(folder).isascii() and folder.is_dir()
    assert not folder.exists()


def test_a_computer_without_an_ascii_folder(monkeypatch, tmp_path):
    """The error says which variable to set."""

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
    (
        "E801(HwIOError): No SERIAL COM port detected (STM board is not connected!)",
        "Plug the board",
    ),
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
    error = refusals.failure("It failed.", f"banner\n{line}\n", code, tmp_path / "m.tflite")
    why, next_step = error.why, error.next_step
    assert re.sub(r"\x1b\[\d+m", "", line).strip() in why and "\x1b" not in why
    assert said in why + next_step and next_step


@pytest.mark.parametrize(
    ("behavior", "said"),
    [
        ({"fail": FAILURES[0][0]}, "E010(InvalidModelError)"),
        ({"fail": FAILURES[7][0], "code": 0}, "NOT IMPLEMENTED"),
        ({"fail": "Segmentation fault", "code": 139}, "exit code 139 and said:"),
    ],
)
def test_a_failure_leaves_nothing_behind(installed, model, out, behavior, said):
    """Whatever the tool does, the earlier network is whole."""
    root = installed("Core 4.0", **behavior)
    with assert_refused(out, said, "could not generate"):
        by_st(model, out, root)


def test_a_wrong_option_is_refused_by_the_stand_in(installed, model, tmp_path):
    """The stand-in is as strict as ST's help: otherwise the tests above would prove nothing."""
    settings = Settings(tool=installed("Core 4.0"))
    for more in (["--device", "x"], ["--mode", "x86"], ["--optimization", "fast"], ["--quiet"]):
        with (
            pytest.raises(KitError, match=r"E102\(CliArgumentError\)"),
            tool.open_job(model, settings) as job,
        ):
            job.run("analyze", *more)


@pytest.fixture(scope="module")
def keras_files(place):
    """The same network as .keras and .h5."""
    from kit.silence import quiet, tensorflow

    tf = tensorflow()
    layers = [tf.keras.Input((20,)), tf.keras.layers.Dense(5, activation="softmax")]
    with quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation")  # Keras, while it converts
        network = tf.keras.Sequential(layers)
        for ending in ("keras", "h5"):
            network.save(place / f"digits.{ending}")
        converted = tf.lite.TFLiteConverter.from_keras_model(network).convert()
        (place / "digits.tflite").write_bytes(converted)
    return {ending: place / f"digits.{ending}" for ending in ("keras", "h5", "tflite")}


def test_a_keras_file_that_the_tool_cannot_read(installed, keras_files, out):
    """The Keras that saved it is named, and the .tflite is offered instead."""
    from kit.silence import tensorflow

    keras = tensorflow().keras
    root = installed("Core 4.0")
    with assert_refused(out, "quantization_config", f"Keras {keras.__version__}", "int8 .tflite"):
        by_st(keras_files["keras"], out, root)
    assert refusals.keras_version(keras_files["h5"]) == f"Keras {keras.__version__}"
    assert refusals.keras_version(out / "network.json") == "another version of Keras"


def test_an_h5_file_is_accepted(installed, keras_files, out):
    """The tool reads it; the result has its shape, from the tool's description alone."""
    root = installed("Core 2.2", keras=str(keras_files["tflite"]))
    made = by_st(keras_files["h5"], out, root)
    assert (made.model, made.input.shape, made.input.dtype) == ("digits.h5", (1, 20), "float32")
    assert made.weights_bytes == 4 * (20 * 5 + 5)


@pytest.mark.parametrize("name", ["gone.tflite", "gone.keras"])
def test_a_model_that_is_not_there(installed, out, place, name):
    """Before the tool is started."""
    root = installed("Core 4.0")
    with assert_refused(out, f"There is no file {place / name}"):
        by_st(place / name, out, root)


# --- Files that do not belong together -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "behavior", "said"),
    [
        ("Core 4.0", {"write": "nothing"}, "no description"),
        ("Core 4.0", {"write": "cut"}, "network_data.c: there are 1 { and 0 }"),
        ("Core 4.0", {"leave_out": ["network.h"]}, "no network.h"),
        ("8.1", {"leave_out": ["network_data_params.c"]}, "network_data_params.c"),
        ("7.2", {"leave_out": ["network_generate_report.txt"]}, "no description"),
        ("Core 4.0", {"info": [[["json_schema_version"], "3.0"]]}, "schema is '3.0'"),
        ("8.1", {"report": [["v8.1.0", "v8.0.0"]]}, "version"),
        ("Core 1.0", {"config": "2.1.0"}, "network_config.h of 2.1"),
    ],
)
def test_what_cannot_be_right_is_an_error(installed, model, out, name, behavior, said):
    """A half-written folder, an unknown schema, a missing or contradictory number: never a wrong
    result, and the earlier one is whole."""
    root = installed(name, **behavior)
    with assert_refused(out, said):
        by_st(model, out, root)


@pytest.fixture
def fresh(tmp_path_factory):
    """An installation of its own, to be broken."""
    root = tmp_path_factory.mktemp("broken") / "4.0"
    installation.install(root, "Core 4.0")
    return root


def rename_library(root, name):
    library = root / installation.LIB / RELEASES["Core 4.0"].library
    library.rename(library.with_name(name))


BREAK = [
    (lambda root: shutil.rmtree(root / installation.INC), "header stai.h was not found"),
    (lambda root: shutil.rmtree(root / installation.LIB), "no library at all"),
    (lambda root: shutil.rmtree(root / "Middlewares"), "stands alone"),
    (lambda root: rename_library(root, "NetworkRuntime1201_CM7_GCC.a"), "CM7_GCC.a"),
    (lambda root: rename_library(root, "NetworkRuntime1020_CM4_GCC.a"), "of two versions"),
    (lambda root: rename_library(root, "NetworkRuntime1200_CM4_GCC.a"), "of two versions"),
]


@pytest.mark.parametrize(("harm", "said"), BREAK)
def test_a_runtime_that_does_not_fit(fresh, model, out, harm, said):
    """Missing or mixed files of an installation are found before anything is linked."""
    harm(fresh)
    with assert_refused(out, said, "one version whole"):
        by_st(model, out, fresh)


def test_headers_of_another_version(fresh, model, out):
    """The version that stai.h carries is compared with the tool's."""
    header = fresh / installation.INC / "stai.h"
    header.write_text(header.read_text().replace("MAJOR (4)", "MAJOR (3)"))
    with assert_refused(out, "of two versions", "stai.h of 3.0"):
        by_st(model, out, fresh)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (("cortex_m0", "eabi"), "for another core"),
        (("cortex_m7", "eabihf", 8), "for another core"),
        (("cortex_m4", "eabi"), "without hard float"),
    ],
)
def test_a_library_of_the_wrong_core(fresh, model, out, kind, said):
    """Its name may lie; its objects do not."""
    library = fresh / installation.LIB / RELEASES["Core 4.0"].library
    library.write_bytes(installation.archive(installation.compiled(*kind)))
    with assert_refused(out, "not for the Cortex-M4", said):
        by_st(model, out, fresh)


@pytest.mark.parametrize("content", [b"", b"!<arch>\n", b"!<arch>\n" + b"x" * 60, b"MZ" * 99])
def test_a_library_that_is_none(tmp_path, content):
    """Every damaged file has its reason, and no stack."""
    (tmp_path / "x.a").write_bytes(content)
    assert "cannot be read as an archive" in runtime.wrong_core(tmp_path / "x.a")


@pytest.mark.parametrize(
    ("text", "value"), [("784", 784), ("(784)", 784), ("((10))", 10), ("(28 *  28 *  1)", 784)]
)
def test_macros_in_each_form(text, value):
    """The versions write the same number differently."""
    lines = (
        f"#define AI_X_SIZE  {text}\n#define AI_X_SIZE_BYTES (1)\n#define AI_X_Y (sizeof(int))\n"
    )
    code = c_code.Code(Path(), c_code.LEGACY, "x", lines)
    assert code.number("SIZE") == value
    for name in ("Y", "Z"):
        with pytest.raises(KitError, match=f"does not define AI_X_{name}"):
            code.number(name)


def test_the_runtime_is_checked_again_before_linking(fresh, model, out):
    """Between generating and building an installation may be updated or removed."""
    made = by_st(model, out, fresh)
    xcubeai.check_linkable(made)
    names = (out / c_code.NAMES).rename(out / "names")
    with pytest.raises(KitError, match=r"(?s)engine_network\.h.*Generate"):
        xcubeai.check_linkable(made)
    names.rename(out / c_code.NAMES)
    made.runtime.library.write_bytes(
        installation.archive(installation.compiled("cortex_m0", "eabi"))
    )
    with pytest.raises(KitError, match="not for the Cortex-M4"):
        xcubeai.check_linkable(made)
    shutil.rmtree(fresh)
    with pytest.raises(KitError, match=r"(?s)is gone.*4\.0\.1-20581"):
        xcubeai.check_linkable(made)
    portable = generate_network(model, out.parent / "portable")
    with pytest.raises(KitError, match="portable engine"):
        xcubeai.check_linkable(portable)


@pytest.mark.parametrize("name", ["8.1", "Core 4.0"])
def test_what_the_stand_in_writes_is_c(installed, model, out, tmp_path, name):
    """Each file compiles for the chip, so that its API can be put on it."""
    made = by_st(model, out, installed(name))
    folders = [FIRMWARE / "nn", made.folder, made.runtime.include]
    flags = ["-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4", "-c", *WARNINGS]
    flags += [f"-I{folder}" for folder in folders]
    for source in made.sources:
        command = [zig(), "cc", *flags, source, "-o", tmp_path / "x.o"]
        run_tool(command, f"Compiling {source.name}")


def test_a_network_that_was_moved(installed, model, out, tmp_path):
    """An installation is named by its whole path, so the folder may go elsewhere."""
    made = by_st(model, out, installed("Core 4.0"))
    moved = tmp_path / "moved"
    out.rename(moved)
    assert load_network(moved).runtime == made.runtime


# --- From a zip ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unpacked(roots, model, tmp_path_factory):
    """What Developer Cloud's zip holds, as a folder: one folder with all in it."""
    top = tmp_path_factory.mktemp("cloud") / "digits-NUCLEO-F446RE-code"
    root = roots("Core 4.0")
    generate_network(model, top, "xcubeai", tool=root)
    (top / "network.json").unlink()
    shutil.copytree(root / installation.INC, top / "Inc")
    (top / "Lib").mkdir()
    library = RELEASES["Core 4.0"].library
    shutil.copyfile(root / installation.LIB / library, top / "Lib" / library)
    (top / "LICENSE").write_text("terms")
    return top


def pack(top, path, *left_out):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(top.rglob("*")):
            if file.is_file() and file.name not in left_out:
                archive.write(file, file.relative_to(top.parent))
    return path


def test_from_a_zip(unpacked, model, out, tmp_path_factory, monkeypatch):
    """No installation is needed; headers and library lie in the folder and move with it."""
    monkeypatch.setenv("PATH", "")
    path = pack(unpacked, tmp_path_factory.mktemp("zips") / "c öde.zip")
    made = generate_network(model, out, "xcubeai", from_zip=path)
    assert made.macs == describe(model).macc and made.runtime.api == "st-ai"
    assert made.runtime.library.is_relative_to(out) and made.runtime.library.is_file()
    assert (made.runtime.include / "stai.h").is_file() and (out / "LICENSE").is_file()
    moved = out.rename(out.with_name("moved"))
    assert load_network(moved).runtime.library.is_relative_to(moved)


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        (["network.h"], "no network.h"),
        (["stai.h", "ai_platform.h"], "no stai.h"),
        ([RELEASES["Core 4.0"].library], "no library at all"),
        (["network_c_info.json", "network_generate_report.txt"], "no description"),
        (["network_data.c"], "network_data.c"),
    ],
)
def test_a_zip_that_lacks_something(unpacked, model, out, tmp_path_factory, left_out, said):
    """Each is named, with the way to a right one."""
    path = pack(unpacked, tmp_path_factory.mktemp("zips") / "code.zip", *left_out)
    with assert_refused(out, said):
        generate_network(model, out, "xcubeai", from_zip=path)


def test_a_zip_of_another_model(unpacked, model, float_model, out, tmp_path_factory):
    """Its input is not the model's, which is told as a learner reads it; or its weights are not."""
    path = pack(unpacked, tmp_path_factory.mktemp("zips") / "code.zip")
    with assert_refused(
        out, "What the tool made is not float.tflite", "int8 1 x 784, scale", "is float32 1 x 20."
    ):
        generate_network(float_model, out, "xcubeai", from_zip=path)
    other = model.with_name("other weights.tflite")
    other.write_bytes(model.read_bytes() + b"\0")  # as it is, with another digest
    with assert_refused(out, "code.zip was not made from other weights.tflite", "MD5"):
        generate_network(other, out, "xcubeai", from_zip=path)


def test_settings_do_not_change_a_zip(unpacked, model, out, tmp_path_factory):
    """They would be ignored, so they are refused."""
    with assert_refused(out, "already made"):
        generate_network(model, out, "xcubeai", from_zip="x.zip", compression="high")


def test_files_that_are_no_zip(model, out, tmp_path_factory):
    """Missing, cut off, or something else."""
    folder = tmp_path_factory.mktemp("zips")
    (folder / "text.zip").write_text("no")
    for name in ("gone.zip", "text.zip"):
        with assert_refused(out, "not a usable zip"):
            generate_network(model, out, "xcubeai", from_zip=folder / name)


def test_a_zip_cannot_write_elsewhere_or_fill_the_disk(tmp_path, monkeypatch):
    """Names with .. stay inside, and the whole size is known before anything is unpacked."""
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside.c", "x" * 100)
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    zipped.unpack_zip(path, inside)
    assert [p.name for p in tmp_path.rglob("outside.c")] == ["outside.c"]
    assert (inside / "outside.c").is_file()
    monkeypatch.setattr(zipped, "LARGEST", 99)
    with pytest.raises(KitError, match="more than 99 bytes"):
        zipped.unpack_zip(path, inside)


# --- ST's own validation -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inputs(model):
    return validate.random_inputs(model, 30)


@pytest.fixture(autouse=True)
def _gcc(monkeypatch):
    """Host mode needs one with ST's tool; the stand-in does not."""
    monkeypatch.setattr(validation, "computer", lambda: ("Windows", "AMD64"))


@pytest.mark.parametrize("name", RELEASES)
def test_validation_with_each_version(installed, model, inputs, name):
    """The outputs that it writes are LiteRT's, row by row; its own metrics are read."""
    settings = Settings(tool=installed(name))
    done = validate.validate_by_st(model, inputs, "random", "host", None, settings)
    assert (done.comparison.rows, done.comparison.mismatches) == (30, 0)
    assert done.comparison.same_digit == 30 and done.remark == ""
    assert [row.name for row in done.metrics] == ["X-cross #1"]
    assert (done.metrics[0].values["acc"], done.metrics[0].values["rmse"]) == (1.0, 0.0)
    assert ("cos" in done.metrics[0].values) == RELEASES[name].is_core
    assert done.milliseconds == 0.309


@pytest.mark.parametrize(("outputs", "differ"), [("real", 0), ("off", 10)])
def test_differences_are_counted_in_steps(installed, model, inputs, outputs, differ):
    """A version that writes real values is compared as the chip stores them; a difference of one
    step in every third row is found."""
    settings = Settings(tool=installed("Core 4.0", outputs=outputs))
    found = validate.validate_by_st(model, inputs, "random", settings=settings).comparison
    assert (found.mismatches, found.largest) == (differ, float(differ > 0))


def test_a_version_that_writes_no_outputs(installed, model, inputs):
    """Then the metrics stand alone, and the result says why."""
    settings = Settings(tool=installed("Core 4.0", outputs="none"))
    done = validate.validate_by_st(model, inputs, "random", settings=settings)
    assert done.comparison is None and "writes no outputs" in done.remark and done.metrics


def test_outputs_that_are_none(model):
    """Too few, or no multiples of the scale: an error, not a comparison."""
    tensor = read_model(model).output
    for values, said in (
        (np.zeros((3, 9), np.int8), "27 values"),
        (np.full((3, 10), tensor.scale / 2, np.float32), "not multiples"),
        (np.full((3, 10), tensor.scale * 900, np.float32), "not multiples"),
    ):
        with pytest.raises(KitError, match=said):
            validation.as_stored(values, tensor, 3)


def test_validation_on_a_board(installed, model, inputs):
    """The port reaches the tool in its own form; what a board may answer is explained."""
    root = installed("Core 4.0")
    done = xcubeai.validate_by_tool(model, inputs, "target", "COM6", Settings(tool=root))
    np.testing.assert_array_equal(done.outputs, Reference(model).run(inputs))
    with pytest.raises(KitError, match="emulator"):
        xcubeai.validate_by_tool(model, inputs, "target", "virtual://", Settings(tool=root))


def test_a_keras_file_is_validated_with_random_inputs(installed, keras_files):
    """LiteRT cannot read it, and the result says so."""
    settings = Settings(tool=installed("Core 2.2", keras=str(keras_files["tflite"])))
    done = validate.validate_by_st(keras_files["h5"], 7, "7 random inputs", settings=settings)
    assert done.comparison is None and ".tflite" in done.remark and done.rows == 7


@pytest.mark.parametrize(
    ("system", "machine", "said"),
    [("Darwin", "arm64", "Apple silicon"), ("Linux", "x86_64", "needs gcc")],
)
def test_host_mode_where_it_cannot_work(monkeypatch, system, machine, said):
    """Before minutes are spent."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(validation, "computer", lambda: (system, machine))
    with pytest.raises(KitError, match=said):
        validation.check_mode("host", None)
    with pytest.raises(KitError, match="no mode"):
        validation.check_mode("x86", None)


METRICS = """
Evaluation report (summary)
----------------------------------------------------------------
Output              acc       rmse          mae           l2r           mean   tensor
----------------------------------------------------------------
TARGET c-model #1   98.29%    0.080867730   0.011736452   0.163443178   0.0    'output', 5 x f32
original model #1   98.29%    0.080867730   0.011736450   0.163443163   -0.0   'output', 5 x f32
X-cross #1          n.a.      4.1e-08       0.000000012   0.000000082   0.0    'output', 5 x f32
----------------------------------------------------------------
  acc  : Accuracy (class, axis=-1)
"""


def test_metrics_with_several_rows():
    """With reference outputs there are three; what is not applicable is left out."""
    rows = validation.read_metrics(METRICS + METRICS)
    assert [row.name for row in rows] == ["TARGET c-model #1", "original model #1", "X-cross #1"]
    assert rows[0].values["acc"] == pytest.approx(0.9829)
    assert "acc" not in rows[2].values and rows[2].values["rmse"] == pytest.approx(4.1e-8)
    assert validation.read_metrics("nothing") == []


# --- Settings, the doctor, the command line ------------------------------------------------------


def test_settings_are_compared(installed, model):
    """One trial a pair; what a version does not have is a refusal in the table."""
    settings = Settings(tool=installed("Core 4.0"))
    trials = xcubeai.compare_settings(model, ["none", "extreme"], ["time"], settings)
    assert [(trial.compression, trial.optimization) for trial in trials] == [
        ("none", "time"), ("extreme", "time")]  # fmt: skip
    assert trials[0].figures.weights_bytes == describe(model).weights
    assert trials[0].figures.activations_bytes == describe(model).activations
    assert trials[1].figures is None and "extreme" in trials[1].refusal


def test_the_doctor_names_tool_version_and_places(installed, monkeypatch, tmp_path):
    """Which one is used, or where it was looked for."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(installed("Core 2.2")))
    check = doctor.st_edge_ai()
    assert check.found and "ST Edge AI Core 2.2.0" in check.detail
    assert "STEDGEAI_CORE_DIR" in check.detail
    monkeypatch.delenv("STEDGEAI_CORE_DIR")
    check = doctor.st_edge_ai()
    assert not check.found and "stm32ai on PATH" in check.detail and "~/STM32Cube" in check.detail


def test_the_command_line(installed, model, out, capsys, monkeypatch):
    """`kit generate --engine xcubeai` and `kit validate --engine xcubeai`, as text and as JSON."""
    from kit.cli import main

    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(installed("Core 4.0")))
    words = ["generate", str(model), "--out", str(out), "--engine", "xcubeai"]
    assert main([*words, "--compression", "none", "--json"]) == 0
    printed = capsys.readouterr()
    made = json.loads(printed.out)
    assert made["runtime"]["api"] == "st-ai" and made["kernel_flash_bytes"] == 8287
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "kernels 8,287 bytes of flash" in shown and "ST Edge AI Core 4.0.1" in shown
    words = ["validate", str(model), "--engine", "xcubeai", "--random", "9"]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["comparison"]["mismatches"] == 0
    assert main(words) == 0
    assert "0 of 9 rows differ" in capsys.readouterr().out
    assert main([*words, "--mode", "target", "--board", "virtual://"]) == 1
    assert "ST's license" in capsys.readouterr().err
    for words in (["generate", str(model), "--out", str(out)], ["validate", str(model)]):
        assert main([*words, "--tool", "elsewhere"]) == 1
        assert "portable engine has no setting tool" in capsys.readouterr().err
