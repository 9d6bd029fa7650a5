"""kit/compile/firmware.py: the program builds anywhere, repeats exactly, or says what is wrong."""

import os
import shutil
from dataclasses import replace

import made
import numpy as np
import pytest
from networks import EXAMPLE

from kit.board import Board, flash
from kit.boards import DEFAULT, MCUS
from kit.checks.validate import random_inputs
from kit.compile import HostNetwork, Program, build_firmware, toolchain
from kit.compile.toolchain import find_gcc, run_tool
from kit.errors import KitError
from kit.paths import FIRMWARE, ROOT, build_folder

needs_gcc = pytest.mark.skipif(not find_gcc(), reason="arm-none-eabi-gcc is not installed")


@pytest.fixture(scope="module")
def network():
    return made.network(EXAMPLE)


@pytest.mark.deep
@pytest.mark.parametrize("compiler", ["zig", pytest.param("gcc", marks=needs_gcc)])
def test_a_build_repeats_byte_for_byte(network, tmp_path, compiler, monkeypatch):
    """Another folder, with spaces and letters beyond ASCII, gives the same program, debug
    information included; no path of this computer is in it. The first may take kernels that an
    earlier build kept, the second compiles all itself, and the third takes what that kept."""
    elsewhere = tmp_path / "a place with spaces ü"
    shutil.copytree(network.folder, elsewhere / "network")
    first = build_firmware(network, tmp_path, compiler=compiler)
    monkeypatch.setattr("kit.compile.firmware.KERNELS", f"kernels-{tmp_path.name}")
    again = build_firmware(elsewhere / "network", elsewhere, compiler=compiler)
    kernels = build_folder() / f"kernels-{tmp_path.name}"
    assert [path.name for path in kernels.glob("*/*.a")] == ["libkernels.a"]
    third = build_firmware(network, tmp_path, compiler=compiler)
    assert third.elf.read_bytes() == again.elf.read_bytes()
    shutil.rmtree(kernels)
    assert again.bin.read_bytes() == first.bin.read_bytes()
    content = again.elf.read_bytes()
    assert content == first.elf.read_bytes()
    assert not [place for place in (ROOT, build_folder()) if str(place).encode() in content]


def test_a_changed_copy_is_built_and_its_error_names_the_line(network, tmp_path, monkeypatch):
    """As exercises need it: the copy counts, and not what the kit builds from; a student who breaks
    the C reads where, and the program built before is still there."""
    monkeypatch.chdir(tmp_path)
    folder = shutil.copytree(FIRMWARE, "firmware")
    main = tmp_path / folder / "app" / "main.c"
    text = main.read_text()
    main.write_text(text.replace("board_start();", "board_start();\n    serve();"))
    built = build_firmware(network, tmp_path / "out", sources=folder)
    before = built.bin.read_bytes()
    assert before != made.firmware(EXAMPLE).bin.read_bytes()
    main.write_text(text.replace("board_start();", "board_start(one);"))
    with pytest.raises(KitError, match=r"main\.c:\d+:\d+: error") as error:
        build_firmware(network, tmp_path / "out", sources=folder)
    assert "board_start(one)" in error.value.why and built.bin.read_bytes() == before
    main.write_text(text)
    header = tmp_path / folder / "nn" / "window.h"
    header.write_text("#error a kernel is compiled again\n" + header.read_text())
    with pytest.raises(KitError, match=r"window\.h:1:2: error: a kernel is compiled again"):
        build_firmware(network, tmp_path / "out", sources=folder)


def test_a_changed_network_is_built_and_its_error_names_its_folder(network, tmp_path):
    """A build goes on with what an earlier one compiled of the same files only, whatever time they
    have; of a student's own C it names the student's file."""
    mine = shutil.copytree(network.folder, tmp_path / "mine")
    before = build_firmware(mine, tmp_path).bin.read_bytes()
    source = mine / "network.c"
    text = source.read_text()
    source.write_text("#error not yet\n" + text)
    os.utime(source, (1, 1))
    with pytest.raises(KitError, match="not yet") as error:
        build_firmware(mine, tmp_path)
    assert f"{source}:1:" in error.value.why
    other = made.network(replace(EXAMPLE, seed=EXAMPLE.seed + 1)).folder / "network_data.c"
    source.write_text(text)
    shutil.copyfile(other, mine / "network_data.c")
    os.utime(mine / "network_data.c", (1, 1))
    assert build_firmware(mine, tmp_path).bin.read_bytes() != before
    shutil.copyfile(network.folder / "network_data.c", mine / "network_data.c")
    assert build_firmware(mine, tmp_path).bin.read_bytes() == before


@pytest.mark.deep
@needs_gcc
def test_the_build_id_names_compiler_and_chip():
    """What a board says it runs tells the builds of one network apart."""
    ids = set()
    for number, choice in enumerate(((), (DEFAULT, "gcc"), (MCUS["stm32f401re"],))):
        program = Program(made.firmware(EXAMPLE, *choice).elf)
        flash(f"virtual://id{number}", program)
        with Board(f"virtual://id{number}") as board:
            hello = board.hello()
        assert (hello.mcu, hello.build_id) == (program.mcu.name, program.build_id)
        ids.add(hello.build_id)
    assert len(ids) == 3


def test_what_is_not_there(network, monkeypatch, tmp_path):
    """The message gives the way to get it, and the way without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_starts", lambda: (tmp_path,))
    with pytest.raises(KitError, match="arm-none-eabi-gcc, which was not found") as error:
        build_firmware(network, tmp_path / "out", compiler="gcc")
    assert "zig" in error.value.next_step and "Install it" in error.value.next_step
    with pytest.raises(KitError, match="'icc' is not one of the choices: 'zig', 'gcc'"):
        build_firmware(network, tmp_path / "out", compiler="icc")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(KitError, match=r"(?s)cmake is missing.*workshop\.py run"):
        build_firmware(network, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("mcu", MCUS.values(), ids=lambda mcu: mcu.name)
def test_a_network_too_large_for_the_chip(network, tmp_path, mcu):
    """Said in terms of the network, before any compiling, with the size of the chip's memory."""
    for what, size, memory in (
        ("weights", "weights_bytes", mcu.flash[0]),
        ("tensors", "arena_bytes", mcu.ram[0]),
    ):
        large = replace(network, **{size: memory.size + 1})
        said = rf"does not fit: its {what} .*{mcu.name.upper()} has {memory.size:,}"
        with pytest.raises(KitError, match=said):
            build_firmware(large, tmp_path / "out", mcu)
    assert not (tmp_path / "out").exists()


def test_the_c_is_formatted(network):
    """Also what the generator writes, its arrays aside: it reads like what people wrote."""
    files = [network.folder / "network.c", network.folder / "engine_config.h"]
    files += [*FIRMWARE.rglob("*.c"), *FIRMWARE.rglob("*.h")]
    style = f"--style=file:{FIRMWARE / '.clang-format'}"
    run_tool(["clang-format", "--dry-run", "--Werror", style, *files], "Checking the format")


@pytest.mark.deep
def test_fast_math_is_off():
    """float32 on the chip equals float32 here: no fused multiply-add, in either build."""
    spec = replace(EXAMPLE, int8=False)
    inputs = random_inputs(made.model(spec), 20)
    flash("virtual://float", made.firmware(spec).elf)
    with Board("virtual://float") as board:
        here = HostNetwork(made.network(spec)).run(inputs)
        np.testing.assert_array_equal(board.run(inputs), here)
