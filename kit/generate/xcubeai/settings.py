"""What --compression and --optimization cost and save, as the tool itself says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from kit.errors import KitError
from kit.generate.xcubeai.drive import ask
from kit.generate.xcubeai.engine import Settings, analyze
from kit.generate.xcubeai.figures import Figures
from kit.generate.xcubeai.find import find_tool

COMPRESSIONS = ("none", "lossless", "low", "medium", "high")
OPTIMIZATIONS = ("time", "ram", "balanced")


@dataclass(frozen=True)
class Trial:
    """One choice of settings: the figures, or why the tool refused it."""

    compression: str
    optimization: str
    figures: Figures | None
    refusal: str = ""


def compare_settings(
    path: str | Path,
    compressions: Sequence[str] = COMPRESSIONS,
    optimizations: Sequence[str] = OPTIMIZATIONS,
    settings: Settings | None = None,
) -> list[Trial]:
    """Analyze a model once for each choice of both settings.

    Args:
        path: a .tflite, .keras or .h5 file.
        compressions: which values of --compression to try; those that the version does not have
            are refusals in the result.
        optimizations: the same for --optimization.
        settings: the tool to use, and who watches it.

    Returns:
        a Trial for each pair, in order.

    Raises:
        KitError: there is no tool, or it is too old.
    """
    base = settings or Settings()
    ask(find_tool(base.tool))
    pairs: Iterable[tuple[str, str]] = product(compressions, optimizations)
    return [_trial(Path(path), replace(base, compression=c, optimization=o)) for c, o in pairs]


def _trial(path: Path, settings: Settings) -> Trial:
    pair = settings.compression or "", settings.optimization or ""
    try:
        return Trial(*pair, analyze(path, settings))
    except KitError as error:
        return Trial(*pair, None, f"{error.what} {error.why}".strip())
