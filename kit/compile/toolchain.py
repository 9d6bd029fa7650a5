"""The compilers: zig, which is always there, and running one with a readable error."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from kit.errors import KitError
from kit.paths import build_folder
from kit.programs import find_program, run_program, system

GCC_PLACES = (  # from the drive or the home folder, on Windows, macOS and Linux
    "Program Files*/Arm*/GNU Toolchain*/bin",
    "Program Files*/Arm GNU Toolchain*/*/bin",
    "Program Files*/GNU Arm Embedded Toolchain/*/bin",
    "Applications/ArmGNUToolchain/*/arm-none-eabi/bin",
    "opt/homebrew/bin",
    "usr/local/bin",
    "opt/*arm-none-eabi*/bin",
    "*arm-none-eabi*/bin",
    # STM32CubeIDE, STM32CubeCLT and STM32CubeIDE for VS Code
    "ST/STM32CubeIDE*/STM32CubeIDE/plugins/*gnu-tools-for-stm32*/tools/bin",
    "Applications/STM32CubeIDE*.app/Contents/Eclipse/plugins/*gnu-tools-for-stm32*/tools/bin",
    "opt/st/stm32cubeide*/plugins/*gnu-tools-for-stm32*/tools/bin",
    "ST/STM32CubeCLT*/GNU-tools-for-STM32/bin",
    "opt/[sS][tT]/[sS][tT][mM]32[cC]ube[cC][lL][tT]*/GNU-tools-for-STM32/bin",
    "AppData/Local/stm32cube/bundles/gnu-tools-for-stm32/*/bin",
    "Library/Application Support/stm32cube/bundles/gnu-tools-for-stm32/*/bin",
    ".local/share/stm32cube/bundles/gnu-tools-for-stm32/*/bin",
)
GET_GCC = {
    "Windows": "the Arm GNU Toolchain from developer.arm.com",
    "Darwin": "`brew install --cask gcc-arm-embedded`",
    "Linux": "`sudo apt install gcc-arm-none-eabi libnewlib-arm-none-eabi`",
}
TIME_LIMIT = 600  # seconds; the first build of zig's own runtime takes the longest


def zig() -> Path:
    """The zig executable from the `ziglang` package; KitError where it is not installed."""
    try:
        import ziglang
    except ImportError as error:
        raise missing("zig, the C compiler,", "ziglang") from error
    return Path(ziglang.__file__).parent / ("zig.exe" if sys.platform == "win32" else "zig")


def build_tool(name: str) -> Path:
    """Where "cmake" or "ninja" is, from this Python's environment first; KitError without it."""
    if found := find_program(name, beside=True):
        return found
    raise missing(name, name)


def missing(program: str, package: str) -> KitError:
    """The error where a program is not there that is installed as a Python package."""
    return KitError(
        f"{program} is missing.",
        f"It comes with the Python package {package}, which is not installed here.",
        "Run `python3 workshop.py run`: it installs everything.",
    )


def gcc(who: str = "This build", otherwise: str = "build with zig, the default") -> Path:
    """Where arm-none-eabi-gcc is; else KitError, with `who` needs it and what to do `otherwise`."""
    if found := find_gcc():
        return found
    raise KitError(
        f"{who} needs arm-none-eabi-gcc, which was not found.",
        "It is neither on PATH nor where the Arm GNU Toolchain, STM32CubeIDE and STM32CubeCLT put "
        "it.",
        f"Install it: {GET_GCC[system()]}. Or {otherwise}.",
    )


def find_gcc() -> Path | None:
    """Where arm-none-eabi-gcc is: on PATH, or the newest where an installer puts it."""
    found = [str(place) for start in _starts() for name in GCC_PLACES for place in start.glob(name)]
    found.sort(key=lambda folder: list(map(int, re.findall(r"\d+", folder))), reverse=True)
    return find_program("arm-none-eabi-gcc", found)


def _starts() -> tuple[Path, Path]:
    """The drive and the home folder."""
    return Path(Path.home().anchor), Path.home()


def environment() -> dict[str, str]:
    """The environment for compilers: zig's caches stay inside build/."""
    cache = str(build_folder() / "zig-cache")
    return os.environ | {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}


def run_tool(command: Sequence[str | Path], what: str) -> str:
    """What a compiler or build tool printed; KitError, with `what` it was to do, where it failed,
    could not be started, or took longer than TIME_LIMIT."""
    name = Path(command[0]).name
    done = run_program(command, TIME_LIMIT, env=environment())
    if done.trouble:
        raise KitError(
            f"{what} failed.",
            f"{name} could not be run to its end: {done.trouble}",
            "Try again; if it stays so, run `kit doctor`: it says whether the compiler works.",
        )
    if done.code:
        raise KitError(
            f"{what} failed.",
            f"{name} says:\n{done.printed.strip()[-4000:]}",
            "If you changed C, look at the line named above.",
        )
    return done.printed
