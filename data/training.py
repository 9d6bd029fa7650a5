"""What train_cnn.py and train_tiny.py share: images, their variations, training, int8, accuracy."""

import argparse
import os
import time
from pathlib import Path

import numpy as np

from kit.digits import load_mnist, vary
from kit.model import Reference, pixels_to_input, read_model
from kit.paths import DATA, build_folder
from kit.silence import quiet

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # trains twice as fast
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
with quiet():
    import tensorflow as tf

HELD_OUT = 5000
"""The last training images: a network and its seed are chosen on them, never on the test set."""
BATCH = 128


def split():
    """`(images, labels), (images, labels)`: 55,000 to train on and the 5,000 held out, uint8."""
    (x, y), _ = load_mnist()
    return (x[:-HELD_OUT], y[:-HELD_OUT]), (x[-HELD_OUT:], y[-HELD_OUT:])


def train(network, images, labels, epochs, seed, rate, **variation):
    """Trains with Adam, the learning rate falling from `rate` to 0 as half a cosine, on images
    that are varied anew in each epoch."""
    schedule = tf.keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(images) // BATCH))
    has_softmax = network.layers[-1].activation is tf.keras.activations.softmax
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=not has_softmax)
    network.compile(tf.keras.optimizers.Adam(schedule), loss, jit_compile=False)
    random = np.random.default_rng(seed)
    for epoch in range(epochs):
        network.fit(vary(images, random, **variation), labels, batch_size=BATCH, verbose=0)
        print(f"epoch {epoch + 1} of {epochs}", flush=True)


def to_int8(network, path):
    """Converts a network as notebook 02-quantize does."""
    (x_train, _), _ = load_mnist()

    def representative_dataset():
        for image in x_train[:500]:
            yield [(image[np.newaxis] / 255).astype(np.float32)]

    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_dataset
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    with quiet():
        path.write_bytes(converter.convert())


def accuracy(network, path, images, labels):
    """How many of 1 it reads right in float32, and in integers, the file `path`, by the reference
    kernels."""
    return right_in_float(network, images, labels), right_in_integers(path, images, labels)


def right_in_float(network, images, labels):
    """How many of 1 a network reads right as Keras has it."""
    shares = network.predict(images / 255, batch_size=500, verbose=0)
    return float(np.mean(shares.argmax(axis=1) == labels))


def right_in_integers(path, images, labels):
    """How many of 1 the network of a file reads right."""
    tensor = read_model(path).input
    inputs = pixels_to_input(images, tensor).reshape(-1, *tensor.shape[1:])
    return float(np.mean(Reference(path).run(inputs).argmax(axis=1) == labels))


def main(name, trained, epochs, seed):
    """The command line of both: trains `trained(images, labels, epochs, seed)` and saves it, and
    what the converter makes of it in int8."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--images", type=int, default=None, help="fewer, for a quick look")
    parser.add_argument("--test", action="store_true", help="read the test set as well")
    parser.add_argument("--kept", action="store_true", help="do not train: take what is in data/")
    parser.add_argument("--out", type=Path, default=build_folder() / f"{name}.keras")
    chosen = parser.parse_args()
    (images, labels), held_out = split()
    start = time.monotonic()
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    if chosen.kept:
        network = tf.keras.models.load_model(DATA / f"{name}.keras")
    else:
        few = images[: chosen.images], labels[: chosen.images]
        network = trained(*few, chosen.epochs, chosen.seed)
        # A network that was never compiled has no optimizer, whose memory is twice the weights.
        tf.keras.Sequential([tf.keras.Input((28, 28)), *network.layers]).save(chosen.out)
    print(f"{network.count_params():,} parameters, {time.monotonic() - start:.0f} s")
    path = chosen.out.with_name(f"{chosen.out.stem}_int8.tflite")
    to_int8(network, path)
    print(f"{path}: {path.stat().st_size:,} bytes")
    sets = {"held out": held_out} | ({"test": load_mnist()[1]} if chosen.test else {})
    for which, (images, labels) in sets.items():
        floats, integers = accuracy(network, path, images, labels)
        print(f"{which}: {floats:.2%} in float32, {integers:.2%} in int8")
