"""Models, networks and firmware of a session, each made once and shared: nobody changes them."""

import hashlib
import shutil
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from networks import Spec, make

from kit.boards import DEFAULT, MCUS, Mcu
from kit.compile import Firmware, build_firmware
from kit.generate import Generated, generate_network
from kit.lesson.artifacts import MAKERS
from kit.paths import build_folder
from kit.provenance import note_of

SESSION = build_folder()
"""The build folder of all tests here: a test may have one of its own."""
VIRTUAL = [mcu for mcu in MCUS.values() if mcu.has_virtual]
"""The chips that have a virtual board."""


def share_caches(build: Path) -> None:
    """Lets another build folder use what the compiler made for that of the session: zig takes long
    without."""
    for name in ("zig-cache", "host", "kernels"):
        for folder in (build, SESSION / name):
            folder.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # Windows: links need a right there
            (build / name).symlink_to(SESSION / name, True)


def own_build(monkeypatch: pytest.MonkeyPatch, build: Path) -> Path:
    """Makes `build` the build folder until the test's end, with the session's compiled things."""
    share_caches(build)
    monkeypatch.setenv("KIT_BUILD", str(build))
    return build


def copy_artifacts(build: Path, folder: Path) -> None:
    """What the notebooks made, with its notes, for a build folder of one test; not the rest of
    `build`, where others write."""
    for made in (build / name for name in MAKERS):
        copy = shutil.copytree if made.is_dir() else shutil.copyfile
        copy(made, folder / made.name)
        if note_of(made).exists():
            shutil.copy(note_of(made), folder)


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
