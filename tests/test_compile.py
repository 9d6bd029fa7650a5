"""The chip's program: it builds anywhere, repeats exactly, and fits, or says what does not."""

import contextlib
import ctypes
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import psutil
import pytest
from depth import many
from elftools.elf.elffile import ELFFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import Spec, make

from kit.board import Board, flash
from kit.boards import DEFAULT, MCUS
from kit.compile import FLASH, RAM, build_firmware, memory_use, toolchain
from kit.compile.firmware import build_id_of, flash_image, has_runtime_of_st, mcu_of
from kit.compile.location import Location, locate
from kit.compile.memory import MemoryUse, Region, _memory_at, check_fits
from kit.compile.toolchain import environment, find_gcc, gcc, run_tool, zig
from kit.errors import KitError
from kit.generate import generate_network
from kit.paths import FIRMWARE
from kit.programs import run_program

needs_gcc = pytest.mark.skipif(not find_gcc(), reason="arm-none-eabi-gcc is not installed")
COMPILERS = ["zig", pytest.param("gcc", marks=needs_gcc)]
EXE = ".exe" if sys.platform == "win32" else ""
INSTALLED = (
    "Program Files (x86)/Arm GNU Toolchain arm-none-eabi/13.2 Rel1/bin",
    "Applications/ArmGNUToolchain/13.2.Rel1/arm-none-eabi/bin",
    "opt/arm-gnu-toolchain-13.2.Rel1-x86_64-arm-none-eabi/bin",
    "ST/STM32CubeIDE_1.13.2/STM32CubeIDE/plugins/com.st.stm32cube.ide.mcu.externaltools."
    "gnu-tools-for-stm32.11.3.rel1.win32_1.1.1/tools/bin",
    "opt/st/stm32cubeide_1.13.2/plugins/com.st.stm32cube.ide.mcu.externaltools."
    "gnu-tools-for-stm32.11.3.rel1.linux64_1.1.1/tools/bin",
    "opt/ST/STM32CubeCLT_1.13.2/GNU-tools-for-STM32/bin",
    ".local/share/stm32cube/bundles/gnu-tools-for-stm32/13.2.1/bin",
)
SPEC = Spec(20, (12, 5), "relu", True, True, True, True, 0.3, 1)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compile")
    return generate_network(make(SPEC, folder / "small.tflite"), folder / "network")


@pytest.fixture(scope="module")
def firmware(network, tmp_path_factory):
    return build_firmware(network, tmp_path_factory.mktemp("firmware"))


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_build_repeats_byte_for_byte(network, tmp_path, compiler):
    """Another folder, with spaces and letters beyond ASCII, gives the same program."""
    elsewhere = tmp_path / "a place with spaces ü"
    shutil.copytree(network.folder, elsewhere / "network")
    first = build_firmware(network, tmp_path, compiler=compiler)
    again = build_firmware(elsewhere / "network", elsewhere, compiler=compiler)
    assert again.bin.read_bytes() == first.bin.read_bytes()
    assert again.elf.read_bytes() == first.elf.read_bytes()


@pytest.mark.deep
@needs_gcc
def test_the_build_id_names_compiler_and_chip(network, firmware, tmp_path):
    """What a board says it runs tells the builds of one network apart."""
    others = (
        build_firmware(network, tmp_path / "gcc", compiler="gcc"),
        build_firmware(network, tmp_path / "f401", MCUS["stm32f401re"]),
    )
    ids = set()
    for number, made in enumerate((firmware, *others)):
        flash(f"virtual://id{number}", made.elf)
        with Board(f"virtual://id{number}") as board:
            hello = board.hello()
        assert hello.mcu == made.mcu.name == mcu_of(made.elf).name
        assert hello.build_id == build_id_of(made.elf)
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


@pytest.mark.parametrize("place", INSTALLED)
def test_gcc_is_found_where_its_installers_put_it(monkeypatch, tmp_path, place):
    """Arm's and ST's folders on Windows, macOS and Linux; a newer version comes first."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_starts", lambda: (tmp_path,))
    for folder in (place.replace("13.2", "9.3"), place):
        program = tmp_path / folder / ("arm-none-eabi-gcc" + EXE)
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch()
        program.chmod(0o755)
    assert gcc() == program


@pytest.mark.parametrize("mcu", MCUS.values(), ids=lambda mcu: mcu.name)
def test_the_chip_of_a_program(mcu, tmp_path):
    """From the symbol `board_mcu`; without it the default; a name unknown to the kit is refused."""
    assert mcu_of(program_for(mcu.name, tmp_path)) == mcu
    assert mcu_of(program_for(None, tmp_path)) == DEFAULT
    with pytest.raises(KitError, match="'stm32h743'"):
        mcu_of(program_for("stm32h743", tmp_path))
    with pytest.raises(KitError, match="not a program for the chip"):
        mcu_of(tmp_path / "missing.elf")


def program_for(mcu, folder):
    """An ELF file that says, or does not say, which chip it is for."""
    text = f'const char board_mcu[] = "{mcu}";' if mcu else "int other;"
    (folder / "mcu.c").write_text(text + " int main(void) { return 0; }")
    flags = ["-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4", "-nostdlib", "-Wl,-e,main"]
    run_tool([zig(), "cc", *flags, folder / "mcu.c", "-o", folder / "mcu.elf"], "Compiling")
    return folder / "mcu.elf"


@settings(deadline=None, max_examples=many(30, 1000), derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.integers(0, 2**20), st.sampled_from(["cut", "header", "tables"]), st.integers(0, 255))
def test_whatever_was_damaged_in_a_program_is_told(firmware, tmp_path, place, where, byte):
    """Cut off or changed in its tables: each reader has an answer, or an error that says so."""
    content = bytearray(firmware.elf.read_bytes())
    tables = int.from_bytes(content[32:36], "little")  # of sections, at the end of the file
    if where == "cut":
        del content[place % len(content) :]
    else:
        content[place % 116 if where == "header" else tables + place % (len(content) - tables)] = (
            byte
        )
    damaged = tmp_path / "damaged.elf"
    damaged.write_bytes(content)
    for read in (flash_image, memory_use, mcu_of, build_id_of, has_runtime_of_st):
        with contextlib.suppress(KitError):
            read(damaged)
    assert isinstance(locate(damaged, 0x0800_0100), Location)


def test_memory_is_that_of_the_chip():
    """What lies in none of its memories, as in the CCM RAM of an STM32F407, is neither."""
    use = MemoryUse((Region(".ccm", "", 0x1000_0000, 64), Region("x", "flash", 0x0800_0000, 8)))
    assert (use.flash_bytes, use.ram_bytes) == (8, 0)
    with pytest.raises(KitError, match="0x10000000, where the STM32F446RE has no memory"):
        check_fits(use)
    assert [_memory_at(a) for a in (0x0800_0000, 0x1000_0000, 0x2000_0000)] == ["flash", "", "RAM"]


@pytest.mark.deep
def test_the_image_is_what_objcopy_makes(firmware, tmp_path):
    """firmware.bin against the toolchain's own tool."""
    theirs = tmp_path / "objcopy.bin"
    run_tool([zig(), "objcopy", "-O", "binary", firmware.elf, theirs], "objcopy")
    content = theirs.read_bytes()
    ours = flash_image(firmware.elf)[: len(content)]
    gaps = [i for i, (a, b) in enumerate(zip(ours, content, strict=True)) if a != b]
    assert {(ours[i], content[i]) for i in gaps} <= {(0xFF, 0)}  # between sections: erased, or 0
    assert len(gaps) < 64


def test_the_program_is_for_a_cortex_m4_with_fpu(firmware):
    """Thumb code for v7E-M, arguments of functions in floating-point registers."""
    with firmware.elf.open("rb") as file:
        attributes = ELFFile(file).get_section_by_name(".ARM.attributes")
        tags = {
            a.tag: a.value
            for section in attributes.iter_subsections()
            for sub in section.iter_subsubsections()
            for a in sub.iter_attributes()
        }
    assert tags["TAG_CPU_ARCH"] == 13  # v7E-M
    assert tags["TAG_ABI_VFP_ARGS"] == 1


def test_sizes_agree_with_the_segments(firmware):
    """Flash and RAM from sections, against what is loaded and what has an address in RAM."""
    with firmware.elf.open("rb") as file:
        segments = list(ELFFile(file).iter_segments("PT_LOAD"))
    loaded = sum(segment["p_filesz"] for segment in segments)
    in_ram = sum(s["p_memsz"] for s in segments if s["p_vaddr"] >= RAM.start)
    use = memory_use(firmware.elf)
    assert abs(use.flash_bytes - loaded) < 64  # alignment between sections
    assert abs(use.ram_bytes - in_ram) < 64
    assert all(region.bytes > 0 for region in use.regions)


def test_the_course_firmware_fits(road):
    """Every section of the program that the course builds lies inside the chip's memories."""
    with (road["build"] / "firmware.elf").open("rb") as file:
        for section in ELFFile(file).iter_sections():
            if section["sh_flags"] & 2 and section["sh_size"]:
                start, end = section["sh_addr"], section["sh_addr"] + section["sh_size"]
                assert any(m.start <= start and end <= m.start + m.size for m in (FLASH, RAM))


def test_a_network_too_large_for_the_flash(tmp_path):
    """Said in terms of the network, before any compiling."""
    spec = Spec(1200, (500,), None, False, True, False, True, 0.1, 1)
    network = generate_network(make(spec, tmp_path / "large.tflite"), tmp_path / "network")
    with pytest.raises(KitError, match="does not fit") as error:
        build_firmware(network, tmp_path / "out")
    assert "524,288" in error.value.what and not (tmp_path / "out").exists()


def test_a_network_too_large_for_the_ram(network, tmp_path):
    """As with the flash: not as a page of the linker's output."""
    large = replace(network, arena_bytes=RAM.size + 1)
    with pytest.raises(KitError, match="131,072 bytes of RAM"):
        build_firmware(large, tmp_path / "out")


@pytest.mark.parametrize(("memory", "size"), [("flash", 524_289), ("RAM", 131_073)])
def test_one_byte_too_many(memory, size):
    with pytest.raises(KitError, match=memory):
        check_fits(MemoryUse((Region("x", memory, 0, size),)))
    check_fits(MemoryUse((Region("x", memory, 0, size - 1),)))


@pytest.mark.parametrize("memory", ["flash", "RAM"])
@pytest.mark.parametrize(("dtype", "quantize"), [("int8", False), ("float32", True), (None, True)])
def test_the_advice_on_what_is_too_large_can_be_followed(memory, dtype, quantize):
    """What is int8 already cannot be quantized to int8; it can be made smaller."""
    with pytest.raises(KitError) as error:
        check_fits(MemoryUse((Region("x", memory, 0, 600_000),)), dtype=dtype)
    assert memory in error.value.why and "smaller" in error.value.next_step
    assert ("Quantize" in error.value.next_step) == quantize


def test_the_smaller_chip_holds_less(network, tmp_path):
    """96 KB of RAM on the STM32F401RE: refused before compiling and after, by its name."""
    mcu = MCUS["stm32f401re"]
    use = MemoryUse((Region("x", "RAM", 0, 100_000),))
    check_fits(use)
    with pytest.raises(KitError, match="STM32F401RE has 98,304"):
        check_fits(use, mcu)
    with pytest.raises(KitError, match="STM32F401RE has 98,304"):
        build_firmware(replace(network, arena_bytes=100_000), tmp_path / "out", mcu)


def test_a_folder_without_a_network(tmp_path):
    with pytest.raises(KitError, match="no generated network"):
        build_firmware(tmp_path)


def test_a_compiler_error_names_the_line_and_keeps_the_old_program(network, tmp_path):
    """A student who breaks the C reads where; the program built before is still there."""
    made = build_firmware(network, tmp_path / "out")
    before = made.bin.read_bytes()
    broken = tmp_path / "network"
    shutil.copytree(network.folder, broken)
    text = (broken / "network.c").read_text()
    (broken / "network.c").write_text(text.replace("started = 1;", "started = one;"))
    with pytest.raises(KitError, match=r"network\.c:\d+:\d+: error") as error:
        build_firmware(broken, tmp_path / "out")
    assert "started = one" in error.value.why
    assert made.bin.read_bytes() == before


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
def test_fast_math_is_off(network, tmp_path):
    """float32 on the chip equals float32 here: no fused multiply-add, in either build."""
    from kit.board import Board, flash
    from kit.checks.validate import random_inputs
    from kit.compile import HostNetwork

    spec = Spec(**vars(SPEC) | {"int8": False})
    path = make(spec, tmp_path / "float.tflite")
    made = generate_network(path, tmp_path / "network")
    inputs = random_inputs(path, 20)
    flash("virtual://float", build_firmware(made, tmp_path).elf)
    with Board("virtual://float") as board:
        np.testing.assert_array_equal(board.run(inputs), HostNetwork(made).run(inputs))


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_a_build_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path):
    """CMake starts Ninja, and that zig: ending the first alone would leave the others at work."""
    script, child = tmp_path / "cmake", tmp_path / "child"
    script.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {child}\necho so far\nwait\n")
    script.chmod(0o755)
    with pytest.raises(subprocess.TimeoutExpired) as error:
        run_program([script], 1)
    assert error.value.output == "so far\n"
    number = int(child.read_text())
    assert not psutil.pid_exists(number) or psutil.Process(number).status() == "zombie"


PRESCALER = """
#include <stdint.h>
#include "board/clock.c"
uint32_t code_of(uint32_t divider);
uint32_t code_of(uint32_t divider) { return prescaler(divider); }
"""


def test_each_divider_of_a_bus_has_its_code(tmp_path):
    """RM0390 section 6.3.3, PPRE1: 0xx is 1, 100 to 111 are 2, 4, 8 and 16."""
    (tmp_path / "prescaler.c").write_text(PRESCALER)
    includes = [f"-I{FIRMWARE / place}" for place in (".", "board", "board/nucleo_f446re")]
    library = tmp_path / "prescaler.so"
    words = [
        "-shared",
        "-nostdlib",
        "-fPIC",
        "-fno-sanitize=all",
        *includes,
        tmp_path / "prescaler.c",
    ]
    run_tool([zig(), "cc", *words, "-o", library], "Compiling")
    code_of = ctypes.CDLL(str(library)).code_of
    assert [code_of(divider) for divider in (1, 2, 4, 8, 16)] == [0, 4, 5, 6, 7]
