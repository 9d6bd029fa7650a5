"""Random convolutions whose weights are of few bits."""

import numpy as np

from kit.model import IntegerLayer
from kit.model.integers import PACKINGS

BITS = {"int4": 4, "int2": 2, "ternary": 8 / 5, "binary": 1, "clustered": 4}


def weights(generator, packing, shape):
    """Random ones that may lie in flash so."""
    values = sorted(PACKINGS[packing])
    if packing == "clustered":
        values = generator.choice(values, generator.integers(1, 17), replace=False)
    return generator.choice(values, shape).astype(np.int8)


def convolution(generator, packing, shape, spread=1.0, **options):
    """A layer whose outputs are spread over int8; its channels' scales `spread` apart."""
    table = weights(generator, packing, shape)
    scales = 50 / np.sqrt((table.astype(float) ** 2).sum(axis=(1, 2, 3)) + 1) / 74
    scales *= np.geomspace(1, spread, len(table))
    bias = generator.integers(-300, 300, len(table))
    return IntegerLayer("CONV_2D", "", table, scales, bias, packing, **options)
