"""DEQUANTIZE: int8, uint8 or int16 become float32.

Source: LiteRT, `kernels/internal/reference/integer_ops/dequantize.h`. (It multiplies in double; the
product of a float32 and 17 bits is exact there, so that float32 rounds to the same.)
"""

from kit.generate.step import Refusal, Step, ends
from kit.model import Operator


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_dequantize_float32. Raises Refusal: other types."""
    x, y = ends(operator)
    if x.elements != y.elements or x.elements == 0:
        raise Refusal(f"a DEQUANTIZE makes {y.shape} of {x.shape}.")
    if x.dtype not in ("int8", "uint8", "int16") or y.dtype != "float32":
        raise Refusal(f"DEQUANTIZE makes {y.dtype} of {x.dtype}.")
    fields = {"elements": x.elements, "bytes": x.bytes // x.elements}
    fields |= {"is_signed": int(x.dtype != "uint8"), "zero_point": x.zero_point}
    return Step("nn_dequantize_float32", operator, fields | {"scale": x.scale}, {})
