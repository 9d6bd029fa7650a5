"""SOFTMAX: values become shares of 1, e to the power of each over the sum of all.

Source of the integers: LiteRT, `kernels/internal/quantization_util.cc` (PreprocessSoftmaxScaling,
CalculateInputRadius).
"""

import math

from kit.generate.quantized import quantize_multiplier
from kit.generate.step import Refusal, Step, name_of, same_elements
from kit.model import Operator

INTEGER_BITS = 5  # of the differences that the kernel takes the exponential of


def lower(operator: Operator) -> Step:
    """One call of nn_softmax_int8 or nn_softmax_float32.

    Raises Refusal: several rows, an output other than the shares of 1 in 256 steps, or a scale for
    which LiteRT has no answer.
    """
    x, y = same_elements(operator)
    if x.elements != x.shape[-1]:
        raise Refusal(f"a SOFTMAX takes several rows: its input is {x.shape}.")
    fields = {"elements": x.elements}
    if x.dtype == "float32":
        return Step("nn_softmax_float32", operator, fields | {"beta": operator.beta}, {})
    if (y.scale, y.zero_point) != (1 / 256, -128):
        raise Refusal("the output of SOFTMAX is not quantized as 1/256 and -128.")
    scale = operator.beta * x.scale
    real = min(scale * 2 ** (31 - INTEGER_BITS), 2.0**31 - 1)
    if not real > 1:  # LiteRT ends the process: QuantizeMultiplierGreaterThanOne
        raise Refusal(
            f"SOFTMAX takes {name_of(x)}, whose scale times beta is {scale:g}.",
            "A training that collapsed (every output the same) leaves such a scale.",
            "Train again, with a smaller learning rate, and convert anew.",
        )
    multiplier, shift = quantize_multiplier(real)
    left_shift = 31 - shift
    largest = (2**INTEGER_BITS - 1) * 2 ** (31 - INTEGER_BITS) / 2**left_shift
    fields |= {"multiplier": multiplier, "left_shift": left_shift}
    fields |= {"minimum_difference": -math.floor(largest)}
    return Step("nn_softmax_int8", operator, fields, {})
