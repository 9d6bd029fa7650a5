"""Digits on STM32: the helper package of the notebooks.

The road is the listing of this package, always in this direction:
digits -> model -> generate -> compile -> board -> lesson.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kit.errors import KitError, one_of
from kit.paths import DATA, FIRMWARE
from kit.paths import build as build_folder

if TYPE_CHECKING:
    from kit.board.board import Board
    from kit.board.flash import flash
    from kit.board.ports import chip, resolve
    from kit.compile import HostNetwork
    from kit.compile import build as build_firmware
    from kit.doctor import examine as doctor
    from kit.generate import generate
    from kit.lesson.artifacts import artifact, check_model, making
    from kit.lesson.report import report
    from kit.model import Reference

__all__ = [
    "DATA",
    "FIRMWARE",
    "Board",
    "HostNetwork",
    "KitError",
    "Reference",
    "artifact",
    "build_firmware",
    "build_folder",
    "check_model",
    "chip",
    "doctor",
    "flash",
    "generate",
    "making",
    "one_of",
    "report",
    "resolve",
]

_PLACES = {
    "Board": ("kit.board", "Board"),
    "HostNetwork": ("kit.compile", "HostNetwork"),
    "Reference": ("kit.model", "Reference"),
    "artifact": ("kit.lesson.artifacts", "artifact"),
    "build_firmware": ("kit.compile", "build"),
    "check_model": ("kit.lesson.artifacts", "check_model"),
    "doctor": ("kit.doctor", "examine"),
    "chip": ("kit.board.ports", "chip"),
    "flash": ("kit.board", "flash"),
    "generate": ("kit.generate", "generate"),
    "making": ("kit.lesson.artifacts", "making"),
    "report": ("kit.lesson.report", "report"),
    "resolve": ("kit.board.ports", "resolve"),
}


class _Kit(ModuleType):
    """This package, in which `kit.generate` and `kit.doctor` stay functions: importing the module
    of that name would put itself in the function's place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _PLACES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Kit


def __getattr__(name: str) -> Any:
    """Load a station when it is first used: a notebook on training needs no emulator."""
    if name not in _PLACES:
        raise AttributeError(f"module 'kit' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)
