"""X-CUBE-AI's network on the chip, as far as it can be proven without ST's files.

A stand-in for ST's tool writes the C, and a runtime of our own stands in for ST's: with the same
names, and strict where ST's is (tests/stand_in). So both adapters compile, link and run.
"""

import os
import re
import shutil
from dataclasses import replace
from functools import cache
from importlib import import_module

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st
from led import blinks, ticks, watch_led
from made import own_build
from networks import Spec, make, make_course
from real_board import add_tool, line  # noqa: F401
from stand_in import installation, runtime
from stand_in.network import describe
from stand_in.releases import RELEASES
from stand_in.use import by_st, cloud_files, spoil

from kit.board import Board, LinkError, confirm, flash
from kit.checks import selftest
from kit.cli import main
from kit.compile import HostNetwork, Program, build_firmware, firmware, toolchain
from kit.compile.toolchain import find_gcc, run_tool
from kit.digits import load_mnist as load_digits
from kit.errors import KitError
from kit.generate import generate_network, load_network
from kit.generate.xcubeai.return_codes import explain_return_code
from kit.model import Reference, pixels_to_input, read_model
from kit.paths import FIRMWARE
from virtual_nucleo import store

FLASH = import_module("kit.board.flashing")  # the package gives the function of that name
SPEC = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 3)
URL = "virtual://adapters"
APIS = ["Core 4.0", "8.1"]  # the last of each

MISSING = runtime.missing()
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"{MISSING}, and ST's runtime needs it"),
    pytest.mark.deep,
]


@pytest.fixture(scope="module")
def model(place):
    return make(SPEC, place / "digits_int8.tflite")


@pytest.fixture(scope="module")
def course(place):
    """The course's network, which reads digits."""
    return make_course(place / "course.tflite")


@pytest.fixture(scope="module")
def roots(place):
    """`roots(name)`: an installation of a release, with a runtime that computes."""

    @cache
    def root(name):
        installation.install(place / name, name)
        runtime.equip(place / name, name)
        return place / name

    return root


@pytest.fixture(scope="module")
def networks(roots, model, place):
    """`networks(name)`: what that release made of the model."""
    return cache(lambda name: by_st(model, place / f"network of {name}", roots(name)))


@pytest.fixture
def own(networks, roots, tmp_path):
    """`own(name)`: a network with an installation that a test may spoil."""

    def copy(name):
        made, root = networks(name), tmp_path / "installed ö"
        shutil.copytree(roots(name), root)
        folder = shutil.copytree(made.folder, tmp_path / "network")
        places = {part: root / getattr(made.runtime, part).relative_to(roots(name))
                  for part in ("library", "include")}  # fmt: skip
        return replace(made, folder=folder, runtime=replace(made.runtime, **places))

    return copy


@pytest.fixture
def wrong(networks, tmp_path, monkeypatch):
    """`wrong(name, old, new)`: a program whose adapter has a mistake."""

    def make_wrong(name, old, new):
        api = "stai" if networks(name).runtime.api == "st-ai" else "legacy"
        copy = shutil.copytree(FIRMWARE, tmp_path / "firmware")
        parts = [copy / "engine" / part for part in (f"{api}/engine.c", "xcubeai/adapter.h")]
        part = next(part for part in parts if old in part.read_text())
        part.write_text(part.read_text().replace(old, new))
        lists = copy / "CMakeLists.txt"  # what is left unused is no mistake here
        lists.write_text(lists.read_text().replace("-Werror", ""))
        monkeypatch.setattr(firmware, "FIRMWARE", copy)
        return build_firmware(networks(name), tmp_path / "built")

    return make_wrong


def asked(elf, images):
    """The scores of a program on the virtual board."""
    flash(URL, elf)
    with Board(URL) as board:
        return board.scores(images)


def reference(path, images):
    tensor = read_model(path).input
    return Reference(path).run(pixels_to_input(images, tensor).reshape(-1, *tensor.shape[1:]))


# --- Right ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", APIS)
def test_a_thousand_images_as_litert(roots, course, place, name):
    """Both adapters: every score of every image, and nearly every digit is read right."""
    made = by_st(course, place / f"course {name}", roots(name))
    built = build_firmware(made, place / f"built {name}")
    _, (images, labels) = load_digits()
    scores = asked(built.elf, images[:1000])
    assert (scores == reference(course, images[:1000])).all()
    assert (scores.argmax(axis=1) == labels[:1000]).mean() > 0.95


@pytest.mark.parametrize("name", [name for name in RELEASES if name not in APIS])
def test_each_version(networks, model, place, name):
    """Whatever API it has by default, and whatever its header and library are called."""
    images = load_digits()[1][0][:20]
    scores = asked(build_firmware(networks(name), place / f"built {name}").elf, images)
    assert (scores == reference(model, images)).all()


@pytest.mark.parametrize("name", APIS)
def test_float32(roots, place, name):
    """Without scales: neither macros nor meta information are there."""
    path = make(replace(SPEC, int8=False), place / "float.tflite")
    made = by_st(path, place / f"float {name}", roots(name))
    built = build_firmware(made, place / f"built float {name}")
    images = load_digits()[1][0][:10]
    assert np.allclose(asked(built.elf, images), reference(path, images), atol=1e-5)


@pytest.mark.parametrize("name", APIS)
def test_what_the_board_says(networks, model, place, name):
    """Names, sizes and scales as generated; one layer, the whole network; room on the stack."""
    made, tensor = networks(name), read_model(model)
    flash(URL, build_firmware(made, place / "told").elf)
    with Board(URL) as board:
        hello = board.hello()
        assert hello.engine == f"xcubeai ({made.runtime.api})"
        assert (hello.network, hello.macs) == ("digits_int8.tflite", made.macs)
        assert (hello.weights_bytes, hello.layers) == (made.weights_bytes, 1)
        assert hello.arena_bytes == made.arena_bytes
        for told, known in ((hello.input, tensor.input), (hello.output, tensor.output)):
            assert (told.dtype, told.elements, told.bytes) == ("int8", known.elements, known.bytes)
            assert (told.scale, told.zero_point) == (np.float32(known.scale), known.zero_point)
        layer = board.layer(0)
        assert (layer.name, layer.operator) == ("network", "NETWORK")
        assert (layer.macs, layer.output) == (made.macs, hello.output)
        image = load_digits()[1][0][0]
        one = pixels_to_input(image[None], tensor.input)
        assert (board.watch(0, one) == board.recognize(image).scores).all()
        assert len(board.profile(image).layers) == 1
        status = board.status()
        assert status.stack_reserved >= 0x2000 and status.stack_used < 0x800


@pytest.mark.parametrize("name", APIS)
def test_the_program(networks, place, name):
    """The activations are static, aligned and as large as the macro says; there is no heap; what
    the kit reports is what the C compiler's own tool counts."""
    built = build_firmware(networks(name), place / "program")
    with built.elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        symbols = {symbol.name: symbol for symbol in table.iter_symbols()}
        (activations,) = table.get_symbol_by_name("activations")
    assert activations["st_size"] == networks(name).arena_bytes
    assert activations["st_value"] % 32 == 0
    assert not {"malloc", "_malloc_r", "_sbrk"} & set(symbols)
    size = find_gcc().with_name(find_gcc().name.replace("gcc", "size"))
    text, data, bss, *_ = run_tool([size, built.elf], "size").splitlines()[1].split()
    assert built.memory.flash_bytes == int(text) + int(data)
    assert built.memory.ram_bytes == int(data) + int(bss)
    assert built.memory.flash_bytes > networks(name).weights_bytes


@pytest.mark.parametrize("name", APIS)
def test_the_adapters_compile_without_warnings(networks, tmp_path, name):
    """CMake does not make their warnings errors: users have headers that nobody here has seen."""
    made = networks(name)
    api = FIRMWARE / "engine" / ("stai" if made.runtime.api == "st-ai" else "legacy")
    ours = [f"-I{FIRMWARE / place}" for place in ("boards", "engine", "engine/xcubeai")]
    theirs = ["-isystem", made.folder, "-isystem", made.runtime.include]
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
    options = [*runtime.CORTEX_M4, *runtime.OPTIONS, *warnings, *ours, *theirs]
    names = ("NETWORK_FILE", "NETWORK_DIGEST", "NETWORK_MACS", "INPUT_LOW", "INPUT_HIGH")
    values = ('"x"', '"x"', 1, 0.0, 1.0)
    options += [f"-D{name}={value}" for name, value in zip(names, values, strict=True)]
    out = ["-c", api / "engine.c", "-o", tmp_path / "engine.o"]
    run_tool([find_gcc(), *options, *out], "Compiling the adapter")


def test_what_wants_a_heap_does_not_link(wrong):
    """There is none: a program that takes from it would write over its variables or its stack."""
    with pytest.raises(KitError, match=r"undefined reference to .end'"):
        wrong("Core 4.0", "    board_crc_start();", "    input_data = __builtin_malloc(8);")


def test_a_build_repeats_byte_for_byte(own, networks, tmp_path):
    """Another folder, and an installation elsewhere, give the same program."""
    first, again = (build_firmware(made, tmp_path / "out") for made in (networks("Core 4.0"),) * 2)
    moved = own("Core 4.0")
    moved.save()
    elsewhere = build_firmware(moved.folder, tmp_path / "elsewhere")
    assert first.bin.read_bytes() == again.bin.read_bytes() == elsewhere.bin.read_bytes()


@pytest.mark.parametrize(("name", "prefix"), [("Core 4.0", "STAI"), ("8.1", "AI")])
def test_another_name_and_a_padded_input(roots, model, tmp_path, name, prefix):
    """A zip of a network that is not called "network", whose input has a byte more than values:
    what is sent and kept is of the size that the values need."""
    padded = [f"{prefix}_MNIST_IN_1_SIZE_BYTES (78{number})" for number in "45"]
    code = tmp_path / "code"
    cloud_files(code, roots(name), name, describe(model), "mnist", header=[padded])
    path = shutil.make_archive(str(code), "zip", code)
    made = by_st(model, tmp_path / "n", from_zip=path)
    assert not (made.folder / "network.c").exists() and made.input.bytes == 784
    images = load_digits()[1][0][:20]
    elf = build_firmware(made, tmp_path / "built").elf
    assert (asked(elf, images) == reference(model, images)).all()
    inputs = pixels_to_input(images, read_model(model).input)
    with Board(URL) as board:
        assert board.hello().input.bytes == board.hello().input.elements == 784
        assert (board.run(inputs) == reference(model, images)).all()
        assert (board.watch(0, inputs[:1]) == reference(model, images[:1])).all()


def test_another_type_is_not_built_with_the_st_ai_api(own, tmp_path):
    """Its header says the format."""
    made = own("Core 4.0")
    header = made.folder / "engine_network.h"
    header.write_text(header.read_text().replace("PUT_TYPE ENGINE_INT8", "PUT_TYPE ENGINE_FLOAT32"))
    assert "takes int8 and float32" in refused(made, tmp_path)


def test_another_type_does_not_start_with_the_legacy_api(wrong):
    """Its runtime says the format, and the board says it in words."""
    elf = wrong("8.1", "(buffer)) == 1", "(buffer)) == 0").elf
    assert "of another type" in complaint(elf)


# --- Each wrong use of an API is answered with its code, and the kit says it in words -------------

CONTEXT = "STAI_NETWORK_CONTEXT_DECLARE(engine_context, STAI_NETWORK_CONTEXT_SIZE)"
ODD_CONTEXT = (
    "static _Alignas(8) stai_network space[STAI_NETWORK_CONTEXT_SIZE + 1];\n"
    "#define engine_context (space + 1)"
)
PLACED, TURNED = "use_activations() && find_tensors()", "find_tensors() && use_activations()"
GET = "good(stai_network_get_inputs(engine_context, &input, &inputs))"
SPACE = "activations[ACTIVATIONS_BYTES]"
ODD = "space[ACTIVATIONS_BYTES + 4];\nstatic uint8_t *const activations = space + 4"
SCALE = "AI_BUFFER_META_INFO_INTQ_GET_SCALE(buffer->meta_info, 0)"
RUN, SMALL_INPUT = "    if (ai_network_run", "    input->size = 783;\n    if (ai_network_run"
ST_AI = {  # what is replaced in the adapter, by what, and what the board then says
    "no runtime": ("good(stai_runtime_init()) && ", "", "0x060000: the runtime could not be ini"),
    "no init": ("good(stai_network_init(engine_context)) &&", "", "0x030000: this is no context"),
    "one byte": (CONTEXT, "stai_network engine_context[1];", "0x030001: the size of the"),
    "odd context": (CONTEXT, ODD_CONTEXT, "0x030002: the network's context is not aligned"),
    "no activations": ("use_activations() && ", "", "0x040000: the activations are not set"),
    "inputs too early": (PLACED, TURNED, "0x040000: the activations are not set"),
    "small activations": ("_BYTES];", "_BYTES - 4];", "0x040000: the activations are not"),
    "two activations": ("STAI_NETWORK_ACTIVATIONS_NUM));", "2));", "0x040001: a wrong number of"),
    "odd activations": (SPACE, ODD, "0x040070: the alignm"),
    "no input": (GET, "(input = activations) == activations && inputs", "0x040010: the input is"),
    "two inputs": ("inputs = STAI_NETWORK_IN_NUM", "inputs = 2", "0x040011: a wrong number of in"),
    "two outputs": ("outputs = STAI_NETWORK_OUT_NUM", "outputs = 2", "0x040021: a wrong number of"),
    "no place": ("use_tensors(input, ", "use_tensors(NULL, ", "no input or output"),
    "not waited for": ("STAI_MODE_SYNC", "STAI_MODE_ASYNC", "0x030020: the network cannot run"),
}
LEGACY = {
    "no clock for the CRC": ("    board_crc_start();", "", "type 0x33, code 0x41: .*no clock"),
    "not created": ("create() && find", "find", "type 0x10, code 0x10: no such network"),
    "no activations": ("{activations}", "{NULL}", "type 0x30, code 0x13: .*activations"),
    "small activations": ("_BYTES];", "_BYTES - 4];", "type 0x30, code 0x13: .*activations"),
    "odd activations": (SPACE, ODD, "type 0x30, code 0x13"),
    "no scale": (SCALE, "0", "no input"),
    "no input": ("network, input, output)", "network, NULL, output)", "type 0x12, code 0x17"),
    "no output": ("network, input, output)", "network, input, NULL)", "type 0x13, code 0x17"),
    "input of another size": (RUN, SMALL_INPUT, r"type 0x12, code 0x18: wrong input \(a size\)"),
}


def complaint(elf):
    """The error of a board whose engine does not work; it says hello and answers all the same."""
    flash(URL, elf)
    with Board(URL) as board:
        assert board.hello().engine.startswith("xcubeai")
        with pytest.raises(LinkError, match="the engine failed") as error:
            board.recognize(np.zeros((28, 28), np.uint8))
        assert board.status().stack_used
        with pytest.raises(LinkError, match="the engine failed"):
            board.profile(np.zeros((28, 28), np.uint8))
    assert error.value.next_step
    return error.value.why


@pytest.mark.parametrize(
    ("name", "case"),
    [*(("Core 4.0", case) for case in ST_AI), *(("8.1", case) for case in LEGACY)],
)
def test_wrong_use_of_an_api(wrong, name, case):
    """Order, alignment, sizes, numbers, and the CRC unit's clock, which is wanted up to 8.x."""
    old, new, words = (ST_AI if name == "Core 4.0" else LEGACY)[case]
    assert re.search(words, complaint(wrong(name, old, new).elf))


def test_the_crc_clock_is_no_matter_later(wrong, model):
    """From 9.0 on the runtime does without."""
    elf = wrong("Core 1.0", "    board_crc_start();", "").elf
    images = load_digits()[1][0][:5]
    assert (asked(elf, images) == reference(model, images)).all()


def test_the_button_without_an_engine(wrong, monkeypatch):
    """A program whose engine did not start flickers; it does not write to nowhere."""
    flash(URL, wrong("8.1", "    board_crc_start();", "").elf)
    with Board(URL) as board:
        seen = watch_led(monkeypatch, board)
        ticks(board, seen, 5)
        board.port.press_button(True)
        ticks(board, seen, 120)
        assert len(blinks(seen)) == 16 and board.hello().engine == "xcubeai (legacy)"


@given(st.integers(0, 2**32 - 1))
def test_every_number_is_told(number):
    """Known or not: the number itself, and what to do."""
    why, fix = explain_return_code(number)
    assert bool(number) == bool(why) == bool(fix)
    if number >> 24 and number not in (0xFF000001, 0xFF000002):
        assert f"type {number >> 24:#04x}" in why and f"code {number & 0xFFFFFF:#04x}" in why
    elif 0 < number < 1 << 24:
        assert f"{number:#08x}" in why


# --- What does not belong together is not built ---------------------------------------------------


def refused(made, tmp_path, **more):
    """The error of a build, in words; a program that was there before is untouched."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "firmware.elf").write_text("earlier")
    with pytest.raises(KitError) as error:
        build_firmware(made, tmp_path / "out", **more)
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["earlier"]
    assert error.value.next_step
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "said"), [(None, "missing: network_data.c"), ("int a[] = {", "is cut off")]
)
@pytest.mark.parametrize("name", APIS)
def test_a_half_written_folder(own, tmp_path, name, change, said):
    """A copy that broke off, or a disk that was full."""
    made = own(name)
    spoil(made.folder, {"network_data.c": change})
    assert said in refused(made, tmp_path)


def test_without_gcc(networks, tmp_path, monkeypatch):
    """The way to get it, and the way without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_starts", lambda: (tmp_path,))
    said = refused(networks("Core 4.0"), tmp_path)
    assert "arm-none-eabi-gcc, which was not found" in said
    assert "Install it" in said and "--engine portable" in said


def test_gcc_without_a_c_library(networks, tmp_path, monkeypatch):
    """As some packages of it are: said before the linker says it in its words."""
    monkeypatch.setattr(firmware, "run_tool", lambda command, what: command[1].split("=")[1] + "\n")
    said = refused(networks("Core 4.0"), tmp_path)
    assert "has no C library" in said and "newlib-nano" in said and "Install the whole" in said


def test_zig_is_refused(networks, tmp_path):
    """By the kit, and by CMake for whoever builds by hand."""
    made = networks("Core 4.0")
    assert "made for arm-none-eabi-gcc" in refused(made, tmp_path, compiler="zig")
    by_hand = firmware._compiled(made, firmware.DEFAULT, "zig", FIRMWARE, bare=False)
    with pytest.raises(KitError, match="use the preset gcc"), by_hand:
        pass


def test_the_chip_is_too_small(networks, tmp_path):
    """Said in terms of the network, before anything is compiled."""
    made = replace(networks("Core 4.0"), weights_bytes=600_000)
    assert "weights take 600,000 bytes" in refused(made, tmp_path)


# --- The license ----------------------------------------------------------------------------------


def of_st(elf, folder):
    """The program as if ST's runtime were in it: without the symbol of the stand-in."""
    objcopy = find_gcc().with_name(find_gcc().name.replace("gcc", "objcopy"))
    made = folder / "firmware.elf"
    run_tool([objcopy, "--redefine-sym", "stand_in_for_tests=text", elf, made], "objcopy")
    return made


@pytest.mark.parametrize("name", APIS)
def test_sts_runtime_never_runs_on_the_virtual_board(networks, model, tmp_path, name, capsys):
    """It stops with the reason and offers the open engine; the board keeps its program."""
    ours = build_firmware(networks(name), tmp_path / "built").elf
    theirs = of_st(ours, tmp_path)
    open_one = generate_network(model, tmp_path / "open")
    portable = build_firmware(open_one, tmp_path / "open built").elf
    assert [Program(elf).has_st_runtime for elf in (ours, theirs, portable)] == [False, True, False]
    flash(URL, portable)
    with pytest.raises(KitError, match="does not run on the virtual board") as error:
        flash(URL, theirs)
    assert "license" in error.value.why and "--engine portable" in error.value.next_step
    assert main(["flash", "--board", "Virtual://adapters", "--elf", str(theirs)]) == 1
    assert "ST's license" in capsys.readouterr().err
    with Board(URL) as board:
        assert confirm(board, portable).engine == "portable"


def test_sts_c_does_not_run_here(networks):
    """Nor on this computer."""
    with pytest.raises(KitError, match="does not run on this computer") as error:
        HostNetwork(networks("Core 4.0"))
    assert "license" in error.value.why


# --- The road as commands -------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's build folder; the caches of the compilers stay where they are."""
    return own_build(monkeypatch, tmp_path / "büild")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for a flashing tool is a shell script")
@pytest.mark.parametrize("name", APIS)
def test_generate_build_flash(home, roots, model, line, monkeypatch, capsys, name):  # noqa: F811
    """From the model to the board by three commands. The board that answers runs the very file
    that the flashing tool was given."""
    (home / "bin").mkdir()
    add_tool(home, "pyocd")
    monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(FLASH.probes, "find_probes", lambda: ())

    greet = FLASH._greet

    def written(url, elf, how):
        store.program("behind-a-line", home / "pyocd.file")
        return greet(url, elf, how)

    monkeypatch.setattr(FLASH, "_greet", written)
    monkeypatch.setattr(FLASH, "WAYS", {})  # taken for a board on an ST-LINK
    words = ["--engine", "xcubeai", "--tool", str(roots(name)), "--out", str(home / "network")]
    assert main(["generate", str(model), *words]) == 0
    assert f"{load_network(home / 'network').runtime.api} API" in capsys.readouterr().out
    assert main(["build"]) == 0
    assert "NUCLEO-F446RE: flash" in capsys.readouterr().out
    assert main(["flash", "--board", line(None), "--tool", "pyocd"]) == 0
    assert "digits_int8.tflite, engine xcubeai" in capsys.readouterr().out


@pytest.mark.parametrize("engine", ["xcubeai", "portable"])
def test_a_network_that_is_not_one_for_digits(home, roots, place, tmp_path, capsys, engine):
    """Said when it is built and when it is flashed, not when the first image is sent."""
    path = make(Spec(20, (5,), None, True, True, False, True, 0.3, 1), place / f"{engine}.tflite")
    words = ["--engine", "xcubeai", "--tool", str(roots("Core 4.0"))] if engine == "xcubeai" else []
    assert main(["generate", str(path), "--out", str(home / "network"), *words]) == 0
    capsys.readouterr()
    note = "Note: Its input has 20 values, and an image has 784"
    for command in (["build"], ["flash", "--board", URL]):
        assert main(command) == 0
        said = capsys.readouterr().out
        assert note in said and "Its output has 5 values, not one for each of 10 digits" in said


def test_the_selftest_of_such_a_board(home, networks, model, monkeypatch):
    """One layer, whose output is compared; digits count where kernels round otherwise."""
    for what, count in {"FRAMES": 6, "VECTORS": 2, "IMAGES": 10}.items():
        monkeypatch.setattr(selftest, what, count)
    shutil.copyfile(model, home / model.name)
    flash(URL, build_firmware(networks("Core 4.0")).elf)
    page = selftest.run_selftest(URL)
    assert page.right, str(page)
    text = str(page)
    assert "0 of 10 differ from LiteRT, by at most 0; 10 with the same digit" in text
    assert "layer 0 time" in text and "layer 1" not in text
