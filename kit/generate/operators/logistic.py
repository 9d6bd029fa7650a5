"""LOGISTIC, the sigmoid: 1 / (1 + e to the power of -x).

Source of the table: LiteRT, `kernels/activations.cc` (SigmoidPrepare).
"""

import numpy as np

from kit.generate.lookup import Array, by_table, in_float32
from kit.generate.step import Step, same_elements
from kit.model import Operator


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_lookup_int8 or nn_logistic_float32.

    Raises Refusal: scales that do not go together.
    """
    x, y = same_elements(operator)
    if x.dtype == "float32":
        return Step("nn_logistic_float32", operator, {"elements": x.elements}, {}, in_place=(0,))
    return by_table(operator, x, y, in_float32(_logistic, x, y))


def _logistic(real: Array) -> Array:
    powers = np.exp(-real).astype(np.float32)  # infinite where the share is 0
    shares: Array = np.float32(1) / (np.float32(1) + powers)
    return shares
