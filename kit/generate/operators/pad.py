"""PAD and PADV2: a margin of one value, 0 where nothing else is said, around a tensor.

Source: LiteRT, `kernels/pad.cc`.
"""

import numpy as np

from kit.generate.step import Refusal, Step, check_types, ends
from kit.model import Operator, Tensor

DIMENSIONS = 4


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_pad_bytes.

    Raises Refusal: the margin is not constant or not that of the shapes, there are more than four
    dimensions, or its value is a float32 other than 0.
    """
    x, y = ends(operator)
    check_types(operator, x, y)
    margin = operator.inputs[1] if len(operator.inputs) > 1 else None
    if margin is None or margin.data is None:
        raise Refusal(f"the margin of {operator.name} is computed, not constant.")
    rank = len(x.shape)
    sides = margin.data.astype(np.int64).reshape(-1, 2)
    padded = tuple(np.array(x.shape) + sides.sum(axis=1)) if len(sides) == rank else ()
    if padded != y.shape or (sides < 0).any() or not 0 < rank <= DIMENSIONS or x.elements == 0:
        raise Refusal(f"{operator.name} makes {y.shape} of {x.shape} and {sides.tolist()}.")
    width = x.bytes // x.elements
    step = [int(np.prod(y.shape[position:], dtype=np.int64)) * width for position in range(1, rank)]
    offset = int(sides[:, 0] @ np.array([*step, width]))
    missing = DIMENSIONS - rank
    size = [1] * missing + [*x.shape[:-1], x.shape[-1] * width]
    arrays = {"size": np.array(size, np.int32), "step": np.array([0] * missing + step, np.int32)}
    fields = {"offset": offset, "output_bytes": y.bytes, "value": _value(operator, y)}
    return Step("nn_pad_bytes", operator, fields, arrays)


def _value(operator: Operator, y: Tensor) -> int:
    """Of each byte of the margin."""
    value = operator.inputs[2] if len(operator.inputs) > 2 else None
    if value is None:
        return y.zero_point
    if value.data is None or value.data.size != 1 or value.dtype != y.dtype:
        raise Refusal(f"the value around a {operator.name} is not one constant of its type.")
    if (value.scale, value.zero_point) != (y.scale, y.zero_point):
        raise Refusal(f"the value around a {operator.name} is of another scale than its output.")
    if y.dtype == "float32" and value.data.any():
        raise Refusal(f"the value around a float32 {operator.name} is {value.data.item()}, not 0.")
    return int(value.data.item())
