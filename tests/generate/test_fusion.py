"""kit.generate.fusion: two steps become one where nobody else reads what is between them."""

import numpy as np
import pytest
from networks import Tflite

from kit.checks.validate import random_inputs
from kit.compile import HostNetwork
from kit.generate import generate_network
from kit.model import Reference

BOTH = "CONV_2D + MAX_POOL_2D"


@pytest.mark.parametrize("also", ["", "output", "operator"])
def test_a_convolution_and_its_pooling_are_one_step(tmp_path, also):
    """No large tensor between them, unless somebody else reads it; either way the values are
    LiteRT's."""
    made = Tflite()
    generator = np.random.default_rng(3)
    x = made.tensor((1, 9, 9, 2), "int8", 0.1, 3)
    w = made.tensor((4, 3, 3, 2), "int8", 0.02, data=generator.integers(-127, 128, (4, 3, 3, 2)))
    b = made.tensor((4,), "int32", 0.002, data=[0, 100, -100, 3000])
    y = made.tensor((1, 9, 9, 4), "int8", 0.1, 5)
    z = made.tensor((1, 4, 4, 4), "int8", 0.1, 5)
    made.operator("CONV_2D", [x, w, b], [y], padding=0, strideH=1, strideW=1)
    sides = {"strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    made.operator("MAX_POOL_2D", [y], [z], padding=1, **sides, fusedActivationFunction=1)
    outputs = [z, y] if also == "output" else [z]
    if also == "operator":
        outputs.append(made.tensor((1, 9, 9, 4), "int8", 0.1, 5))
        made.operator("RELU", [y], outputs[1:])
    path = made.write(tmp_path / "two.tflite", [x], outputs)
    network, inputs = generate_network(path, tmp_path / "network"), random_inputs(path, 50)
    np.testing.assert_array_equal(HostNetwork(network).run(inputs), Reference(path).run(inputs))
    names = [layer.operator for layer in network.layers]
    assert names == (["CONV_2D", "MAX_POOL_2D", "RELU"][: len(names)] if also else [BOTH])
