"""The four reference networks of MLPerf Tiny, built in Keras with random weights, in int8.

Source of the architectures: "MLPerf Tiny Benchmark", Banbury et al., 2021, and its reference
submissions. Weights are random: what is tested is that each is computed exactly, whatever it says.
"""

from pathlib import Path

import numpy as np
from networks import convert

from kit.silence import tensorflow


def anomaly_detection(layers):
    """A dense autoencoder of 640 numbers."""
    for units in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        yield layers.Dense(units, use_bias=True)
        yield layers.BatchNormalization(momentum=0)
        yield layers.ReLU()
    yield layers.Dense(640)


def block(layers, filters, size, strides=1, depthwise=False):
    """A convolution with what stands behind each of them."""
    kind = layers.DepthwiseConv2D if depthwise else layers.Conv2D
    sizes = [size] if depthwise else [filters, size]
    return [
        kind(*sizes, strides=strides, padding="same"),
        layers.BatchNormalization(momentum=0),
        layers.ReLU(),
    ]


def keyword_spotting(layers):
    """DS-CNN: a convolution, then four separable ones, over 49 spectra of 10 numbers."""
    yield from block(layers, 64, (10, 4), 2)
    for _ in range(4):
        yield from block(layers, 64, 3, depthwise=True)
        yield from block(layers, 64, 1)
    yield layers.AveragePooling2D((25, 5))
    yield layers.Flatten()
    yield layers.Dense(12, "softmax")


def visual_wake_words(layers):
    """MobileNetV1 with a quarter of its channels, over 96 x 96 pixels in colors."""
    yield from block(layers, 8, 3, 2)
    channels = (16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256)
    for number, filters in enumerate(channels):
        yield from block(layers, 0, 3, 2 if number in (1, 3, 5, 11) else 1, depthwise=True)
        yield from block(layers, filters, 1)
    yield layers.AveragePooling2D(3)
    yield layers.Flatten()
    yield layers.Dense(2, "softmax")


def image_classification(layers, x):
    """ResNet-8 over 32 x 32 pixels in colors: three blocks, each around a shortcut."""
    for layer in block(layers, 16, 3):
        x = layer(x)
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        y = x
        for layer in [*block(layers, filters, 3, strides), *block(layers, filters, 3)[:2]]:
            y = layer(y)
        if strides > 1:
            x = layers.Conv2D(filters, 1, strides=strides, padding="same")(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return layers.Dense(10, "softmax")(x)


NETWORKS = {  # the shape of an input; its layers, one after another, or as a graph
    anomaly_detection: (640,),
    keyword_spotting: (49, 10, 1),
    image_classification: (32, 32, 3),
    visual_wake_words: (96, 96, 3),
}


def make_mlperf(network, path: Path) -> Path:
    """Write one of `NETWORKS` as a .tflite file in int8."""
    tf, shape = tensorflow(), NETWORKS[network]
    tf.keras.utils.set_random_seed(1)
    x = inputs = tf.keras.Input(shape)
    if network is image_classification:
        x = network(tf.keras.layers, x)
    else:
        for layer in network(tf.keras.layers):
            x = layer(x)
    model, samples = tf.keras.Model(inputs, x), np.random.default_rng(1).random((30, 1, *shape))
    model(samples[:, 0], training=True)  # the normalizations learn what comes: values stay spread
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    return convert(converter, samples.astype(np.float32), path)
