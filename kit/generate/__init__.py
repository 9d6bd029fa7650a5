"""From a .tflite file to C: one entry, one result type, whichever engine makes it."""

from pathlib import Path

from kit.errors import KitError
from kit.generate import portable
from kit.generate.result import FILE, Generated, Layer, TensorInfo, load

__all__ = ["ENGINES", "Generated", "Layer", "TensorInfo", "generate", "load"]

ENGINES = {"portable": portable.generate}


def generate(model: str | Path, out: str | Path, engine: str = "portable") -> Generated:
    """Turn a .tflite model into C.

    Args:
        model: the .tflite file, int8 or float32.
        out: the folder to make; replaced as a whole, and only when everything went well.
        engine: which engine makes it.

    Raises:
        KitError: an unusable model, an operator the engine cannot do, an unknown engine, or a
            folder with files that were not generated.
    """
    if engine not in ENGINES:
        raise KitError(
            f"There is no engine {engine!r}.", next_step=f"Choose one of: {', '.join(ENGINES)}."
        )
    folder = Path(out).resolve()
    _check_replaceable(folder)
    return ENGINES[engine](Path(model), folder)


def _check_replaceable(folder: Path) -> None:
    """The folder is replaced as a whole, so it must not be one with somebody's own files."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / FILE).is_file():
        raise KitError(
            f"{folder} is left alone.",
            "Generating replaces a folder as a whole, and this one was not generated: it has "
            f"files but no {FILE}.",
            "Name another folder, or empty this one yourself.",
        )
