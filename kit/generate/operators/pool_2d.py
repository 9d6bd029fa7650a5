"""MAX_POOL_2D and AVERAGE_POOL_2D: the largest value or the mean of each window of a channel.

Source of the integers: LiteRT, `kernels/internal/reference/integer_ops/pooling.h`.
"""

from kit.generate.operators.window import pool_fields
from kit.generate.quantized import float_range, int8_range
from kit.generate.step import Refusal, Step, check_types, ends, name_of
from kit.model import Operator

SAME_SCALE = 1e-6  # LiteRT's tolerance


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_max_pool_2d_int8, nn_average_pool_2d_int8, or of their float32.

    Raises Refusal: shapes that do not belong together, or an output that is quantized otherwise
    than the input, which LiteRT does not allow.
    """
    x, y = ends(operator)
    kernel = f"nn_{operator.name.lower()}"
    fields = {"window": pool_fields(operator)}
    check_types(operator, x, y)
    if x.dtype == "float32":
        return Step(f"{kernel}_float32", operator, fields | float_range(operator.activation), {})
    if abs(x.scale - y.scale) > SAME_SCALE or x.zero_point != y.zero_point:
        raise Refusal(
            f"{operator.name} has another scale or zero point in {name_of(y)} than in its input.",
            "A pooling passes values on as they are; LiteRT's converter gives both the same.",
            "Convert the model anew, with TensorFlow's own converter.",
        )
    minimum, maximum = int8_range(operator.activation, y)
    return Step(f"{kernel}_int8", operator, fields | {"minimum": minimum, "maximum": maximum}, {})
