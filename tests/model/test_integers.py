"""Integer networks (.npz): what is written is read again, and LiteRT takes it; what cannot be one
is refused in words, and nothing is left behind."""

import json
from dataclasses import replace

import numpy as np
import pytest

from kit.errors import KitError
from kit.generate import generate_network
from kit.model import IntegerLayer, Reference, read_model, save_integers
from kit.model.integers import PACKINGS
from kit.provenance import file_digest


def weights(packing, shape, seed=1):
    """Random ones that lie in flash so; of clusters at most 16 different ones."""
    generator = np.random.default_rng(seed)
    values = sorted(PACKINGS[packing])
    if packing == "clustered":
        values = generator.choice(values, 16, replace=False)
    return generator.choice(values, shape).astype(np.int8)


def layers(packing="int4"):
    """A convolution, pooling, a mean over the image, a dense layer and softmax."""
    ones = np.full(6, 0.01), np.arange(6)
    dense = np.full(3, 0.1), np.array([5, -5, 0])
    return [
        IntegerLayer("CONV_2D", "first", weights(packing, (6, 3, 3, 2)), *ones, packing, "RELU",
                     (2, 1), "SAME", output=(0.05, -128)),
        IntegerLayer("MAX_POOL_2D"),
        IntegerLayer("MEAN"),
        IntegerLayer("FULLY_CONNECTED", "last", weights(packing, (3, 6)), *dense, packing,
                     output=(0.1, 3)),
        IntegerLayer("SOFTMAX", output=(1 / 256, -128)),
    ]  # fmt: skip


def saved(path, *changed, **options):
    save_integers(path, changed or layers(), **({"shape": (9, 8, 2)} | options))
    return path


@pytest.mark.parametrize("packing", PACKINGS)
def test_what_is_saved_is_read_again(tmp_path, packing):
    made = layers(packing)
    model = read_model(saved(tmp_path / "a.npz", *made))
    assert [op.name for op in model.operators] == [layer.operator for layer in made]
    for operator, layer in zip(model.operators, made, strict=True):
        if layer.weights is None:
            continue
        stored, bias = operator.inputs[1:]
        assert np.array_equal(stored.data, layer.weights) and stored.packing == packing
        assert np.array_equal(bias.data, layer.bias)
        assert np.allclose(stored.scales, layer.scales)
    shapes = [op.outputs[0].shape for op in model.operators]
    assert shapes == [(1, 5, 8, 6), (1, 2, 4, 6), (1, 6), (1, 3), (1, 3)]
    assert (model.input.shape, model.input.zero_point) == ((1, 9, 8, 2), -128)


def test_litert_computes_it_as_the_integers_say(tmp_path):
    """By hand, in doubles: one dense layer, rounded halves away from zero."""
    table, generator = weights("ternary", (4, 18)), np.random.default_rng(2)
    bias, scales = generator.integers(-50, 50, 4), generator.uniform(0.01, 0.1, 4)
    layer = IntegerLayer("FULLY_CONNECTED", "", table, scales, bias, "ternary", output=(0.2, -7))
    path = saved(tmp_path / "a.npz", layer, shape=(18,), quantization=(0.5, 3))
    x = generator.integers(-128, 128, (50, 18)).astype(np.int8)
    sums = (x.astype(int) - 3) @ table.T.astype(int) + bias
    real = sums * (0.5 * np.float32(scales).astype(float) / np.float32(0.2))
    y = np.trunc(real + np.copysign(0.5, real)) - 7
    assert np.array_equal(Reference(path).run(x), np.clip(y, -128, 127))


def test_the_same_network_is_the_same_file(tmp_path):
    """What is made from it is known by its digest."""
    assert file_digest(saved(tmp_path / "a.npz")) == file_digest(saved(tmp_path / "b.npz"))


def test_it_becomes_c(tmp_path):
    made = generate_network(saved(tmp_path / "a.npz"), tmp_path / "c", input_range=(0, 1))
    assert made.model == "a.npz" and made.macs > 0


first = layers()[0]
WRONG = {
    "not of these values": (replace(first, weights=first.weights * 2), "are not int4"),
    "more than 16 clusters": (
        replace(first, packing="clustered", weights=np.arange(108).reshape(6, 3, 3, 2)),
        "not clustered: 108 different",
    ),
    "not whole": (replace(first, weights=first.weights * 0.5), "do not fit int8"),
    "too large": (replace(first, bias=np.full(6, 2**40)), "do not fit int32"),
    "text": (replace(first, scales=np.array(["a"] * 6)), "scales are <U1"),
    "other shapes": (replace(first, bias=np.zeros(5)), "do not belong together"),
    "no weights": (replace(first, weights=None), "no part '0.weights'"),
    "no such packing": (replace(first, packing="int3"), "no part 'int3'"),
    "no such operator": (replace(first, operator="LSTM"), "none of CONV_2D"),
    "no such activation": (replace(first, activation="TANH"), "the activation TANH"),
    "no steps": (replace(first, strides=(0, 1)), "below 1"),
    "no image": (layers()[0], "or no image", (18,)),
    "nothing comes out": (
        replace(first, padding="VALID"),
        "window of CONV_2D, 3 x 3, is larger",
        (9, 2, 2),
    ),
    "nothing is pooled": (IntegerLayer("MAX_POOL_2D"), "window of MAX_POOL_2D, 2 x 2", (1, 8, 2)),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_is_refused_and_not_written(tmp_path, name):
    layer, words, *shape = WRONG[name]
    path = tmp_path / "a.npz"
    with pytest.raises(KitError, match=words) as caught:
        saved(path, layer, shape=shape[0] if shape else (9, 8, 2))
    assert "a.npz is not a usable integer network" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def damaged(path, **changed):
    """The file with some parts left out (None) or others."""
    with np.load(saved(path)) as file:
        parts = {name: file[name] for name in file.files} | changed
    np.savez(path, **{name: part for name, part in parts.items() if part is not None})
    return path


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"0.bias": None}, "no part '0.bias'"),
        ({"network": None}, "no part 'network'"),
        ({"network": np.array("{")}, "Expecting"),
        ({"network": np.array(json.dumps({"format": "other"}))}, "the kit reads"),
        ({"0.weights": np.zeros((6, 3, 3, 2), object)}, "pickle"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, changed, words):
    with pytest.raises(KitError, match=words):
        read_model(damaged(tmp_path / "a.npz", **changed))


@pytest.mark.parametrize("content", [b"", b"PK", b"\0" * 100])
def test_what_is_no_such_file_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(KitError, match="not a usable integer network"):
        read_model(path)
