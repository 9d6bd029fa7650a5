"""Models, networks and firmware of a session, each made once and shared: nobody changes them."""

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path

from networks import Spec, make

from kit.boards import DEFAULT, MCUS, Mcu
from kit.compile import Firmware, build_firmware
from kit.generate import Generated, generate_network
from kit.paths import build_folder

VIRTUAL = [mcu for mcu in MCUS.values() if mcu.has_virtual]
"""The chips that have a virtual board."""


def share_caches(build: Path) -> None:
    """Lets another build folder use what the compiler made for this one: zig takes long without."""
    for name in ("zig-cache", "host"):
        for folder in (build, build_folder() / name):
            folder.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # Windows: links need a right there
            (build / name).symlink_to(build_folder() / name, True)


def _folder(*names: object) -> Path:
    folder = build_folder() / "made" / hashlib.sha256(repr(names).encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def model(spec: Spec) -> Path:
    """The .tflite file of a network."""
    return make(spec, _folder(spec) / "model.tflite")


@cache
def network(spec: Spec) -> Generated:
    """Its C, made by the portable engine."""
    return generate_network(model(spec), _folder(spec) / "network")


@cache
def firmware(spec: Spec, mcu: Mcu = DEFAULT, compiler: str | None = None) -> Firmware:
    """A program for the chip around it."""
    return build_firmware(network(spec), _folder(spec, mcu.name, compiler), mcu, compiler)
