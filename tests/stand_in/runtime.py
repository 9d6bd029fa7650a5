"""Gives the stand-in's installation a runtime that computes: both APIs on the open kernels.

It is ours, every line of it, and says so in the program (`stand_in_for_tests`), so that the virtual
board may run it, which ST's own runtime may not (kit.compile.program.Program).
"""

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from kit.compile.toolchain import find_gcc
from kit.paths import FIRMWARE
from stand_in.installation import INC, LIB
from stand_in.releases import RELEASES

API = Path(__file__).parent / "api"
CORTEX_M4 = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
OPTIONS = ("-std=gnu11", "-O2", "-ffp-contract=off", "-ffunction-sections", "-fdata-sections")


def missing() -> str:
    """What is not there to compile the runtime with, and to link it; "" when all is."""
    gcc = find_gcc()
    if gcc is None:
        return "arm-none-eabi-gcc is not installed"
    asked = subprocess.run([gcc, "-print-file-name=nano.specs"], capture_output=True, text=True)
    return "" if Path(asked.stdout.strip()).is_absolute() else "arm-none-eabi-gcc has no newlib"


def equip(root: Path, name: str) -> None:
    """Put headers and a working library into the stand-in's installation of a release."""
    release = RELEASES[name]
    for header, ours in (("stai.h", "st_ai.h"), ("ai_platform.h", "legacy.h")):
        if (root / INC / header).is_file():
            with (root / INC / header).open("a", encoding="ascii") as file:
                file.write((API / ours).read_text(encoding="ascii"))
    for header in (FIRMWARE / "nn").glob("*.h"):  # the stand-in's network.c is the open engine's
        shutil.copyfile(header, root / INC / header.name)
    needs_crc = int(release.cube.split(".")[0]) <= 8
    (root / LIB / release.library).write_bytes(library(needs_crc))


@cache
def library(needs_crc: bool) -> bytes:
    """The runtime library, compiled; up to 8.x it needs the clock of the CRC unit."""
    gcc = find_gcc()
    assert gcc is not None
    sources = sorted([*API.glob("*.c"), *(FIRMWARE / "nn").glob("*.[cS]")])
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "engine_config.h").write_text("/* no sizes are known yet */\n")
        includes = [f"-I{folder}" for folder in (place, FIRMWARE / "engine", FIRMWARE / "nn", API)]
        defined = ["-DCRC_NEEDED"] if needs_crc else []
        options = [*CORTEX_M4, *OPTIONS, "-Wall", "-Wextra", "-Werror", *includes, *defined]
        objects = [Path(place) / f"{source.name}.o" for source in sources]
        for source, compiled in zip(sources, objects, strict=True):
            subprocess.run([gcc, *options, "-c", source, "-o", compiled], cwd=place, check=True)
        made = Path(place) / "runtime.a"
        archiver = gcc.with_name(gcc.name.replace("gcc", "ar"))
        subprocess.run([archiver, "crs", made, *objects], check=True)
        return made.read_bytes()
