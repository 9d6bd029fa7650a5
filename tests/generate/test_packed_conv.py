"""Convolutions whose weights are of few bits: LiteRT's values, and the flash that was promised."""

import numpy as np
import pytest
from depth import first, many
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from packed_layers import BITS, convolution

from kit.checks.validate import random_inputs
from kit.compile import HostNetwork
from kit.errors import KitError
from kit.generate import GOALS, generate_network
from kit.generate.operators.conv_2d import SMALL
from kit.model import IntegerLayer, Reference, save_integers

PROJECT = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True, scope="module")
def no_trial():
    """A model need not be tried in a process of its own first: LiteRT runs it here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kit.model.reference._try_out", lambda *_: None)
        yield


def check(path, folder, goal, count=3):
    """The C on this computer gives what LiteRT gives; the generated network."""
    network, inputs = generate_network(path, folder, optimize=goal), random_inputs(path, count)
    np.testing.assert_array_equal(HostNetwork(network).run(inputs), Reference(path).run(inputs))
    return network


side = st.integers(1, 3)


@settings(PROJECT, max_examples=many(25, 120))
@given(data=st.data())
def test_a_convolution_is_exact(tmp_path, data):
    """Every output to the last bit: any window, stride, padding and packing, for every goal, alone
    and with a pooling behind it; with scales so far apart, too, that channels need other factors.
    """
    draw, generator = data.draw, np.random.default_rng(data.draw(st.integers(0, 2**32)))
    image = draw(st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from((1, 2, 3, 4, 8))))
    kernel = draw(st.sampled_from(((1, 1), (3, 3), (2, 3), (5, 5), (3, 1))))
    filters = (draw(st.integers(1, 9)), *kernel, image[2])
    packing, pooled = draw(st.sampled_from(sorted(BITS))), draw(st.booleans())
    output = draw(st.sampled_from(((1.0, 0), (1.0, -128), (0.3, 7))))
    layer = convolution(
        generator, packing, filters, draw(st.sampled_from((1.0, 1.0, 300.0))),
        activation=draw(st.sampled_from(("NONE", "RELU"))), output=output,
        strides=draw(st.tuples(side, side)), padding=draw(st.sampled_from(("SAME", "VALID"))),
    )  # fmt: skip
    layers = [layer, IntegerLayer("MAX_POOL_2D")] if pooled else [layer]
    path = tmp_path / "conv.npz"
    try:
        save_integers(path, layers, image, (1.0, draw(st.integers(-128, 127))))
    except KitError:
        reject()  # the window is larger than the image
    check(path, tmp_path / "c", draw(st.sampled_from(GOALS)))


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("packing", BITS)
@pytest.mark.parametrize("taps", first(1, [9, 10, 25, 72]))
def test_weights_take_the_bits_they_have(tmp_path, packing, goal, taps):
    """Beside them lie the values of the codes; rows of some kernels are filled up by up to three
    weights, and then there is a word that is not full."""
    generator, channels = np.random.default_rng(1), 8
    shape = {9: (3, 3, 1), 10: (1, 1, 10), 25: (5, 5, 1), 72: (3, 3, 8)}[taps]
    layer = convolution(generator, packing, (channels, *shape), output=(1.0, 0))
    path = tmp_path / "conv.npz"
    save_integers(path, [layer], (8, 8, shape[2]), (1.0, 0))
    network = check(path, tmp_path / "c", goal)
    values = 3 if packing == "ternary" else 2 ** BITS[packing]
    rest = 4 * 4 * channels + values * (1 if goal == "flash" else 2)
    packed, bits = network.weights_bytes - rest, BITS[packing] * channels
    filled = {9: 10, 25: 28}.get(taps, taps)
    if goal == "flash":
        filled = -(-taps // 5) * 5 if packing == "ternary" else taps
    assert bits * taps / 8 <= packed <= bits * filled / 8 + 4


def test_a_pooling_behind_is_in_the_same_call(tmp_path):
    """As of bytes; and one call unpacks the weights before it."""
    generator, path = np.random.default_rng(1), tmp_path / "conv.npz"
    layer = convolution(generator, "int4", (6, 3, 3, 4), output=(1.0, 0))
    save_integers(path, [layer, IntegerLayer("MAX_POOL_2D")], (9, 9, 4), (1.0, 0))
    for goal, kernel in (("time", "nn_conv_2d_four_int8"), ("flash", "nn_conv_2d_small_bits")):
        made = check(path, tmp_path / goal, goal)
        text = (made.folder / "network.c").read_text()
        assert [layer.operator for layer in made.layers] == ["CONV_2D + MAX_POOL_2D"]
        assert text.count(f"    {kernel}(&layer_0, input") == 1
        assert text.count("    nn_unpack_bits(&packed_0, weights_0);") == (goal == "time")


@pytest.mark.parametrize("case", ["too large", "other factors"])
def test_what_is_not_unpacked_at_once_is_so_a_filter_at_a_time(tmp_path, case):
    """Weights of more RAM than they may take, and channels of different powers of two."""
    generator, path, large = np.random.default_rng(1), tmp_path / "conv.npz", case == "too large"
    shape, spread = ((64, 3, 3, 64), 1.0) if large else ((8, 3, 3, 4), 1e3)
    layer = convolution(generator, "ternary", shape, spread, output=(1.0, 0))
    save_integers(path, [layer], (4, 4, shape[3]), (1.0, 0))
    text = (check(path, tmp_path / "c", "time", 2).folder / "network.c").read_text()
    assert f"{SMALL[2]}(&layer_0" in text and "nn_unpack" not in text


def test_sparse_weights_are_refused(tmp_path):
    """In words, with what to do."""
    layer = convolution(np.random.default_rng(1), "sparse", (4, 3, 3, 2), output=(1.0, 0))
    save_integers(tmp_path / "conv.npz", [layer], (8, 8, 2), (1.0, 0))
    with pytest.raises(KitError, match="are sparse") as said:
        generate_network(tmp_path / "conv.npz", tmp_path / "c")
    assert "another packing" in said.value.next_step
