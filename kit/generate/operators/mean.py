"""MEAN over space, as GlobalAveragePooling2D makes it: of each channel, over all positions.

Source of the integers: LiteRT, `kernels/internal/reference/reduce.h` (QuantizedMeanOrSum).
"""

import math

from kit.generate.quantized import quantize_multiplier, rescaling
from kit.generate.step import Refusal, Step, check_types, constant, ends, name_of
from kit.model import Operator


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_mean_int8 or nn_mean_float32.

    Raises Refusal: a mean over other axes than all those of space, or values that do not fit.
    """
    x, y = ends(operator)
    positions, channels = _space(operator)
    check_types(operator, x, y)
    fields = {"positions": positions, "channels": channels}
    if x.dtype == "float32":
        return Step("nn_mean_float32", operator, fields, {})
    multiplier, shift = quantize_multiplier(x.scale / y.scale)
    halvings = min(positions.bit_length() - 1, 62 - shift)  # LiteRT's: the multiplier stays large
    scale = (multiplier << halvings) // positions, shift + halvings
    try:
        factor, numbers = rescaling(scale, 255 * positions, y.zero_point)
    except OverflowError as limit:
        raise Refusal(f"the sums of MEAN {name_of(y)} do not fit: {limit}.") from None
    fields |= {"factor": factor, "offset": -positions * x.zero_point}
    fields |= dict(zip(("multiplier", "rounding", "shift"), numbers, strict=True))
    return Step("nn_mean_int8", operator, fields, {})


def _space(operator: Operator) -> tuple[int, int]:
    """How many positions there are, and how many channels."""
    x, y = ends(operator)
    tensor, rank = constant(operator, 1, "axes"), len(x.shape)
    listed = [] if tensor is None or tensor.data is None else tensor.data.ravel().tolist()
    axes = {axis + rank if axis < 0 else axis for axis in listed}
    kept = [axis for axis in range(rank) if axis not in axes]
    if (
        not axes
        or not axes <= set(range(rank))
        or any(x.shape[axis] != 1 for axis in kept if axis < max(axes))
    ):
        raise Refusal(
            f"MEAN goes over the axes {sorted(axes)} of {name_of(x)}, whose shape is {x.shape}.",
            "There is a kernel for the mean over all positions of an image, channel by channel.",
            "In Keras use GlobalAveragePooling2D, or axis=(1, 2).",
        )
    positions = math.prod(x.shape[axis] for axis in axes)
    channels = math.prod(x.shape[axis] for axis in kept)
    shape = tuple(x.shape[axis] for axis in kept)
    if operator.options.get("keep_dims"):
        shape = tuple(1 if axis in axes else x.shape[axis] for axis in range(rank))
    if y.shape != shape or x.elements == 0:
        raise Refusal(f"MEAN makes {y.shape} of {x.shape} in {name_of(y)}.")
    return positions, channels
