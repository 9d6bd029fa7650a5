"""Digits on STM32: the helper package of the notebooks.

The road is the listing of this package, always in this direction:
digits -> model -> generate -> compile -> board -> lesson.
"""

from importlib import import_module
from typing import Any

from kit.errors import KitError, one_of
from kit.paths import DATA, FIRMWARE, build_folder

_STATIONS = {
    "Board": "kit.board",
    "HostNetwork": "kit.compile",
    "Reference": "kit.model",
    "artifact": "kit.lesson.artifacts",
    "build_firmware": "kit.compile",
    "check_model": "kit.lesson.artifacts",
    "chip": "kit.board.ports",
    "compare": "kit.checks.compare_models",
    "digest": "kit.provenance",
    "examine": "kit.checks.doctor",
    "flash": "kit.board",
    "generate_network": "kit.generate",
    "making": "kit.lesson.artifacts",
    "report": "kit.lesson.results",
    "resolve": "kit.board.ports",
}

__all__ = ["DATA", "FIRMWARE", "KitError", "build_folder", "one_of", *_STATIONS]


def __getattr__(name: str) -> Any:
    """Load a station when it is first used: a notebook on training needs no emulator."""
    if name not in _STATIONS:
        raise AttributeError(f"module 'kit' has no attribute {name!r}")
    return getattr(import_module(_STATIONS[name]), name)
