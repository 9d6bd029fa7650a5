"""Boards in QEMU: other people's emulator."""

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest

from kit.board import Board
from kit.errors import KitError

QEMU = "qemu-system-arm"
START_SECONDS = 20
needs_qemu = pytest.mark.skipif(not shutil.which(QEMU), reason=f"{QEMU} is not installed")


@contextmanager
def qemu(elf):
    """An STM32F405 in QEMU that runs a program: the URL of its USART2.

    QEMU hands a USART one byte at a time, each by a turn of its main loop. The multiplexer
    (mux=on) keeps a few in store and so makes it four times as fast; -echr 256 is its escape
    character, which no byte is.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = f"socket,id=line,host=127.0.0.1,port={port},server=on,wait=off,nodelay=on,mux=on"
    command = [QEMU, "-M", "netduinoplus2", "-nographic", "-monitor", "none", "-kernel", str(elf)]
    command += ["-serial", "null", "-chardev", line, "-serial", "chardev:line", "-echr", "256"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield f"socket://127.0.0.1:{port}"
    finally:
        process.kill()
        said = process.communicate()[0]
        assert not said, said  # shown after whatever else failed


@contextmanager
def board_in_qemu(elf):
    """A board that answers, as soon as QEMU has started."""
    with qemu(elf) as url:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                board = Board(url)
                break
            except KitError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        with board:
            yield board
