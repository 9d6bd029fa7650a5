"""Makes an installation of the stand-in: the folders of ST's installer, with our files in them."""

import os
import platform
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from kit.compile.toolchain import environment, zig
from stand_in.releases import RELEASES

PROGRAM = Path(__file__).parent / "__main__.py"
PLATFORMS = {"Windows": "windows", "Darwin": "mac", "Linux": "linux"}
INC = Path("Middlewares/ST/AI/Inc")
LIB = Path("Middlewares/ST/AI/Lib/GCC/ARMCortexM4")
OURS = "/* A header of the kit's stand-in for ST's tool, for tests. No line of it is ST's. */\n"


def install(root: Path, name: str) -> None:
    """Put the stand-in for a release, a key of RELEASES, into the folder `root`, which is made."""
    release = RELEASES[name]
    folder = root / "Utilities" / PLATFORMS.get(platform.system(), "linux")
    for made in (folder, root / INC, root / LIB):
        made.mkdir(parents=True)
    # The main headers of both APIs, with the versions that ST's carry.
    numbers = zip(("MAJOR", "MINOR", "MICRO"), release.config.split("."), strict=True)
    lines = "".join(f"#define STAI_TOOLS_VERSION_{part} ({number})\n" for part, number in numbers)
    if int(release.cube.split(".")[0]) >= 10:
        _header(root / INC / "stai.h", "STAI", lines)
    _header(root / INC / "ai_platform.h", "AI", "")
    # The right library, and beside it the one that must not be taken.
    for library in (release.library, release.library.replace("_GCC", "_GCC_PIC")):
        (root / LIB / library).write_bytes(archive(compiled("cortex_m4", "eabihf")))
    _launcher(folder / release.program, name)


def _launcher(path: Path, name: str) -> None:
    if os.name == "nt":
        line = f'@"{sys.executable}" "{PROGRAM}" "{name}" %*\n'
        path.with_suffix(".cmd").write_text(line, encoding="mbcs")
    else:
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROGRAM}" "{name}" "$@"\n')
        path.chmod(0o755)


def _header(path: Path, prefix: str, lines: str) -> None:
    words = "".join(f"#define {prefix}_API_DECLARE_{word}\n" for word in ("BEGIN", "END"))
    guard = path.name.upper().replace(".", "_")
    path.write_text(f"{OURS}#ifndef {guard}\n#define {guard}\n{words}{lines}#endif\n")


def archive(content: bytes) -> bytes:
    """An `ar` archive of one object."""
    head = f"{'runtime.o/':<16}{'0':<12}{'0':<6}{'0':<6}{'100644':<8}{len(content):<10}`\n"
    return b"!<arch>\n" + head.encode() + content + b"\n" * (len(content) % 2)


@cache
def compiled(cpu: str, abi: str, fpu: int = 6) -> bytes:
    """An object of our own, compiled for a core; Tag_FP_arch as GCC writes it, which zig leaves
    out."""
    with tempfile.TemporaryDirectory() as place:
        source, made = Path(place) / "runtime.c", Path(place) / "runtime.o"
        code = "float stand_in_runtime(float x) { return x * 2.0F; }\n"
        source.write_text(f'{code}__asm__(".eabi_attribute 10, {fpu}");\n')
        command = [zig(), "cc", "-target", f"thumb-freestanding-{abi}", f"-mcpu={cpu}", "-c"]
        subprocess.run([*command, source, "-o", made], env=environment(), check=True)
        return made.read_bytes()
