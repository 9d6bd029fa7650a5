"""The chip's program: a generated network, the kernels, the board and the application."""

import math
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kit.boards import DEFAULT, Mcu
from kit.compile.program import MemoryUse, Program, check_room
from kit.compile.toolchain import GET_GCC, find_gcc, gcc, run_tool, zig
from kit.errors import KitError
from kit.generate import Generated, load_network
from kit.paths import FIRMWARE, locked, replacing
from kit.programs import find_program, system
from kit.provenance import note

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
        f"-DPython3_EXECUTABLE={sys.executable}",
        f"-DNETWORK_DIR={network.folder.resolve().as_posix()}",
    ]
    run_tool(configure, "Preparing the firmware's build")
    run_tool([_tool("cmake"), "--build", folder], "Compiling the firmware")
    return folder / "firmware.elf"


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
        program = Program(elf)
        program.check_fits(network.input.dtype)
        remark = remark_on(math.prod(network.input.shape), math.prod(network.output.shape))
        kept = _keep(program, Path(out))
    for file in kept:
        note(file, network.folder, sources)
    return Firmware(*kept, program.memory, mcu, remark)


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
    flash, ram = mcu.flash[0], mcu.ram[0]
    who, dtype = str(network.model), network.input.dtype
    check_room(who, "its weights take", network.weights_bytes, flash, mcu, dtype)
    check_room(who, "its tensors take", network.arena_bytes, ram, mcu, dtype)


def _keep(program: Program, out: Path) -> tuple[Path, Path]:
    with replacing(out / "firmware.elf") as kept_elf:
        shutil.copyfile(program.path, kept_elf)
    with replacing(out / "firmware.bin") as kept_bin:
        kept_bin.write_bytes(program.flash_image)
    folder = kept_elf.parent
    return folder / "firmware.elf", folder / "firmware.bin"
