"""kit/compile/program.py: a program is read as its toolchain reads it, and must fit its chip."""

import contextlib

import made
import pytest
from depth import many
from elftools.elf.elffile import ELFFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import EXAMPLE

from kit.boards import DEFAULT, MCUS
from kit.compile import Program
from kit.compile.toolchain import run_tool, zig
from kit.errors import KitError

FLASH, RAM = DEFAULT.flash[0], DEFAULT.ram[0]
F401 = MCUS["stm32f401re"]
ARM = ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4", "-nostdlib")
each_mcu = pytest.mark.parametrize("mcu", MCUS.values(), ids=lambda mcu: mcu.name)


@pytest.fixture(scope="module")
def elf():
    return made.firmware(EXAMPLE).elf


def linked(folder, mcu="", flash=64, ram=64, start=FLASH.start, data=RAM.start):
    """A program with as many bytes of constants and variables, which may say its chip."""
    name = f'const char board_mcu[] = "{mcu}";' if mcu else ""
    (folder / "main.c").write_text(f"""{name}
int main(void) {{ return 0; }}
__attribute__((section(".vectors"))) const void *const vectors[] = {{(void *)0x20010000, main}};
const char constants[{flash}] = {{1}};
char variables[{ram}];
""")
    (folder / "main.ld").write_text(
        f"SECTIONS {{ . = {start}; .vectors : {{ KEEP(*(.vectors)) }} .text : {{ *(.text*) }} "
        ".rodata : { KEEP(*(.rodata*)) } /DISCARD/ : { *(.ARM.exidx*) } "
        f". = {data}; .data : {{ *(.data*) }} .bss : {{ KEEP(*(.bss*)) }} }}"
    )
    words = ("-fno-sanitize=all", "-Wl,-e,main", f"-Wl,-T,{folder / 'main.ld'}")
    run_tool([zig(), "cc", *ARM, *words, folder / "main.c", "-o", folder / "main.elf"], "Linking")
    return Program(folder / "main.elf")


@each_mcu
def test_a_program_says_its_chip(mcu, tmp_path):
    """By the symbol `board_mcu`; without it the default; a name unknown to the kit is refused."""
    assert linked(tmp_path, mcu.name).mcu == mcu
    assert linked(tmp_path).mcu == DEFAULT
    with pytest.raises(KitError, match="'stm32h743'"):
        linked(tmp_path, "stm32h743")
    with pytest.raises(KitError, match="not a program for the chip"):
        Program(tmp_path / "missing.elf")


@settings(deadline=None, max_examples=many(30, 1000), derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.integers(0, 2**20), st.sampled_from(["cut", "header", "tables"]), st.integers(0, 255))
def test_whatever_was_damaged_in_a_program_is_told(elf, tmp_path, place, where, byte):
    """Cut off or changed in its tables: there is an answer, or an error that says so."""
    content = bytearray(elf.read_bytes())
    tables = int.from_bytes(content[32:36], "little")  # of sections, at the end of the file
    if where == "cut":
        del content[place % len(content) :]
    elif where == "header":
        content[place % 116] = byte
    else:
        content[tables + place % (len(content) - tables)] = byte
    damaged = tmp_path / "damaged.elf"
    damaged.write_bytes(content)
    with contextlib.suppress(KitError):
        program = Program(damaged)
        program.locate(FLASH.start + 0x100)
        program.check_fits()


@pytest.mark.deep
def test_the_image_is_what_objcopy_makes(elf, tmp_path):
    """firmware.bin against the toolchain's own tool."""
    run_tool([zig(), "objcopy", "-O", "binary", elf, tmp_path / "objcopy.bin"], "objcopy")
    theirs = (tmp_path / "objcopy.bin").read_bytes()
    pairs = zip(Program(elf).flash_image[: len(theirs)], theirs, strict=True)
    gaps = [pair for pair in pairs if pair[0] != pair[1]]
    assert set(gaps) <= {(0xFF, 0)} and len(gaps) < 64  # between sections: erased, or 0


def test_what_was_built_is_for_this_chip_and_as_large_as_told(elf):
    """Thumb code for v7E-M, arguments in floating-point registers; flash and RAM from sections,
    against what is loaded and what has an address in RAM."""
    with elf.open("rb") as file:
        content = ELFFile(file)
        segments = [segment.header for segment in content.iter_segments("PT_LOAD")]
        tags = {
            attribute.tag: attribute.value
            for section in content.get_section_by_name(".ARM.attributes").iter_subsections()
            for part in section.iter_subsubsections()
            for attribute in part.iter_attributes()
        }
    assert (tags["TAG_CPU_ARCH"], tags["TAG_ABI_VFP_ARGS"]) == (13, 1)  # 13: v7E-M
    use, alignment = Program(elf).memory, 64
    in_ram = sum(segment.p_memsz for segment in segments if segment.p_vaddr >= RAM.start)
    assert abs(use.flash_bytes - sum(segment.p_filesz for segment in segments)) < alignment
    assert abs(use.ram_bytes - in_ram) < alignment
    assert all(region.bytes > 0 for region in use.regions)


def test_what_is_in_no_memory_is_told(tmp_path):
    """As in the CCM RAM of an STM32F407, or behind the end of a smaller chip's RAM."""
    program = linked(tmp_path, data=0x1000_0000)
    assert program.memory.ram_bytes == 0
    with pytest.raises(KitError, match="0x10000000, where the STM32F446RE has no memory"):
        program.check_fits()
    linked(tmp_path, data=RAM.start + RAM.size - 64).check_fits()
    with pytest.raises(KitError, match="where the STM32F401RE has no memory"):
        linked(tmp_path, F401.name, data=RAM.start + RAM.size - 64).check_fits()
    with pytest.raises(KitError, match="not a program for the chip"):
        linked(tmp_path, start=0x6000_0000)


@each_mcu
def test_one_byte_too_many(tmp_path, mcu):
    """A program may fill its chip, the smaller one, too."""
    flash, ram = mcu.flash[0], mcu.ram[0]
    rest = linked(tmp_path, mcu.name).memory.flash_bytes - 64
    linked(tmp_path, mcu.name, flash.size - rest, ram.size).check_fits()
    for memory, sizes in ((flash, (flash.size, 64)), (ram, (64, ram.size + 1))):
        too_large = f"{memory.name}, and the {mcu.name.upper()} has {memory.size:,}"
        with pytest.raises(KitError, match=too_large):
            linked(tmp_path, mcu.name, *sizes).check_fits()


@pytest.mark.parametrize("memory", ["flash", "RAM"])
@pytest.mark.parametrize(("dtype", "quantize"), [("int8", False), ("float32", True), (None, True)])
def test_the_advice_on_what_is_too_large_can_be_followed(tmp_path, memory, dtype, quantize):
    """What is int8 already cannot be quantized to int8; it can be made smaller."""
    with pytest.raises(KitError) as error:
        linked(tmp_path, **{memory.lower(): 600_000}).check_fits(dtype)
    assert memory in error.value.why and "smaller" in error.value.next_step
    assert ("Quantize" in error.value.next_step) == quantize
