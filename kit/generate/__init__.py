"""From a .tflite file to C: one entry, one result type, whichever engine makes it."""

from pathlib import Path

from kit.errors import KitError
from kit.generate import portable
from kit.generate.result import Generated, Layer, TensorInfo, load

__all__ = ["ENGINES", "Generated", "Layer", "TensorInfo", "generate", "load"]

ENGINES = {"portable": portable.generate}


def generate(model: str | Path, out: str | Path, engine: str = "portable") -> Generated:
    """Turn a .tflite model into C.

    Args:
        model: the .tflite file, int8 or float32.
        out: the folder to make; replaced as a whole, and only when everything went well.
        engine: which engine makes it.

    Raises:
        KitError: an unusable model, an operator the engine cannot do, or an unknown engine.
    """
    if engine not in ENGINES:
        raise KitError(
            f"There is no engine {engine!r}.", next_step=f"Choose one of: {', '.join(ENGINES)}."
        )
    return ENGINES[engine](Path(model), Path(out))
