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
def board_in_qemu(elf):
    """An STM32F405 in QEMU that runs a program and answers on its USART2.

    QEMU hands a USART one byte at a time, each by a turn of its main loop. The multiplexer
    (mux=on) keeps a few in store and so makes it four times as fast; -echr 256 is its escape
    character, which no byte is.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    line = f"socket,id=line,host=127.0.0.1,port={port},server=on,wait=off,nodelay=on,mux=on"
    command = [QEMU, "-M", "netduinoplus2", "-nographic", "-monitor", "none", "-kernel", str(elf)]
    command += ["-serial", "null", "-chardev", line, "-serial", "chardev:line", "-echr", "256"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, text=True, **pipes)
    try:
        with _opened(f"socket://127.0.0.1:{port}") as board:
            yield board
    finally:
        process.kill()
        said = process.communicate()[0]
        assert not said, said  # shown after whatever else failed


def _opened(url):
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return Board(url)
        except KitError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
