"""A Keras network as integer layers computes what Keras computes, but for rounding to 8 bits."""

import numpy as np
import pytest

from kit.errors import KitError
from kit.model import Reference, read_model, save_integers, to_integers
from kit.silence import tensorflow


@pytest.fixture(scope="module")
def keras():
    return tensorflow().keras


def in_int8(layer):
    kernel = np.asarray(layer.kernel)
    scales = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))) / 127
    return np.round(kernel / scales), scales, "int8"


def differences(keras, tmp_path, layers, seed=1):
    """The network's outputs by Keras less those of its integers, in steps of the output's scale."""
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    network = keras.Sequential([keras.Input((12, 10, 1)), *layers])
    for layer in network.layers:  # as after a training, and some channels turned round
        if isinstance(layer, keras.layers.BatchNormalization):
            own = {"gamma": random.normal(0, 1, 8), "beta": random.normal(0, 0.3, 8)}
            own |= {"moving_mean": random.normal(0, 0.2, 8)}
            own |= {"moving_variance": random.uniform(0.1, 1, 8)}
            layer.set_weights([own[of.name][: of.shape[0]] for of in layer.weights])
    pixels = random.integers(0, 256, (200, 12, 10, 1), np.uint8)
    path = tmp_path / "a.npz"
    made = to_integers(network, in_int8, pixels / np.float32(255))
    save_integers(path, made, (12, 10, 1))
    output = read_model(path).output
    integers = Reference(path).run((pixels.astype(int) - 128).astype(np.int8)).astype(float)
    real = np.asarray(network(pixels / np.float32(255), training=False))
    return (integers - output.zero_point) - real / output.scale, made


def test_convolutions_with_normalization_are_folded(keras, tmp_path):
    of = keras.layers
    layers = [
        of.Conv2D(8, 3, strides=2, padding="same", use_bias=False),
        of.BatchNormalization(),
        of.ReLU(),
        of.Conv2D(6, (3, 2), activation="relu"),
        of.MaxPooling2D(),
        of.Conv2D(5, 1),
        of.BatchNormalization(scale=False),
        of.GlobalAveragePooling2D(),
        of.Dense(4),
    ]
    steps, made = differences(keras, tmp_path, layers)
    kinds = ["CONV_2D", "CONV_2D", "MAX_POOL_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED"]
    assert [layer.operator for layer in made] == kinds
    assert [layer.activation for layer in made[:2]] == ["RELU", "RELU"]
    assert np.abs(steps).max() < 8 and np.abs(steps).mean() < 2


def test_dense_layers_and_softmax(keras, tmp_path):
    of = keras.layers
    layers = [of.Flatten(), of.Dense(16, "relu"), of.Dropout(0.5), of.Dense(5, "softmax")]
    steps, made = differences(keras, tmp_path, layers)
    assert [layer.operator for layer in made] == [*["FULLY_CONNECTED"] * 2, "SOFTMAX"]
    assert np.abs(steps).max() < 6


def test_a_softmax_of_its_own(keras, tmp_path):
    of = keras.layers
    one, _ = differences(keras, tmp_path, [of.Flatten(), of.Dense(5), of.Softmax()])
    other, _ = differences(keras, tmp_path, [of.Flatten(), of.Dense(5, "softmax")])
    assert np.abs(one - other).max() <= 1


def test_what_has_no_integer_layer_is_named(keras):
    network = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.LeakyReLU(name="leaky")])
    with pytest.raises(KitError, match="The layer 'leaky', LeakyReLU, has no integer layer"):
        to_integers(network, in_int8, np.zeros((1, 4, 4, 1)))
