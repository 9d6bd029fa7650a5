"""The operators that the open engine has kernels for, a file each: what it asks, and its call.

A new one is a file with a function `lower`, its row here, and its kernel in firmware/nn/.
"""

from collections.abc import Callable

from kit.generate.operators import (
    add,
    concatenation,
    conv_2d,
    depthwise_conv_2d,
    dequantize,
    fully_connected,
    hard_swish,
    leaky_relu,
    logistic,
    mean,
    mul,
    pad,
    pool_2d,
    quantize,
    relu,
    softmax,
    tanh,
)
from kit.generate.step import Step
from kit.model import Operator

OPERATORS: dict[str, Callable[[Operator, str], Step | list[Step]]] = {
    "ADD": add.lower,
    "AVERAGE_POOL_2D": pool_2d.lower,
    "CONCATENATION": concatenation.lower,
    "CONV_2D": conv_2d.lower,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d.lower,
    "DEQUANTIZE": dequantize.lower,
    "FULLY_CONNECTED": fully_connected.lower,
    "HARD_SWISH": hard_swish.lower,
    "LEAKY_RELU": leaky_relu.lower,
    "LOGISTIC": logistic.lower,
    "MAX_POOL_2D": pool_2d.lower,
    "MEAN": mean.lower,
    "MUL": mul.lower,
    "PAD": pad.lower,
    "PADV2": pad.lower,
    "QUANTIZE": quantize.lower,
    "RELU": relu.lower,
    "RELU6": relu.lower,
    "RELU_N1_TO_1": relu.lower,
    "SOFTMAX": softmax.lower,
    "TANH": tanh.lower,
}
