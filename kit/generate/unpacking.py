"""Weights of few bits of a convolution: as codes in flash, and the call that unpacks them.

To save time they are unpacked once an inference, in the order in which a fast kernel reads them;
to save flash, by nn_conv_2d_small_bits or _ternary, a filter at a time.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.generate.packing import BITS, CODES, clusters, codes, pack_bits, pack_ternary
from kit.generate.step import Refusal, Unpacking, name_of
from kit.generate.weighted import Array
from kit.model import Operator, Tensor

WORD = 32  # bits of codes that are unpacked together; of ternary ones:
TERNARY = 5
MOST_UNPACKED = {"ram": 16_384}  # bytes of a layer's weights in RAM; else:
MOST_BYTES = 40_960
Arrange = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int16]]
"""Puts the weights of the model, (channels, taps), into the order of a kernel, (rows, columns)."""


def is_packed(operator: Operator, weights: Tensor) -> bool:
    """Whether weights lie in flash as codes. Raises Refusal: packed as no kernel takes them."""
    if weights.packing == "sparse":
        raise Refusal(
            f"the weights of {operator.name} {name_of(weights)} are sparse.",
            "There is no kernel for a convolution that leaves out single weights.",
            "Give the layer another packing, or int8; dense layers may be sparse.",
        )
    return weights.packing in CODES or weights.packing == "clustered"


def small_weights(weights: Tensor) -> tuple[str, dict[str, int], dict[str, Array]]:
    """Which small kernel takes weights as codes, and the members of its struct for them."""
    table, values = _coded(weights)
    arrays: dict[str, Array] = {"values": values.astype(np.int8)}
    if weights.packing == "ternary":
        return "ternary", {}, {"weights": pack_ternary(table, 1)} | arrays
    bits = BITS[weights.packing]
    return "bits", {"bits": bits}, {"weights": pack_bits(table.reshape(1, -1), bits, 1)} | arrays


def unpacking_of(
    weights: Tensor, factors: Array, arrange: Arrange, optimize: str
) -> Unpacking | None:
    """The call that unpacks weights, times their factor, for a fast kernel. None where channels
    have different factors, or the weights would take too much RAM."""
    table, values = _coded(weights)
    ordered, ternary = arrange(table.astype(np.int64)), weights.packing == "ternary"
    together = TERNARY if ternary else WORD // BITS[weights.packing]
    size = -(-ordered.size // together) * together * ordered.itemsize
    if len(set(factors)) > 1 or size > MOST_UNPACKED.get(optimize, MOST_BYTES):
        return None
    rows, columns = ordered.shape
    filled = arrange(np.ones((2, table.shape[1]), np.int64))[0, ::-1].tolist()
    zeros = sum(1 << i for i, weight in enumerate(filled) if weight == 0)
    fields: dict[str, Any] = {"rows": rows, "columns": columns, "zeros": zeros}
    stream = ordered.astype(np.uint8).reshape(1, -1)
    arrays: dict[str, Array] = {"values": (values.astype(np.int64) * factors[0]).astype(np.int16)}
    if ternary:
        arrays |= {"codes": pack_ternary(stream, 1)}
    else:
        bits = BITS[weights.packing]
        fields |= {"bits": bits}
        arrays |= {"codes": pack_bits(stream, bits).view("<u4")}
    return Unpacking(
        f"nn_unpack_{'ternary' if ternary else 'bits'}", fields, arrays, -(-size // 4) * 4
    )


def _coded(weights: Tensor) -> tuple[npt.NDArray[np.uint8], Array]:
    """The codes of a layer's weights, (channels, taps); and of each code its weight."""
    assert weights.data is not None
    table = weights.data.reshape(weights.shape[0], -1)
    if weights.packing == "clustered":
        return clusters(table)
    numbers, step, offset = codes(table, weights.packing)
    count = 3 if weights.packing == "ternary" else 1 << BITS[weights.packing]
    return numbers, step * np.arange(count) - offset
