"""The chip's program: a generated network, the kernels, the board and the application."""

import math
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kit.boards import DEFAULT, MCUS, Mcu, find_mcu
from kit.compile.memory import (
    MemoryUse,
    advice,
    check_fits,
    checked_image,
    memories,
    memory_use,
    opened,
)
from kit.compile.toolchain import GET_GCC, find_gcc, gcc, run_tool, zig
from kit.errors import KitError
from kit.generate import Generated, load_network
from kit.paths import FIRMWARE, locked, replacing
from kit.programs import find_program, system
from kit.provenance import note

OF_ST = ("stai_", "ai_platform_", "ai_network_")  # how functions of ST's runtime begin
STAND_IN = "stand_in_for_tests"  # the tests' own runtime, no line of which is ST's, has this symbol
SPECS = "nano.specs"
PIXELS, DIGITS = 28 * 28, 10
COMPILERS = {  # where it is, its toolchain file, and what that file calls the program
    "zig": (zig, "zig.cmake", "ZIG"),
    "gcc": (gcc, "arm-none-eabi-gcc.cmake", "GCC"),
}


@dataclass(frozen=True)
class Firmware:
    """A program for a chip: as ELF (with source lines), and as it lies in flash.

    `remark` says what a network that is not one for digits cannot do; it is empty for one that is.
    """

    elf: Path
    bin: Path
    memory: MemoryUse
    mcu: Mcu
    remark: str = ""


def remark_on(inputs: int, outputs: int) -> str:
    """What a network of other than 784 inputs and 10 outputs cannot do; empty for one of these."""
    words = []
    if inputs != PIXELS:
        words.append(
            f"Its input has {inputs:,} values, and an image has {PIXELS}: images and the button's "
            "sample cannot be shown to it. `kit validate MODEL --random 1000` and Board.run give "
            "it inputs of its own."
        )
    if outputs != DIGITS:
        words.append(f"Its output has {outputs:,} values, not one for each of {DIGITS} digits.")
    return " ".join(words)


def _tool(name: str) -> Path:
    """A build tool, from this Python's environment first."""
    found = find_program(name, beside=True)
    if found is None:
        raise KitError(
            f"{name} is missing.",
            f"It comes with the Python package {name}, which is not installed here.",
            "Run `python3 workshop.py run`: it installs everything.",
        )
    return found


def _toolchain(compiler: str) -> list[str]:
    """CMake's options for a compiler of `COMPILERS`."""
    if compiler not in COMPILERS:
        raise KitError(
            f"There is no compiler {compiler!r}.",
            f"The firmware builds with {' and '.join(COMPILERS)}.",
            "Choose one of them; zig is always there.",
        )
    find_program, file, option = COMPILERS[compiler]
    return [
        f"-DCMAKE_TOOLCHAIN_FILE={FIRMWARE / 'cmake' / file}",
        f"-D{option}={find_program().as_posix()}",
    ]


def _compile(network: Generated, folder: Path, mcu: Mcu, compiler: str, sources: Path) -> Path:
    configure: list[str | Path] = [
        _tool("cmake"),
        *("-S", sources, "-B", folder, "-G", "Ninja"),
        f"-DCMAKE_MAKE_PROGRAM={_tool('ninja')}",
        *_toolchain(compiler),
        f"-DBOARD={mcu.folder}",
        f"-DNETWORK_DIR={network.folder.resolve().as_posix()}",
    ]
    run_tool(configure, "Preparing the firmware's build")
    run_tool([_tool("cmake"), "--build", folder], "Compiling the firmware")
    return folder / "firmware.elf"


def flash_image(elf_path: str | Path) -> bytes:
    """What an ELF file puts into flash, from its first address on; gaps are 0xFF (erased).

    Raises:
        KitError: it is no program for its chip (`checked_image`), or the kit does not know the
            chip.
    """
    return checked_image(elf_path, mcu_of(elf_path))


def mcu_of(elf_path: str | Path) -> Mcu:
    """The chip that a program was built for; STM32F446RE when it does not say.

    Raises:
        KitError: the file is missing or no ELF file, or the kit does not know the chip.
    """
    name = _text_at(elf_path, "board_mcu") or _chip_named_in(elf_path)
    return find_mcu(name) if name else DEFAULT


def _chip_named_in(elf_path: str | Path) -> str:
    """In a stripped program the chip's name has no symbol, but is there; else empty."""
    with opened(elf_path) as elf:
        if elf.get_section_by_name(".symtab"):
            return ""
        content = b"".join(s.data() for s in elf.iter_segments("PT_LOAD") if s["p_filesz"])
    return next((name for name in MCUS if f"{name}\0".encode() in content), "")


def build_id_of(elf_path: str | Path) -> str:
    """The build id that a program says in its HELLO; empty for a program without.

    Raises:
        KitError: the file is missing or no ELF file.
    """
    return _text_at(elf_path, "build_id")


def has_runtime_of_st(elf_path: str | Path) -> bool:
    """Whether ST's runtime is in a program, whose license keeps it to ST's devices.

    Raises:
        KitError: the file is missing or no ELF file.
    """
    with opened(elf_path) as elf:
        table = elf.get_section_by_name(".symtab")
        names = {symbol.name for symbol in table.iter_symbols()} if table else set()
    return STAND_IN not in names and any(name.startswith(OF_ST) for name in names)


def _text_at(elf_path: str | Path, name: str) -> str:
    """The NUL-terminated text at a symbol; empty without the symbol."""
    with opened(elf_path) as elf:
        table = elf.get_section_by_name(".symtab")
        for symbol in (table and table.get_symbol_by_name(name)) or ():
            section = elf.get_section(symbol["st_shndx"])
            start = symbol["st_value"] - section["sh_addr"]
            text: bytes = section.data()[start:].split(b"\0")[0]
            return text.decode("ascii", "replace")
    return ""


def build_firmware(
    network: Generated | str | Path,
    out: str | Path = ".",
    mcu: Mcu = DEFAULT,
    compiler: str | None = None,
    sources: str | Path | None = None,
) -> Firmware:
    """Build the firmware around a generated network.

    Args:
        network: what `kit.generate.generate_network` returned, or the folder it wrote.
        out: where firmware.elf and firmware.bin go; a relative path is taken in build/.
        mcu: the chip, one of `kit.boards.MCUS`.
        compiler: "zig", which is always there, or "gcc" (arm-none-eabi-gcc). None is zig, and gcc
            for a network of X-CUBE-AI, which needs it.
        sources: a changed copy of the folder of the firmware's C; None takes that folder.

    Raises:
        KitError: there is no network or no such compiler, ST's runtime is gone or of another
            version or core, the compiler fails, or the program does not fit the chip; files of an
            earlier build are untouched then.
    """
    network = network if isinstance(network, Generated) else load_network(network)
    sources = Path(sources or FIRMWARE)
    compiler = _compiler_for(network, compiler)
    _check_size(network, mcu)
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        with locked(network.folder.absolute()):
            elf = _compile(network, Path(folder), mcu, compiler, sources)
        use = memory_use(elf)
        check_fits(use, mcu, network.input.dtype)
        remark = remark_on(math.prod(network.input.shape), math.prod(network.output.shape))
        kept = _keep(elf, Path(out))
    for file in kept:
        note(file, network.folder, sources)
    return Firmware(*kept, use, mcu, remark)


def _compiler_for(network: Generated, wanted: str | None) -> str:
    """The compiler; a network of ST's tool must fit its runtime, which is made for one of them."""
    if network.runtime is None:
        return wanted or "zig"
    from kit.generate.xcubeai import check_linkable

    check_linkable(network)
    if wanted not in (None, "gcc"):
        raise KitError(
            f"{network.model} was generated by X-CUBE-AI and cannot be built with {wanted}.",
            "ST's runtime library is made for arm-none-eabi-gcc.",
            "Leave `--compiler` out.",
        )
    if find_gcc() is None:
        raise KitError(
            "X-CUBE-AI needs arm-none-eabi-gcc, which was not found.",
            "ST's runtime library is made for it; zig, which comes with the kit, cannot link it.",
            f"Install it: {GET_GCC[system()]}. Or make the network with the open engine: "
            "`kit generate MODEL --out DIR --engine portable`.",
        )
    _check_c_library()
    return "gcc"


def _check_c_library() -> None:
    """Some packages of arm-none-eabi-gcc come without newlib; then gcc gives back the bare name."""
    answer = run_tool(
        [gcc(), f"-print-file-name={SPECS}"], "Asking arm-none-eabi-gcc for its C library"
    )
    if answer.strip() == SPECS:
        raise KitError(
            f"{gcc()} has no C library.",
            f"ST's runtime needs newlib-nano, and {SPECS} is not there.",
            f"Install the whole toolchain: {GET_GCC[system()]}.",
        )


def _check_size(network: Generated, mcu: Mcu) -> None:
    """Say in terms of the network what the linker would say in terms of sections."""
    flash, ram = memories(mcu)
    needs = (
        ("weights", network.weights_bytes, flash),
        ("tensors", network.arena_bytes, ram),
    )
    for what, size, memory in needs:
        if size > memory.size:
            raise KitError(
                f"{network.model} does not fit: its {what} take {size:,} bytes, and the "
                f"{mcu.name.upper()} has {memory.size:,} bytes of {memory.name}.",
                *advice(memory, network.input.dtype),
            )


def _keep(elf: Path, out: Path) -> tuple[Path, Path]:
    with replacing(out / "firmware.elf") as kept_elf:
        shutil.copyfile(elf, kept_elf)
    with replacing(out / "firmware.bin") as kept_bin:
        kept_bin.write_bytes(flash_image(elf))
    folder = kept_elf.parent
    return folder / "firmware.elf", folder / "firmware.bin"
