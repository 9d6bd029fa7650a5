"""Notebook 06-fewer-bits and data/few_bits: rounding while training, what was kept of it, and that
the small networks are as small and as good as is said."""

import json
import subprocess
import sys

import numpy as np
import pytest

from kit.checks import compare_models
from kit.checks.validate import mnist_inputs
from kit.digits import load_mnist
from kit.lesson.outputs import read_notebook
from kit.model import Reference, save_integers, to_integers
from kit.model.integers import PACKINGS
from kit.paths import DATA, NOTEBOOKS, ROOT
from kit.silence import tensorflow

FEW_BITS = DATA / "few_bits"
SEEDS = json.loads((FEW_BITS / "seeds.json").read_text())
RECORDS = {
    "nano_int4": (0.975, 2_560),
    "mini_int4": (0.99, 4_096),
    "tiny_int8": (0.99, 4_096),
    "small_int2": (0.994, 10_240),
    "small_int4": (0.995, 16_384),
}
"""Of each: the accuracy that is asked for, and the bytes of flash that it may take."""
HERE = ("nano_int4", "mini_int4", "small_int2", "small_int4")  # trained by this notebook


@pytest.fixture(scope="module")
def names():
    """What the cells that train leave behind, with the kept weights in the networks."""
    found = {"network": tensorflow().keras.models.load_model(DATA / "digits_reference.keras")}
    for cell in read_notebook(NOTEBOOKS / "06-fewer-bits.ipynb").cells:
        if "training" in cell.metadata.get("tags", ()):
            exec(cell.source, found)
    return found


def networks(names):
    """The networks of the records."""
    return {
        "nano_int4": names["nano"],
        "mini_int4": names["mini"],
        "tiny_int8": names["with_few_bits"](names["tiny"], "int8"),
        "small_int2": names["smaller"],
        "small_int4": names["small"],
    }


def saved(network, folder):
    path = folder / "network.npz"
    some = load_mnist()[0][0][:500] / 255
    save_integers(path, to_integers(network, lambda layer: layer.integers(), some))
    return path


@pytest.mark.parametrize("packing", ["int8", "int4", "int2", "ternary", "binary", "sparse"])
def test_weights_are_rounded_forward_and_not_backward(names, packing):
    """Whole numbers that the packing has, the nearest ones; and a gradient as if nothing was."""
    tf = tensorflow()
    kernel = tf.Variable(np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32))
    whole, scale = map(np.asarray, names["quantize"](kernel, packing))
    assert set(np.unique(whole)) <= PACKINGS[packing]
    kept = whole != 0 if packing == "sparse" else np.full(whole.shape, True)
    assert kept.mean() == pytest.approx(0.2 if packing == "sparse" else 1, abs=0.02)
    grid = np.array([n for n in PACKINGS[packing] if abs(n) <= names["MOST"][packing]])
    nearest = abs(np.asarray(kernel)[..., np.newaxis] / scale[:, np.newaxis] - grid).min(axis=-1)
    assert np.allclose(abs(kernel / scale - whole)[kept], nearest[kept], atol=1e-4)
    with tf.GradientTape() as tape:
        rounded = names["fake_quantize"](kernel, packing)
        loss = tf.reduce_sum(rounded * tf.range(3, dtype=tf.float32))
    assert np.allclose(rounded, whole * scale, atol=1e-6)
    gradient = tape.gradient(loss, kernel)
    assert np.allclose(gradient, np.broadcast_to(np.arange(3), (40, 3)), atol=1e-6)


@pytest.mark.deep
def test_train_trains_what_trained_would_have_loaded(names):
    """The switch: with TRAIN the weights are learned, from few images here."""
    own, cells = dict(names), read_notebook(NOTEBOOKS / "06-fewer-bits.ipynb").cells
    exec(next(cell.source for cell in cells if "def trained(" in cell.source), own)
    own.update(TRAIN=True, x_train=names["x_train"][:2000], y_train=names["y_train"][:2000])
    network = names["with_few_bits"](names["network"], "binary")
    images, labels = names["x_test"][:1000] / 255, names["y_test"][:1000]

    def accuracy():
        return np.mean(network.predict(images, verbose=0).argmax(axis=1) == labels)

    before = accuracy()
    assert own["trained"]("nothing is kept of this", network, 2, 1e-3) is network
    assert accuracy() > before + 0.03


@pytest.mark.deep
@pytest.mark.parametrize("name", HERE)
def test_kept_networks_read_what_is_said_of_them(names, tmp_path, name):
    """To the last digit; the best on held-out images is kept."""
    path = saved(networks(names)[name], tmp_path)
    kept = max(SEEDS[name], key=lambda run: run["held_out"])
    read = Reference(path).run(mnist_inputs(path, 10_000)).argmax(axis=1)
    assert np.mean(read == load_mnist()[1][1]) == kept["test"]


def test_records_are_told_with_the_mean_of_five():
    seeds = {name: [run["seed"] for run in runs] for name, runs in SEEDS.items()}
    assert seeds == {name: [1, 2, 3, 4, 5] for name in RECORDS}


@pytest.mark.deep
@pytest.mark.parametrize("name", RECORDS)
def test_records_are_as_good_and_as_small(names, tmp_path, name):
    """Accuracy on the test set, and what a program takes that is nothing but the network; README.md
    has it, too."""
    accuracy, most = RECORDS[name]
    assert max(SEEDS[name], key=lambda run: run["held_out"])["test"] >= accuracy
    path = saved(networks(names)[name], tmp_path)
    (row,) = compare_models.compare(path, 50, 5, "virtual://records", optimize="flash").rows
    assert row.flash_bytes <= most
    told = f"| {name.replace('_', ' ')} | {row.flash_bytes:,} bytes | {row.ram_bytes:,} bytes |"
    assert told in (ROOT / "README.md").read_text(encoding="utf-8")
    assert (row.differ_here, row.differ_on_board, row.error) == (0, 0, "")


@pytest.mark.deep
def test_what_is_exported_is_what_was_simulated(names, tmp_path):
    """The ranges go with the network: of 10,000 answers a handful differ, those that were close."""
    tf = tensorflow()
    plain = names["with_ranges"](names["layers"].Dense, names["RANGES"])
    plain.set_weights(names["simulated"].get_weights())
    converter = tf.lite.TFLiteConverter.from_keras_model(plain)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    path = tmp_path / "exported.tflite"
    path.write_bytes(converter.convert())
    images = load_mnist()[1][0]
    shares = names["simulated"].predict(images / 255, batch_size=500, verbose=0)
    exported = Reference(path).run(mnist_inputs(path, len(images)))
    differ = shares.argmax(axis=1) != exported.argmax(axis=1)
    in_steps = (256 * shares).round() - 128
    assert differ.sum() <= 3 and np.mean(abs(in_steps.clip(-128, 127) - exported) > 1) < 0.01


@pytest.mark.deep
def test_a_name_that_the_notebook_does_not_train_is_refused(tmp_path):
    """Before anything is trained for minutes, or kept."""
    command = [sys.executable, "train_few_bits.py", "nothing", "--out", str(tmp_path / "kept")]
    ran = subprocess.run(command, cwd=ROOT / "data", capture_output=True, text=True)
    assert ran.returncode == 1 and "trains no nothing" in ran.stderr
    assert not list((tmp_path / "kept").iterdir())
