"""kit/compile/firmware.py: the program builds anywhere, repeats exactly, or says what is wrong."""

import shutil
import subprocess
from dataclasses import replace

import made
import numpy as np
import pytest
from networks import Spec

from kit.board import Board, flash
from kit.boards import DEFAULT, MCUS
from kit.checks.validate import random_inputs
from kit.compile import HostNetwork, Program, build_firmware, toolchain
from kit.compile.toolchain import environment, find_gcc
from kit.errors import KitError
from kit.paths import FIRMWARE

needs_gcc = pytest.mark.skipif(not find_gcc(), reason="arm-none-eabi-gcc is not installed")
COMPILERS = ["zig", pytest.param("gcc", marks=needs_gcc)]
SPEC = Spec(20, (12, 5), "relu", True, True, True, True, 0.3, 1)
F401 = MCUS["stm32f401re"]


@pytest.fixture(scope="module")
def network():
    return made.network(SPEC)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_build_repeats_byte_for_byte(network, tmp_path, compiler):
    """Another folder, with spaces and letters beyond ASCII, gives the same program."""
    elsewhere = tmp_path / "a place with spaces ü"
    shutil.copytree(network.folder, elsewhere / "network")
    first = build_firmware(network, tmp_path, compiler=compiler)
    again = build_firmware(elsewhere / "network", elsewhere, compiler=compiler)
    assert again.bin.read_bytes() == first.bin.read_bytes()
    assert again.elf.read_bytes() == first.elf.read_bytes()


def test_a_folder_without_a_network(tmp_path):
    with pytest.raises(KitError, match="no generated network"):
        build_firmware(tmp_path)


def test_a_compiler_error_names_the_line_and_keeps_the_old_program(network, tmp_path):
    """A student who breaks the C reads where; the program built before is still there."""
    built = build_firmware(network, tmp_path / "out")
    before = built.bin.read_bytes()
    broken = tmp_path / "network"
    shutil.copytree(network.folder, broken)
    text = (broken / "network.c").read_text()
    (broken / "network.c").write_text(text.replace("started = 1;", "started = one;"))
    with pytest.raises(KitError, match=r"network\.c:\d+:\d+: error") as error:
        build_firmware(broken, tmp_path / "out")
    assert "started = one" in error.value.why
    assert built.bin.read_bytes() == before


@pytest.mark.deep
@needs_gcc
def test_the_build_id_names_compiler_and_chip():
    """What a board says it runs tells the builds of one network apart."""
    ids = set()
    for number, choice in enumerate(((), (DEFAULT, "gcc"), (F401,))):
        program = Program(made.firmware(SPEC, *choice).elf)
        flash(f"virtual://id{number}", program)
        with Board(f"virtual://id{number}") as board:
            hello = board.hello()
        assert (hello.mcu, hello.build_id) == (program.mcu.name, program.build_id)
        ids.add(hello.build_id)
    assert len(ids) == 3


def test_a_compiler_that_is_not_there(network, monkeypatch, tmp_path):
    """The message gives the way to get it, and the way without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_starts", lambda: (tmp_path,))
    with pytest.raises(KitError, match="arm-none-eabi-gcc was not found") as error:
        build_firmware(network, tmp_path / "out", compiler="gcc")
    assert "zig" in error.value.next_step and "nstall" in error.value.next_step
    with pytest.raises(KitError, match="no compiler 'icc'"):
        build_firmware(network, tmp_path / "out", compiler="icc")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("mcu", MCUS.values(), ids=lambda mcu: mcu.name)
def test_a_network_too_large_for_the_chip(network, tmp_path, mcu):
    """Said in terms of the network, before any compiling, with the size of the chip's memory."""
    flash, ram = mcu.flash[0], mcu.ram[0]
    for memory, size in ((flash, "weights_bytes"), (ram, "arena_bytes")):
        large = replace(network, **{size: memory.size + 1})
        with pytest.raises(KitError, match=f"{mcu.name.upper()} has {memory.size:,}") as error:
            build_firmware(large, tmp_path / "out", mcu)
        assert f"does not fit: its {'weights' if memory is flash else 'tensors'}" in str(
            error.value
        )
    assert not (tmp_path / "out").exists()


def test_the_c_is_formatted(tmp_path):
    """clang-format has nothing to change in firmware/."""
    files = [*FIRMWARE.glob("*/*.c"), *FIRMWARE.glob("*/*.h")]
    assert len(files) > 10
    done = subprocess.run(
        ["clang-format", "--dry-run", "--Werror", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        cwd=FIRMWARE,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr


def test_the_generated_c_is_formatted(network):
    """What the generator writes reads like what people wrote (the arrays aside)."""
    done = subprocess.run(
        ["clang-format", "--dry-run", "--Werror", f"--style=file:{FIRMWARE / '.clang-format'}",
         str(network.folder / "network.c"), str(network.folder / "engine_config.h")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.deep
def test_fast_math_is_off():
    """float32 on the chip equals float32 here: no fused multiply-add, in either build."""
    spec = Spec(**vars(SPEC) | {"int8": False})
    inputs = random_inputs(made.model(spec), 20)
    flash("virtual://float", made.firmware(spec).elf)
    with Board("virtual://float") as board:
        here = HostNetwork(made.network(spec)).run(inputs)
        np.testing.assert_array_equal(board.run(inputs), here)
