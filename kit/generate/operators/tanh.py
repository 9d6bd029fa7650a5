"""TANH, the hyperbolic tangent: every value becomes one between -1 and 1.

Source of the table: LiteRT, `kernels/activations.cc` (TanhPrepare).
"""

import numpy as np

from kit.generate.lookup import by_table, in_float32
from kit.generate.step import Step, same_elements
from kit.model import Operator


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_lookup_int8 or nn_tanh_float32.

    Raises Refusal: scales that do not go together.
    """
    x, y = same_elements(operator)
    if x.dtype == "float32":
        return Step("nn_tanh_float32", operator, {"elements": x.elements}, {}, in_place=(0,))
    return by_table(operator, x, y, in_float32(np.tanh, x, y))
