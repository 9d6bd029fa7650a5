"""Weights of int8 dense layers as the fast kernels take them, and what else these are given.

The layouts and their reasons stand in firmware/nn/dense.h and dense_int8_cortex_m4.S; of weights of
fewer bits in dense_packed.h and dense_packed_cortex_m4.S.
Source of the integers: LiteRT, `kernels/internal/reference/integer_ops/fully_connected.h`.
"""

from typing import Any

import numpy as np

from kit.generate.packing import (
    BITS,
    CODES,
    DIGITS,
    clusters,
    codes,
    pack_bits,
    pack_digits,
    pack_four_rows,
    pack_sparse,
    pack_twenties,
)
from kit.generate.quantized import INT8, exact_multiplier, int8_range
from kit.generate.step import Refusal, Step, ends, name_of
from kit.generate.weighted import Array
from kit.model import Operator, Tensor

TURN = 16  # groups of four inputs: twice as many always fit, in a row of no more inputs than
LONGEST_ROW = 16_384
WORD = 4  # bytes; also the rows of a block and the columns of a group of weights
LEAST_SHIFT = 33  # of those that the fast path does itself
TABLE = 1024  # bytes of scratch: of clustered, the weights of each byte
TABLE_OF_FOUR = 164  # of ternary, five times: 81 sums
LONGEST_PACKED = 2**16 - 1  # inputs: entries of sparse, and 32 bits of four rows of int4
PACKED = {*CODES, "clustered", "sparse"}

Parts = tuple[dict[str, Any], dict[str, Array]]
"""A struct's numbers and arrays."""


def dense_int8(
    operator: Operator, weights: Tensor, bias: Array, shape: dict[str, int], optimize: str
) -> Step:
    """One call of nn_dense_int8, nn_dense_ram_int8 or nn_dense_data_int8, which have the same
    parameters, of nn_dense_small_int8, or where weights are packed of a kernel of dense_packed.h or
    dense_packed_small.h; `shape` are its rows, inputs and outputs.

    Raises Refusal: sums that cannot be computed exactly.
    """
    x, _ = ends(operator)
    assert weights.data is not None
    table, bias = weights.data.astype(np.int64), bias.astype(np.int64)
    folded = bias - x.zero_point * table.sum(axis=1)
    requantization = _requantization(operator, weights, bias, folded)
    macs = shape["rows"] * shape["inputs"] * shape["outputs"]
    if weights.packing in PACKED:
        return _few_bits(operator, weights, folded, requantization, shape, optimize)
    if optimize == "flash":
        if shape["rows"] == 1:
            return _small(operator, weights, folded, requantization, macs)
        optimize = "ram"
    if optimize == "ram" and shape["rows"] > 1 and shape["inputs"] % WORD:
        optimize = "time"  # the other rows of the input would not be at a word boundary
    zero_point = x.zero_point if optimize == "data" else 0
    at_once = _groups_at_once(operator, table, zero_point)
    if optimize == "data" and at_once * WORD < table.shape[1]:
        return dense_int8(operator, weights, bias, shape, "time")
    block = 8 if optimize == "data" else 4
    fields = shape | {"block_rows": block, "groups_at_once": at_once}
    fields |= {"input_zero_point": zero_point} | requantization[0]
    bias = fill(bias if optimize == "data" else folded, WORD).astype(np.int32)
    arrays = pack(table, block) | {"bias": bias} | requantization[1]
    name = {"time": "nn_dense_int8"}.get(optimize, f"nn_dense_{optimize}_int8")
    scratch = {"time": 2, "ram": None, "data": 3}[optimize]
    if scratch:
        scratch *= fill(table[0], WORD).size
    return Step(name, operator, fields, arrays, macs, scratch)


def _small(
    operator: Operator,
    weights: Tensor,
    folded: Array,
    requantization: Parts,
    macs: int,
) -> Step:
    """One call of nn_dense_small_int8."""
    assert weights.data is not None
    fields, own = _of_channels(weights, folded, requantization)
    outputs, inputs = weights.shape
    fields = {"inputs": inputs, "outputs": outputs} | fields
    own |= {"weights": weights.data}
    return Step("nn_dense_small_int8", operator, fields, own, macs)


def _of_channels(weights: Tensor, folded: Array, requantization: Parts) -> Parts:
    """Numbers and arrays of kernels without assembly that reads four channels at once."""
    fields, arrays = dict(requantization[0]), requantization[1]
    del fields["small_shifts"]
    own = {name: array[: weights.scales.size] for name, array in arrays.items()}
    return fields, own | {"bias": folded.astype(np.int32)}


def _few_bits(
    operator: Operator,
    weights: Tensor,
    folded: Array,
    requantization: Parts,
    shape: dict[str, int],
    optimize: str,
) -> Step:
    """One call of a kernel of dense_packed.h, or of nn_dense_packed_small_int8."""
    packing, macs = weights.packing, shape["rows"] * weights.elements
    fields, arrays = _of_channels(weights, folded, requantization)
    if optimize == "flash" and shape["rows"] == 1 and packing != "sparse":
        made, own = _digits(weights)
        fields |= {"inputs": shape["inputs"], "outputs": shape["outputs"]} | made
        return Step("nn_dense_packed_small_int8", operator, fields, arrays | own, macs)
    name = f"nn_dense_packed_{packing}"
    assert weights.data is not None
    if packing in ("sparse", "int4") and shape["inputs"] > LONGEST_PACKED:
        raise Refusal(
            f"FULLY_CONNECTED {name_of(operator.outputs[0])} takes {shape['inputs']:,} inputs.",
            f"With {packing} weights the kernel takes {LONGEST_PACKED:,}.",
            "Make the layer smaller: a pooling before it is the usual way.",
        )
    if packing == "sparse":
        arrays["weights"] = pack_sparse(weights.data)
        return Step(name, operator, fields | shape, arrays, macs)
    fields, arrays = requantization[0] | shape, dict(requantization[1])
    arrays["bias"] = fill(folded, WORD).astype(np.int32)
    fields |= _coded(weights, arrays)
    return Step(name, operator, fields, arrays, macs, _scratch(packing, fields["words"], shape))


def _coded(weights: Tensor, arrays: dict[str, Array]) -> dict[str, int]:
    """Adds weights as dense_packed.h has them, and what belongs to them, to the arrays; returns the
    numbers of the struct."""
    packing, step, offset = weights.packing, 1, 0
    assert weights.data is not None
    if packing == "clustered":
        numbers, arrays["values"] = clusters(weights.data)
    else:
        numbers, step, offset = codes(weights.data, packing)
    if packing == "int4":
        arrays["weights"], arrays["pairs"] = pack_four_rows(numbers)
    elif packing == "ternary":
        arrays["weights"] = pack_twenties(numbers)
    else:
        arrays["weights"] = _interleaved(pack_bits(numbers, BITS[packing]))
    words = arrays["weights"].size // (-(-len(numbers) // WORD) * WORD * WORD)
    return {"words": words, "step": step, "offset": offset}


def _scratch(packing: str, words: int, shape: dict[str, int]) -> int:
    if packing == "ternary":
        return 5 * TABLE_OF_FOUR + WORD * (-(-shape["outputs"] // WORD) * WORD)
    return 2 * words * 32 // BITS[packing] + (TABLE if packing == "clustered" else 0)


def _digits(weights: Tensor) -> Parts:
    """Weights as dense_packed_small.h has them."""
    assert weights.data is not None
    if weights.packing == "clustered":
        base = 1 << BITS["clustered"]
        numbers, values = clusters(weights.data)
    else:
        base = 1 << BITS[weights.packing] if weights.packing in BITS else 3
        numbers, step, offset = codes(weights.data, weights.packing)
        values = (step * np.arange(base) - offset).astype(np.int8)
    packed = pack_digits(numbers, base, 1)
    return {"base": base, "digits": DIGITS[base]}, {"weights": packed, "values": values}


def _interleaved(packed: Array) -> Array:
    """Rows of bytes in blocks: the first word of each of four rows, the second of each, ..."""
    filled = np.pad(packed, ((0, -len(packed) % WORD), (0, 0)))
    return filled.reshape(-1, WORD, packed.shape[1] // WORD, WORD).transpose(0, 2, 1, 3)


def _requantization(operator: Operator, weights: Tensor, bias: Array, folded: Array) -> Parts:
    x, y = ends(operator)
    assert weights.data is not None
    table = weights.data.astype(np.int64)
    lowest = folded + np.minimum(INT8[0] * table, INT8[1] * table).sum(axis=1)
    highest = folded + np.maximum(INT8[0] * table, INT8[1] * table).sum(axis=1)
    # In double, for one scale as for many: so behave the reference kernels of LiteRT 2.1.0 to
    # 2.3.0. (Its Prepare multiplies in float32 too; the optimized kernels use that one.)
    scales = [x.scale * float(scale) / y.scale for scale in weights.scales]
    largest = np.abs(bias) + 255 * np.abs(table).sum(axis=1)
    if len(scales) == 1:
        lowest, highest = lowest.min(keepdims=True), highest.max(keepdims=True)
    minimum, maximum = int8_range(operator.activation, y)
    steps = minimum - y.zero_point, maximum - y.zero_point
    try:
        if max(largest.max(), (largest * np.array(scales)).max()) >= 2**31 - 256:
            raise OverflowError("LiteRT adds and rounds in 32 bits")
        reach = zip(scales, lowest.tolist(), highest.tolist(), strict=True)
        pairs = [exact_multiplier(scale, (low, high), steps) for scale, low, high in reach]
    except OverflowError as limit:
        raise Refusal(
            f"the sums of FULLY_CONNECTED {name_of(y)} do not fit: {limit}.",
            f"They reach {largest.max():,}, times {max(scales):g}.",
            "Make the layer smaller, train it again with smaller weights and biases, or convert "
            "anew: the scales do not go together.",
        ) from None
    multipliers, shifts = zip(*pairs, strict=True)
    fields = {"small_shifts": int(min(shifts) < LEAST_SHIFT), "per_channel": int(len(pairs) > 1)}
    fields |= {"output_zero_point": y.zero_point, "minimum": minimum, "maximum": maximum}
    multiplier, shift = np.array(multipliers, np.int32), np.array(shifts, np.uint8)
    return fields, {"multiplier": fill(multiplier, WORD), "shift": fill(shift, WORD)}


def fill(array: Array, multiple: int) -> Array:
    """The array with its last element repeated, up to a multiple of so many."""
    return np.pad(array, (0, -len(array) % multiple), "edge")


def pack(table: Array, block: int) -> dict[str, Array]:
    """The weights as dense.h lays them out, in blocks of so many rows, and the products of
    neighbors in every second row. `table` is (outputs, inputs). Blocks of 8 are those of
    dense_data.h."""
    rows, columns = (
        -(-size // of) * of for size, of in zip(table.shape, (block, WORD), strict=True)
    )
    stored = np.zeros((rows, columns), np.int64)
    stored[: len(table), : table.shape[1]] = table
    stored[1::2] += 128
    if block == 8:
        stored = stored.reshape(rows, -1, 2, 2).swapaxes(2, 3).reshape(rows, columns)
    # block, two rows, even or odd row; group, columns 0 and 1 or 2 and 3, even or odd column
    apart = stored.reshape(rows // block, block // 2, 2, columns // WORD, 2, 2)
    packed = apart.transpose(0, 3, 5, 1, 4, 2)[..., ::-1].astype(np.uint8).view(np.int8)
    products = (stored[1::2, 0::2] * stored[1::2, 1::2]).sum(axis=1)
    products = products[: -(-len(table) // WORD) * 2].astype(np.int32)
    return {"weights": packed, "pairs": products}


def _groups_at_once(operator: Operator, table: Array, zero_point: int) -> int:
    """All groups of four columns where no input, nor a part of it, takes the sum of an even row out
    of 24 bits; else a number of groups that never does. A multiple of 16."""
    lowest, highest = INT8[0] - zero_point, INT8[1] - zero_point
    least = np.minimum(lowest * table[::2], highest * table[::2]).sum(axis=1).min()
    greatest = np.maximum(lowest * table[::2], highest * table[::2]).sum(axis=1).max()
    if least >= -(2**23) and greatest < 2**23:
        return -(-int(table.shape[1]) // WORD // TURN) * TURN
    if table.shape[1] > LONGEST_ROW:
        raise Refusal(
            f"FULLY_CONNECTED {name_of(operator.outputs[0])} sums up {table.shape[1]:,} inputs.",
            f"With weights as large as these the kernel takes {LONGEST_ROW:,}.",
            "Make the layer smaller: a pooling before it is the usual way.",
        )
    return TURN
