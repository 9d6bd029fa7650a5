"""Stand-ins for what a real board has around it: flashing tools, and a serial line."""

import socket
import threading
from contextlib import suppress

import pytest
import serial

from kit.board import flash
from kit.board.flashing import WAYS

SUCCESS = {  # what each prints last, as in test_tools.py; in the order of preference
    "STM32_Programmer_CLI": "Download verified successfully",
    "openocd": "** Verified OK **",
    "st-flash": "2020-07-28T22:36:20 INFO common.c: Flash written and verified! jolly good!",
    "pyocd": "0001286 I Erased 1024 bytes (1 sector), programmed 1024 bytes (1 page) [loader]",
}


def add_tool(computer, name, code=0, says=None, script=""):
    """A stand-in: keeps its arguments and a copy of the file it was given."""
    path = computer / "bin" / name
    (computer / f"{name}.says").write_text(SUCCESS[name] if says is None else says)
    path.write_text(
        script
        or f'#!/bin/sh\nprintf "%s\\n" "$@" > "{computer}/{name}.called"\n'
        f'for word in "$@"; do [ -f "$word" ] && /bin/cp "$word" "{computer}/{name}.file"; done\n'
        f'/bin/cat "{computer}/{name}.says"\nexit {code}\n'
    )
    path.chmod(0o755)


@pytest.fixture
def line(monkeypatch):
    """A virtual board behind a network port: `line(elf)` programs it and gives its URL, which is
    taken for that of a board on an ST-LINK."""
    monkeypatch.delitem(WAYS, "socket")
    url = "virtual://behind-a-line"

    def run():
        with suppress(OSError):  # the server is closed at the end
            while True:
                connection, _ = server.accept()
                connection.settimeout(0.01)
                with connection, serial.serial_for_url(url, 115200, timeout=0.05) as port:
                    data = None
                    while data != b"":
                        with suppress(TimeoutError):
                            data = connection.recv(4096)
                            port.write(data)
                        connection.sendall(port.read(4096))

    def start(elf):
        if elf:
            flash(url, elf)
        threading.Thread(target=run, daemon=True).start()
        return f"socket://127.0.0.1:{server.getsockname()[1]}"

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield start
