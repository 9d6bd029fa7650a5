"""The operators that the open engine can do, a file each: what it asks of one, and its kernel call.

A new one is a file with a function `lower`, its row here, and its kernel in firmware/nn/.
"""

from collections.abc import Callable

from kit.generate.operators import fully_connected, reshape, softmax
from kit.generate.step import Step
from kit.model import Operator, Tensor

OPERATORS: dict[str, Callable[[Operator], Step | Tensor]] = {
    "FULLY_CONNECTED": fully_connected.lower,
    "RESHAPE": reshape.lower,
    "SOFTMAX": softmax.lower,
}
"""The kernel call of each, or the tensor whose bytes its output is."""
