"""Dense networks whose weights are packed, for tests: random ones as integer networks (.npz)."""

from itertools import pairwise

import numpy as np

from kit.model import IntegerLayer, save_integers
from kit.model.integers import PACKINGS

FEW_BITS = [name for name in PACKINGS if name != "int8"]


def random_weights(packing, shape, generator):
    """Of all values that a packing has; nine of ten sparse ones are 0."""
    values = sorted(PACKINGS[packing])
    if packing == "clustered":
        values = generator.choice(values, generator.integers(1, 17), replace=False)
    made = generator.choice(values, shape).astype(np.int8)
    if packing == "sparse":
        made[generator.random(shape) < 0.9] = 0
    return made


def dense_layers(packing, sizes, generator, scale, zero_points):
    """Layers from each size to the next, whose outputs take most of int8."""
    layers = []
    for (inputs, outputs), zero in zip(pairwise(sizes), zero_points, strict=True):
        table = random_weights(packing, (outputs, inputs), generator)
        spread = max(1.0, float(np.sqrt((table.astype(float) ** 2).sum(axis=1).mean())))
        scales = generator.uniform(0.005, 0.015, outputs)
        bias = generator.integers(-500, 500, outputs)
        output = (scale * 0.01 * spread * 2, zero)
        made = IntegerLayer("FULLY_CONNECTED", "", table, scales, bias, packing, output=output)
        layers.append(made)
        scale = output[0]
    return layers


def packed_network(path, packing, sizes, seed=1, zero_points=(-128, 0)):
    """A random network; of 784 inputs an image. `zero_points` are those of the input and of every
    layer's output."""
    first, other = zero_points
    layers = dense_layers(packing, sizes, np.random.default_rng(seed), 1 / 255,
                          [other] * (len(sizes) - 1))  # fmt: skip
    shape = (28, 28) if sizes[0] == 784 else (sizes[0],)
    save_integers(path, layers, shape, (1 / 255, first))
    return path
