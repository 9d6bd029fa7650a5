"""RELU, RELU6 and RELU_N1_TO_1 that are not fused: values below and above a limit become it.

Source of the integers: LiteRT, `kernels/activations.cc` (ReluPrepare, QuantizedReluX).
"""

import numpy as np

from kit.generate.lookup import Array, by_table, rescaled
from kit.generate.quantized import float_range, int8_range
from kit.generate.step import Step, same_elements
from kit.model import Operator


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_lookup_int8 or nn_relu_float32.

    Raises Refusal: scales that do not go together.
    """
    x, y = same_elements(operator)
    if x.dtype == "float32":
        fields = {"elements": x.elements, "slope": 1.0} | float_range(operator.name)
        return Step("nn_relu_float32", operator, fields, {}, in_place=(0,))
    real = float(np.float32(x.scale) / np.float32(y.scale))
    lowest, highest = (limit - y.zero_point for limit in int8_range(operator.name, y))

    def values(stored: Array) -> Array:
        return rescaled(stored, real).clip(lowest, highest)

    return by_table(operator, x, y, values)
