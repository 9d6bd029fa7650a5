"""Small C programs on the virtual board: compiled for the Cortex-M4 without the kit, and opened."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import serial

from virtual_nucleo import store
from virtual_nucleo.watcher import native

SOURCES = Path(__file__).parent / "virtual_nucleo" / "firmware"
LINKER_SCRIPT = """
MEMORY {
  FLASH (rx) : ORIGIN = 0x08000000, LENGTH = 2M
  RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 128K
}
SECTIONS {
  .text : { KEEP(*(.vectors)) *(.text*) KEEP(*(.rodata*)) } > FLASH
  .bss (NOLOAD) : { *(.bss*) } > RAM
  /DISCARD/ : { *(.ARM.exidx*) }
}
"""
ZIG = [sys.executable, "-m", "ziglang", "cc", "-target", "thumb-freestanding-eabihf"]
FLAGS = ["-mcpu=cortex_m4+vfp4d16sp", "-O2", "-g", "-ffreestanding", "-nostdlib", "-w"]


@pytest.fixture(scope="session")
def compiler(tmp_path_factory):
    """Compiles a test program: `compiler("echo", "BAUD=9600")` is the path of its ELF."""
    folder = tmp_path_factory.mktemp("virtual_firmware")
    (folder / "link.ld").write_text(LINKER_SCRIPT)
    link = [f"-Wl,-T,{folder / 'link.ld'}", "-Wl,-e,Reset_Handler"]
    caches = dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), str(folder / "zig"))

    def compile_program(name, *defines):
        elf = folder / f"{'_'.join((name, *defines)).replace('=', '')}.elf"
        if not elf.exists():
            words = [*FLAGS, *(f"-D{define}" for define in defines), *link, SOURCES / f"{name}.c"]
            subprocess.run([*ZIG, *words, "-o", elf], env=os.environ | caches, check=True)
        return elf

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "home", lambda: Path(os.environ["KIT_BUILD"]) / "virtual")
        native()  # in the tests' own folder, once
        yield compile_program


@pytest.fixture
def board(compiler, tmp_path, monkeypatch):
    """Flashes a test program and opens its board; closes every port at the end."""
    monkeypatch.setattr(store, "home", lambda: tmp_path / "boards")
    ports = []

    def open_board(name=None, *defines, url="virtual://", **options):
        if name:
            store.program(url, compiler(name, *defines))
        ports.append(serial.serial_for_url(url, **{"baudrate": 115200, "timeout": 5, **options}))
        return ports[-1]

    yield open_board
    for port in ports:
        port.close()


def ask(port, request, size):
    port.write(request)
    return port.read(size)


def word(port, request):
    return int.from_bytes(ask(port, request, 4), "little")


def marked_line(function, file="faults.c"):
    """The line of a test program that carries the mark of a function, else its first one."""
    lines = list(enumerate((SOURCES / file).read_text().splitlines(), 1))
    marks = (f"/* line: {function} */", f"RULE({function},")
    return next(number for mark in marks for number, text in lines if mark in text)
