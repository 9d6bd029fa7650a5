"""The operators that the open engine has kernels for, a file each: what it asks, and its call.

A new one is a file with a function `lower`, its row here, and its kernel in firmware/nn/.
"""

from collections.abc import Callable

from kit.generate.operators import fully_connected, softmax
from kit.generate.step import Step
from kit.model import Operator

OPERATORS: dict[str, Callable[[Operator], Step]] = {
    "FULLY_CONNECTED": fully_connected.lower,
    "SOFTMAX": softmax.lower,
}
