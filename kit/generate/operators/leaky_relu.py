"""LEAKY_RELU: values below 0 are multiplied by alpha.

Source of the integers: LiteRT, `kernels/internal/reference/leaky_relu.h`, and LeakyReluPrepare.
"""

import numpy as np

from kit.generate.lookup import Array, by_table, rescaled
from kit.generate.quantized import float_range
from kit.generate.step import Step, same_elements
from kit.model import Operator


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_lookup_int8 or nn_relu_float32.

    Raises Refusal: scales that do not go together.
    """
    x, y = same_elements(operator)
    slope = float(operator.options.get("alpha", 0.0))
    if x.dtype == "float32":
        fields = {"elements": x.elements, "slope": slope} | float_range("NONE")
        return Step("nn_relu_float32", operator, fields, {}, in_place=(0,))
    alpha, scale = np.float32(slope), np.float32(x.scale)
    below = float(scale * alpha / np.float32(y.scale))
    above = float(scale / np.float32(y.scale))

    def values(stored: Array) -> Array:
        negative = np.sign(below).astype(np.int64) * rescaled(stored, abs(below))
        return np.where(stored >= 0, rescaled(stored, above), negative)

    return by_table(operator, x, y, values)
