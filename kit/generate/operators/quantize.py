"""QUANTIZE: float32 becomes int8, uint8 or int16, or 8 bits get another scale or sign.

Source of the integers: LiteRT, `kernels/internal/reference/quantize.h` and `requantize.h`.
"""

import numpy as np

from kit.generate.lookup import by_table, rescaled
from kit.generate.step import Refusal, Step, ends
from kit.model import Operator

EIGHT_BITS = ("int8", "uint8")


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_quantize_float32, or between 8-bit types of nn_lookup_int8.

    Raises Refusal: other types, or scales that do not go together.
    """
    x, y = ends(operator)
    if x.elements != y.elements or x.elements == 0:
        raise Refusal(f"a QUANTIZE makes {y.shape} of {x.shape}.")
    if x.dtype in EIGHT_BITS and y.dtype in EIGHT_BITS:
        return by_table(operator, x, y, lambda stored: rescaled(stored, x.scale / y.scale))
    if x.dtype != "float32" or y.dtype not in (*EIGHT_BITS, "int16"):
        raise Refusal(f"QUANTIZE makes {y.dtype} of {x.dtype}.")
    limits = np.iinfo(y.dtype)
    fields = {"elements": x.elements, "bytes": y.bytes // y.elements, "scale": y.scale}
    fields |= {"lowest": float(limits.min - y.zero_point), "zero_point": y.zero_point}
    fields |= {"highest": float(limits.max - y.zero_point)}
    return Step("nn_quantize_float32", operator, fields, {})
