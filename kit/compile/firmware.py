"""The chip's program: a generated network, the kernels, the board and the application."""

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from kit.compile.memory import FLASH, RAM, MemoryUse, check_fits, memory_use
from kit.compile.toolchain import run, zig
from kit.errors import KitError
from kit.generate import Generated, load
from kit.paths import FIRMWARE, making


@dataclass(frozen=True)
class Firmware:
    """A program for the STM32F446: as ELF (with source lines), and as it lies in flash."""

    elf: Path
    bin: Path
    memory: MemoryUse


def _tool(name: str) -> str:
    """A build tool, from this Python's environment first."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(name)
    if found is None:
        raise KitError(
            f"{name} is missing.",
            f"It comes with the Python package {name}, which is not installed here.",
            "Run `python3 workshop.py run`: it installs everything.",
        )
    return found


def _compile(network: Generated, folder: Path) -> Path:
    configure: list[str | Path] = [
        _tool("cmake"),
        *("-S", FIRMWARE, "-B", folder, "-G", "Ninja"),
        f"-DCMAKE_MAKE_PROGRAM={_tool('ninja')}",
        f"-DCMAKE_TOOLCHAIN_FILE={FIRMWARE / 'cmake' / 'zig.cmake'}",
        f"-DZIG={zig().as_posix()}",
        f"-DNETWORK_DIR={network.folder.resolve().as_posix()}",
    ]
    run(configure, "Preparing the firmware's build")
    run([_tool("cmake"), "--build", folder], "Compiling the firmware")
    return folder / "firmware.elf"


def flash_image(elf_path: Path) -> bytes:
    """What an ELF file puts into flash, from its first address on; gaps are 0xFF (erased)."""
    with elf_path.open("rb") as file:
        segments = [s for s in ELFFile(file).iter_segments("PT_LOAD") if s["p_filesz"]]
        end = max(s["p_paddr"] + s["p_filesz"] for s in segments)
        image = bytearray(b"\xff" * (end - FLASH.start))
        for segment in segments:
            start = segment["p_paddr"] - FLASH.start
            image[start : start + segment["p_filesz"]] = segment.data()
    return bytes(image)


def build(network: Generated | str | Path, out: str | Path = ".") -> Firmware:
    """Build the firmware around a generated network.

    Args:
        network: what `kit.generate.generate` returned, or the folder it wrote.
        out: where firmware.elf and firmware.bin go; a relative path is taken in build/.

    Raises:
        KitError: there is no network, the compiler fails, or the program does not fit the
            chip; files of an earlier build are untouched then.
    """
    network = network if isinstance(network, Generated) else load(network)
    _check_size(network)
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        elf = _compile(network, Path(folder))
        use = memory_use(elf)
        check_fits(use)
        return _keep(elf, Path(out), use)


def _check_size(network: Generated) -> None:
    """Say in terms of the network what the linker would say in terms of sections."""
    needs = (
        ("weights", network.weights_bytes, FLASH),
        ("tensors", network.arena_bytes, RAM),
    )
    for what, size, memory in needs:
        if size > memory.size:
            raise KitError(
                f"{network.model} does not fit: its {what} take {size:,} bytes, and the "
                f"STM32F446 has {memory.size:,} bytes of {memory.name}.",
                "Everything has to fit the chip at once; there is nowhere else to keep it.",
                "Quantize to int8 (notebook 02-quantize), or make the network smaller.",
            )


def _keep(elf: Path, out: Path, use: MemoryUse) -> Firmware:
    with making(out / "firmware.elf") as kept_elf:
        shutil.copyfile(elf, kept_elf)
    with making(out / "firmware.bin") as kept_bin:
        kept_bin.write_bytes(flash_image(elf))
    folder = kept_elf.parent
    return Firmware(folder / "firmware.elf", folder / "firmware.bin", use)
