"""Weights of fewer than 8 bits as bytes: what firmware/README.md tells of them, with examples.

A weight is step * code - offset, with codes from 0 up. So sums of weights times inputs are those of
codes times inputs, and for all outputs alike so often the sum of the inputs.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from kit.model.integers import CLUSTERS

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]
BITS = {"int4": 4, "int2": 2, "binary": 1, "clustered": 4}
CODES = {"int4": (1, 8), "int2": (2, 3), "binary": (2, 1), "ternary": (1, 1)}
"""Step and offset of each packing whose weights have codes."""
DIGITS = {2: 8, 3: 5, 4: 4, 16: 2}  # in a byte, by how many values one has: 3^5 is 243
TWENTY = 20  # in a word: 3^20 is just below 2^32
LONGEST_GAP = 255


def codes(weights: Array, packing: str) -> tuple[Bytes, int, int]:
    """The codes of weights, in their shape; and the step and the offset that make weights of them:
    weight = step * code - offset."""
    step, offset = CODES[packing]
    return ((weights.astype(np.int64) + offset) // step).astype(np.uint8), step, offset


def clusters(weights: Array) -> tuple[Bytes, npt.NDArray[np.int8]]:
    """The numbers of weights, in their shape, and the 16 weights in the order of their numbers."""
    values, numbers = np.unique(weights, return_inverse=True)
    table = np.pad(values, (0, CLUSTERS - len(values))).astype(np.int8)
    return numbers.reshape(weights.shape).astype(np.uint8), table


def pack_bits(table: Bytes, bits: int, align: int = 4) -> Bytes:
    """Codes of so many bits (1, 2, 4 or 8), (rows, columns), as bytes, (rows, bytes): code i of a
    row is at bit bits * i, counted from the lowest bit of the first byte. Rows are filled with
    codes of 0 up to a multiple of `align` bytes."""
    each = 8 // bits
    apart = _filled(table, each * align).reshape(len(table), -1, each)
    made: Bytes = (apart << np.arange(0, 8, bits, dtype=np.uint8)).sum(axis=2, dtype=np.uint8)
    return made


def pack_four_rows(table: Bytes) -> tuple[Bytes, npt.NDArray[np.int32]]:
    """Codes of 4 bits, (rows, columns), as halfwords of four rows' each; and what the fast path
    has too much: for each four rows the sums of products of neighbors, of their upper bytes and of
    the lower codes in these. firmware/nn/dense_packed.h tells the order."""
    rows, columns = (-(-size // of) * of for size, of in zip(table.shape, (4, 8), strict=True))
    filled = np.zeros((rows, columns), np.int64)
    filled[: len(table), : table.shape[1]] = table
    filled[3::4] ^= 8
    blocks = filled.reshape(-1, 4, columns)
    halfwords = np.einsum("brc,r->bc", blocks, 16 ** np.arange(4)).astype(np.uint16)
    ordered = halfwords.reshape(-1, 2, 2).swapaxes(1, 2)
    upper = halfwords.view(np.int16) >> 8, halfwords >> 8 & 0xF
    products = [(x[:, 0::2].astype(np.int64) * x[:, 1::2]).sum(axis=1) for x in upper]
    packed = np.ascontiguousarray(ordered.astype("<u2")).view(np.uint8)
    return packed, np.stack(products, axis=1).astype(np.int32)


def pack_twenties(table: Bytes) -> Bytes:
    """Codes of 0, 1 and 2, (rows, columns), as words of 20 digits each, (words of a row, rows
    filled up to fours, 4 bytes): as `pack_digits`, N * 2^32 / 3^20, rounded up."""
    filled = np.pad(_filled(table, TWENTY), ((0, -len(table) % 4), (0, 0)))
    apart = filled.reshape(len(filled), -1, TWENTY).astype(object)
    numbers = apart @ [3**i for i in reversed(range(TWENTY))]
    words = np.array(-(-numbers * 2**32 // 3**TWENTY), "<u4")
    return np.ascontiguousarray(words.T).view(np.uint8)


def pack_ternary(table: Bytes, align: int = 4) -> Bytes:
    """Codes of 0, 1 and 2, (rows, columns), as bytes of five codes each, (rows, bytes)."""
    return pack_digits(table, 3, align)


def pack_digits(table: Bytes, base: int, align: int) -> Bytes:
    """Codes below `base`, (rows, columns), as bytes, (rows, bytes), of so many as `DIGITS` says.

    As the digits of a number N, the first the highest, they are the byte N * 256 / base^digits,
    rounded up. Base times it is the first digit times 256 and a rest; base times that rest the
    second; and so on.
    """
    digits = DIGITS[base]
    apart = _filled(table, digits * align).reshape(len(table), -1, digits)
    numbers = apart.astype(np.int64) @ base ** np.arange(digits)[::-1]
    made: Bytes = (-(-numbers * 256 // base**digits)).astype(np.uint8)
    return made


def pack_sparse(table: Array) -> Bytes:
    """The weights that are not 0 of (rows, columns): of each row how many entries it has, in two
    bytes, the lower first; and its entries of two bytes: how many columns are left out before the
    weight, and the weight. A longer gap than 255 takes entries of 255 and the weight 0."""
    return np.concatenate([_sparse_row(row) for row in table.astype(np.int8)])


def _sparse_row(row: npt.NDArray[np.int8]) -> Bytes:
    entries: list[tuple[int, int]] = []
    gap = 0
    for weight in np.trim_zeros(row, "b").tolist():
        if weight or gap == LONGEST_GAP:
            entries.append((gap, weight & 0xFF))
            gap = -1
        gap += 1
    count = np.array([len(entries)], "<u2").view(np.uint8)
    return np.concatenate([count, np.array(entries, np.uint8).ravel()])


def _filled(table: Bytes, multiple: int) -> Bytes:
    """The table with columns of 0 up to a multiple of so many."""
    return np.pad(table, ((0, 0), (0, -table.shape[1] % multiple)))
