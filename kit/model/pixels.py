"""Pixels as a network takes them: the one preparation, the same here and on the chip."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kit.errors import KitError
from kit.model.tflite import Tensor

Range = tuple[float, float]
"""The real numbers that a network takes for a pixel of 0 and for one of 255."""

# How images are scaled for training: pixels / 255, pixels as they are, pixels / 127.5 - 1.
RANGES: tuple[Range, ...] = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))
TOLERANCE = 0.02  # of a range: the images that a converter was shown need not hold its very ends
INTEGERS = ("int8", "uint8", "int16")  # what a converter quantizes an input to


class Quantized(Protocol):
    """A tensor's type; for int8 the real value is scale * (value - zero_point)."""

    @property
    def dtype(self) -> str: ...
    @property
    def scale(self) -> float: ...
    @property
    def zero_point(self) -> int: ...


def input_range(tensor: Quantized) -> Range | None:
    """The range of pixels that a network was trained on, as its input's quantization tells it.

    One of `RANGES`; 0 to 1 for float32, which does not tell: an assumption; None where the
    tensor's range is none of them. int16 has a zero point of 0, whatever the range: that one begins
    at 0 is an assumption, too.
    """
    if tensor.dtype == "float32":
        return RANGES[0]
    if tensor.dtype not in INTEGERS:
        return None
    ends = (0.0, _ends(tensor)[1]) if tensor.dtype == "int16" else _ends(tensor)
    for known in RANGES:
        if np.allclose(ends, known, rtol=0, atol=TOLERANCE * (known[1] - known[0])):
            return known
    return None


def _ends(tensor: Quantized) -> Range:
    limits = np.iinfo(tensor.dtype)
    low, high = (tensor.scale * (end - tensor.zero_point) for end in (limits.min, limits.max))
    return low, high


def describe_range(span: Range | None, dtype: str) -> str:
    """A range in words."""
    if span is None:
        return "how its input wants pixels is not known: set --input-range"
    untold = f" ({dtype} does not tell: --input-range sets another)"
    told = "" if dtype in ("int8", "uint8") else untold
    return f"pixels 0 to 255 become {span[0]:g} to {span[1]:g}{told}"


def pixels_to_input(
    images: npt.NDArray[np.uint8], tensor: Tensor, span: Range | None = None
) -> npt.NDArray[Any]:
    """Images as the values of a network's input tensor.

    A pixel becomes the real number that it was in training. For int8 that is stored as
    round(real / scale) + zero_point, halves away from zero; for a network trained on pixel / 255,
    with scale 1/255 and zero point -128, that is pixel - 128. float32 arithmetic throughout,
    exactly as firmware/app/pixels.c.

    `images` are uint8 of any shape, which is kept; `span` is the real numbers of a pixel of 0 and
    of 255, or None to take them from the tensor. Raises KitError: a tensor of another type; or,
    without `span`, one whose range fits no usual preparation of pixels.
    """
    if tensor.dtype != "float32" and (tensor.dtype not in INTEGERS or not tensor.scale):
        lacks = " without a scale" if tensor.dtype in INTEGERS else ""
        raise KitError(
            f"Images cannot be prepared for an input of {tensor.dtype}{lacks}.",
            f"A pixel becomes float32, or {', '.join(INTEGERS)} by the input's scale.",
            "Convert the model again, as notebook 02-quantize does.",
        )
    span = span or input_range(tensor)
    if span is None:
        least, most = _ends(tensor)
        raise KitError(
            "How this network wants its pixels is not known.",
            f"Its input takes numbers from {least:.4g} to {most:.4g}. Networks for images are "
            "usually trained on 0 to 1, 0 to 255 or -1 to 1.",
            "Say what a pixel of 0 and one of 255 became in training: --input-range 0 1 for "
            "pixels / 255 (in Python input_range=(0, 1)).",
        )
    low, high = map(np.float32, span)
    each = np.arange(256, dtype=np.float32)  # computed once for all pixels of a value
    real: npt.NDArray[np.float32] = each * (high - low) / np.float32(255) + low
    if tensor.dtype == "float32":
        return real[images]
    steps = real / np.float32(tensor.scale)
    whole = np.trunc(steps + np.copysign(np.float32(0.5), steps)).astype(np.int32)
    limits = np.iinfo(tensor.dtype)
    stored: npt.NDArray[Any] = np.clip(whole + tensor.zero_point, limits.min, limits.max)
    return stored.astype(tensor.dtype)[images]


def output_to_scores(output: npt.NDArray[Any], tensor: Quantized) -> npt.NDArray[np.float32]:
    """A network's output, of any shape, as real numbers: scale * (value - zero_point) for int8."""
    if tensor.dtype == "float32":
        return output.astype(np.float32)
    difference = output.astype(np.int32) - tensor.zero_point
    return np.float32(tensor.scale) * difference.astype(np.float32)


def are_shares(values: npt.NDArray[Any]) -> bool:
    """Whether a network's outputs, as real numbers, are shares of 1, as a softmax gives them."""
    return bool(values.min() >= 0 and abs(values.sum() - 1) <= 0.1)
