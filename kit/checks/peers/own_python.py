"""The peers, and the Python of each: an environment in build/peers, whole or not at all."""

import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import KitError
from kit.paths import build_folder, replacing
from kit.programs import run_program

HERE = Path(__file__).parent
PYTHON = Path("Scripts/python.exe" if os.name == "nt" else "bin/python")
PINNED = "pins.txt"  # written last
PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off")
SECONDS = 600  # for pip, on a slow line


@dataclass(frozen=True)
class Peer:
    """Who makes C of networks: what pip installs (the first of `pins` is the peer itself), the
    script that its Python executes, and which networks it can do, as `kit.checks.bench` calls them.
    `left_out` says why it is not tried."""

    name: str
    license: str
    pins: tuple[str, ...] = ()
    script: str = ""
    networks: tuple[str, ...] = ()
    left_out: str = ""

    @property
    def version(self) -> str:
        return self.pins[0].partition("==")[2] if self.pins else ""


def read_table() -> tuple[list[Peer], Mapping[str, Any]]:
    """What peers.toml says: the peers, and all of it."""
    table = tomllib.loads((HERE / "peers.toml").read_text(encoding="utf-8"))
    rows: list[dict[str, Any]] = [
        {key: tuple(x) if isinstance(x, list) else x for key, x in row.items()}
        for row in table["peer"]
    ]
    return [Peer(**row) for row in rows], table


def python_of(peer: Peer) -> Path:
    """The Python of a peer's environment, which is made where it is not there or has other pins.
    KitError where that cannot be done; what venv and pip said is in build/peers/NAME.log."""
    if peer.left_out:
        raise KitError(peer.left_out)
    folder, pins = build_folder() / "peers" / peer.name, "\n".join(peer.pins)
    python, pinned = folder / PYTHON, folder / PINNED
    if not python.exists() or not pinned.exists() or pinned.read_text("utf-8") != pins:
        with replacing(folder) as made:
            _install(peer, made, folder.with_name(f"{peer.name}.log"))
            (made / PINNED).write_text(pins, encoding="utf-8")
    return python


def _install(peer: Peer, folder: Path, log: Path) -> None:
    said = ""
    commands: list[list[str | Path]] = [
        [sys.executable, "-m", "venv", folder],
        [folder / PYTHON, *PIP, *peer.pins],
    ]
    for command in commands:
        done = run_program(command, SECONDS)
        said += done.printed
        log.write_text(said, encoding="utf-8")
        if done.code or done.trouble:
            raise KitError(
                f"{peer.name} {peer.version} could not be installed.",
                done.trouble or _last_error(done.printed),
                f"What venv and pip said is in {log}.",
            )


def _last_error(printed: str) -> str:
    lines = [line.strip() for line in printed.splitlines() if line.strip()] or ["no word was said"]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return f"{(errors or lines)[-1].removeprefix('ERROR: ').rstrip('.')}."
