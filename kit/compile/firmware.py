"""The chip's program: a generated network, the kernels, the board and the application."""

import math
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kit.boards import DEFAULT, Mcu
from kit.compile.program import MemoryUse, Program, check_room
from kit.compile.toolchain import GET_GCC, build_tool, gcc, run_tool, zig
from kit.errors import KitError, one_of
from kit.generate import Generated, load_network
from kit.paths import FIRMWARE, build_folder, locked, replacing
from kit.programs import system
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
        sources: a changed copy of the folder firmware/; None takes that folder.

    Raises KitError: there is no network or no such compiler, ST's runtime is gone or of another
    version or core, the compiler fails, or the program does not fit the chip; files of an earlier
    build are untouched then.
    """
    network = network if isinstance(network, Generated) else load_network(network)
    sources = Path(sources or FIRMWARE).resolve()
    compiler, dtype = _compiler_for(network, compiler), network.input.dtype
    # Said in terms of the network, what the linker would say in terms of sections.
    start = f"{network.model} does not fit: its"
    check_room(f"{start} weights take", network.weights_bytes, mcu.flash[0], mcu, dtype)
    check_room(f"{start} tensors take", network.arena_bytes, mcu.ram[0], mcu, dtype)
    kept = [(build_folder() / out).resolve() / f"firmware.{kind}" for kind in ("elf", "bin")]
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        with locked(network.folder.absolute()):
            program = _compile(network, Path(folder), mcu, compiler, sources)
        program.check_fits(dtype)
        with replacing(kept[0]) as elf:
            shutil.copyfile(program.path, elf)
        with replacing(kept[1]) as image:
            image.write_bytes(program.flash_image)
    for file in kept:
        note(file, network.folder, sources)
    remark = remark_on(math.prod(network.input.shape), math.prod(network.output.shape))
    return Firmware(kept[0], kept[1], program.memory, mcu, remark)


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


def _compile(network: Generated, folder: Path, mcu: Mcu, compiler: str, sources: Path) -> Program:
    find_compiler, file, option = COMPILERS[compiler]
    cmake = build_tool("cmake")
    configure: list[str | Path] = [
        *(cmake, "-S", sources, "-B", folder, "-G", "Ninja"),
        f"-DCMAKE_MAKE_PROGRAM={build_tool('ninja')}",
        f"-DCMAKE_TOOLCHAIN_FILE={sources / 'cmake' / file}",
        f"-D{option}={find_compiler().as_posix()}",
        f"-DBOARD={mcu.folder}",
        f"-DNETWORK_DIR={network.folder.resolve().as_posix()}",
    ]
    run_tool(configure, "Preparing the firmware's build")
    run_tool([cmake, "--build", folder], "Compiling the firmware")
    return Program(folder / "firmware.elf")


def _compiler_for(network: Generated, wanted: str | None) -> str:
    """The compiler; a network of ST's tool must fit its runtime, which is made for one of them."""
    if wanted is not None:
        one_of(wanted, tuple(COMPILERS))
    if network.runtime is None:
        return wanted or "zig"
    from kit.generate.xcubeai import check_linkable

    check_linkable(network, network.runtime)
    if wanted == "zig":
        raise KitError(
            f"{network.model} was generated by X-CUBE-AI and cannot be built with zig.",
            "ST's runtime library is made for arm-none-eabi-gcc.",
            "Leave `--compiler` out.",
        )
    compiler = gcc(
        "X-CUBE-AI, whose runtime library zig cannot link,",
        "make the network with the open engine: `kit generate MODEL --out DIR --engine portable`",
    )
    # Some packages of it come without newlib; then it gives back the bare name.
    what = "Asking arm-none-eabi-gcc for its C library"
    if run_tool([compiler, f"-print-file-name={SPECS}"], what).strip() == SPECS:
        raise KitError(
            f"{compiler} has no C library.",
            f"ST's runtime needs newlib-nano, and {SPECS} is not there.",
            f"Install the whole toolchain: {GET_GCC[system()]}.",
        )
    return "gcc"
