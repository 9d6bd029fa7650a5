"""Dense layers with weights of fewer bits give what LiteRT gives of the same integers, and take the
flash that they promise."""

from itertools import product

import numpy as np
import pytest
from depth import first, many
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from networks import Tflite
from packed import FEW_BITS, packed_network, random_weights

from kit.checks.validate import random_inputs
from kit.compile import HostNetwork
from kit.errors import KitError
from kit.generate import GOALS, generate_network
from kit.generate.packing import (
    CODES,
    clusters,
    codes,
    pack_bits,
    pack_digits,
    pack_four_rows,
    pack_sparse,
    pack_twenties,
)
from kit.model import IntegerLayer, Reference, read_model, save_integers

shapes = st.lists(st.sampled_from((1, 2, 5, 8, 9, 19, 20, 21, 31, 32, 33, 64)), min_size=2,
                  max_size=4)  # fmt: skip
zeros = st.sampled_from((-128, -5, 0, 127))


@pytest.mark.parametrize("packing", first(3, FEW_BITS))
@settings(
    deadline=None,
    max_examples=many(1, 5),
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(shapes, st.integers(0, 2**16), st.tuples(zeros, zeros))
@example([1, 9, 31, 4], 1, (127, -128))
@example([33, 1, 2, 3], 2, (-128, 127))
@example([784, 5], 3, (-128, 0))
def test_a_network_is_litert_s_for_every_goal(tmp_path, packing, sizes, seed, zero_points):
    """One goal a network; each of them in the deep run."""
    path = packed_network(tmp_path / "a.npz", packing, sizes, seed, zero_points)
    inputs = random_inputs(path, 8)
    expected = Reference(path).run(inputs)
    for goal in GOALS if many(0, 1) else [GOALS[seed % len(GOALS)]]:
        made = generate_network(path, tmp_path / "network", optimize=goal)
        np.testing.assert_array_equal(HostNetwork(made).run(inputs), expected, goal)


def table_of(packed, base):
    """The codes of bytes as nn_dense_packed_small_int8 reads them."""
    rest, found = packed.astype(int), []
    for _ in range({2: 8, 3: 5, 4: 4, 16: 2}[base]):
        rest = (rest & 0xFF) * base
        found.append(rest >> 8)
    return np.stack(found, axis=-1).reshape(len(packed), -1)


@pytest.mark.parametrize(("base", "digits"), [(2, 8), (3, 5), (4, 4), (16, 2)])
def test_all_digits_of_a_byte_come_back(base, digits):
    every = np.array(list(product(range(base), repeat=digits)), np.uint8)
    packed = pack_digits(every, base, 1)
    assert np.array_equal(table_of(packed, base), every) and len(np.unique(packed)) == base**digits


def test_all_digits_of_a_word_come_back():
    """Four at once, as the fast path looks them up; also of the least and the largest number."""
    table = random_weights("ternary", (50, 20), np.random.default_rng(2)) + 1
    table[:2] = [[0], [2]]
    packed = pack_twenties(table.astype(np.uint8))
    assert packed.shape == (1, 52 * 4) and packed.nbytes == 52 * 4
    for word, row in zip(packed.view("<u4")[0].tolist(), table, strict=False):
        rest, found = word, []
        for _ in range(5):
            number, rest = divmod(rest * 81, 2**32)
            found += [number // 27, number // 9 % 3, number // 3 % 3, number % 3]
        assert found == row.tolist()


def test_four_rows_are_a_halfword():
    """Columns 0, 2, 1, 3; the fourth row has a sign, and neighbors' products are told."""
    table = np.arange(24, dtype=np.uint8).reshape(6, 4) % 16
    packed, pairs = pack_four_rows(table)
    words = packed.view("<u2").reshape(2, 8)
    assert words[0, :4].tolist() == [0x4840, 0x6A62, 0x5951, 0x7B73]
    assert words[0, 4] == 0x8000, "filled up with codes of 0"
    assert pairs[0].tolist() == [0x48 * 0x59 + 0x6A * 0x7B + 2 * 0x80**2, 8 * 9 + 10 * 11]
    assert words[1, 0] == 0x8040


@pytest.mark.parametrize("packing", [name for name in CODES if name != "ternary"])
def test_codes_lie_in_natural_order(packing):
    """From the lowest bit up; rows are filled to words."""
    table = random_weights(packing, (3, 37), np.random.default_rng(4))
    numbers, step, offset = codes(table, packing)
    bits = {"int4": 4, "int2": 2, "binary": 1}[packing]
    packed = pack_bits(numbers, bits)
    stream = [int.from_bytes(row.tobytes(), "little") for row in packed]
    found = [[value >> bits * i & 2**bits - 1 for i in range(37)] for value in stream]
    assert packed.shape[1] % 4 == 0
    assert np.array_equal(step * np.array(found) - offset, table)


def test_sparse_rows_come_back():
    """Also with gaps of 254 to 600, and empty rows."""
    table = np.zeros((6, 900), np.int8)
    for row, places in enumerate(([0, 255], [254], [255, 256, 899], [256], [], [600])):
        table[row, places] = -7
    packed, found, at = pack_sparse(table).tolist(), np.zeros_like(table), 0
    for row in found:
        count, place = packed[at] | packed[at + 1] << 8, 0
        for gap, weight in zip(
            packed[at + 2 :: 2][:count], packed[at + 3 :: 2][:count], strict=True
        ):
            row[place + gap] = np.uint8(weight).view(np.int8)
            place += gap + 1
        at += 2 + 2 * count
    assert at == len(packed) and np.array_equal(found, table)


def test_clusters_are_numbers_and_their_weights():
    numbers, values = clusters(np.array([[5, -100], [5, 7]], np.int8))
    assert numbers.tolist() == [[1, 0], [1, 2]] and values[:3].tolist() == [-100, 5, 7]


SHARES = {"int4": 1 / 2, "int2": 1 / 4, "binary": 1 / 8, "ternary": 1 / 5, "clustered": 1 / 2}


@pytest.mark.parametrize("goal", ["time", "flash"])
@pytest.mark.parametrize("packing", SHARES)
def test_weights_take_their_share_of_a_byte(tmp_path, packing, goal):
    """Beside them lie 4 bytes of bias, multiplier and shift for each output."""
    path = packed_network(tmp_path / "a.npz", packing, (784, 128))
    made = generate_network(path, tmp_path / "network", optimize=goal)
    assert made.weights_bytes - 9 * 128 <= (784 * SHARES[packing] + 4) * 128 + 16


def test_int4_of_a_tflite_goes_the_same_way(tmp_path):
    """The weights of an odd number of columns: two in a byte across the ends of rows."""
    made, generator = Tflite(), np.random.default_rng(3)
    table = generator.integers(-8, 8, (7, 21))
    x = made.tensor((1, 21), "int8", 0.1, -5)
    w = made.tensor(table.shape, "int8", [0.01] * 7, data=np.zeros(0))
    half = np.append(table.ravel(), 0).reshape(-1, 2) & 0xF
    raw = made.graph.tensors[w]
    raw.type = 17  # INT4
    made.model.buffers[raw.buffer].data = (half[:, 0] | half[:, 1] << 4).astype(np.uint8)
    y = made.tensor((1, 7), "int8", 0.05, 7)
    made.dense(x, w, y)
    path = made.write(tmp_path / "int4.tflite", [x], [y])
    assert read_model(path).operators[0].inputs[1].packing == "int4"
    inputs = random_inputs(path, 50)
    c = generate_network(path, tmp_path / "network")
    assert "nn_dense_packed_int4(" in (c.folder / "network.c").read_text()
    np.testing.assert_array_equal(HostNetwork(c).run(inputs), Reference(path).run(inputs))


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("inputs", [6, 7])
def test_several_rows(tmp_path, inputs, goal):
    """A dense layer of a sequence; int4 in a .tflite, as .npz has none."""
    made, generator = Tflite(), np.random.default_rng(5)
    table = generator.integers(-8, 8, (5, inputs))
    x = made.tensor((1, 3, inputs), "int8", 0.1, -5)
    w = made.tensor(table.shape, "int8", 0.01, data=np.zeros(0))
    half = np.pad(table.ravel(), (0, table.size % 2)).reshape(-1, 2) & 0xF
    raw = made.graph.tensors[w]
    raw.type = 17
    made.model.buffers[raw.buffer].data = (half[:, 0] | half[:, 1] << 4).astype(np.uint8)
    y = made.tensor((1, 3, 5), "int8", 0.05, 7)
    made.dense(x, w, y, keepNumDims=True)
    path = made.write(tmp_path / "rows.tflite", [x], [y])
    values = random_inputs(path, 20)
    c = generate_network(path, tmp_path / "network", optimize=goal)
    np.testing.assert_array_equal(HostNetwork(c).run(values), Reference(path).run(values))


def halves(path, rows, columns):
    """A dense layer with float16 weights, a subnormal number among them."""
    made, generator = Tflite(), np.random.default_rng(6)
    table = generator.normal(0, 1, (rows, columns)).astype(np.float16)
    table.flat[:3] = 6e-8, -65504, 3e-6
    x = made.tensor((1, columns), "float32")
    stored = made.tensor(table.shape, "float16", data=table)
    w = made.tensor(table.shape, "float32")
    y = made.tensor((1, rows), "float32")
    made.operator("DEQUANTIZE", [stored], [w])
    made.dense(x, w, y)
    return made.write(path, [x], [y]), table


@pytest.mark.parametrize("shape", [(1, 3), (4, 8), (9, 33)])
def test_float16_stays_in_flash_and_is_the_same_to_the_bit(tmp_path, shape):
    """Two bytes a weight; the sums are those of nn_dense_float32."""
    path, table = halves(tmp_path / "half.tflite", *shape)
    made = generate_network(path, tmp_path / "network")
    rows, columns = shape
    assert made.weights_bytes == 2 * rows * (columns + columns % 2) + 4 * rows
    x = np.random.default_rng(1).normal(0, 1, (20, columns)).astype(np.float32)
    y, sums = HostNetwork(made).run(x), np.zeros((20, rows), np.float32)
    for column in range(columns):
        sums += table[:, column].astype(np.float32) * x[:, column, None]
    np.testing.assert_array_equal(y, sums)
    np.testing.assert_allclose(y, Reference(path).run(x), rtol=1e-5, atol=1e-2)


def test_what_cannot_be_computed_is_refused(tmp_path):
    """In words: sums beyond 32 bits; packed weights of a layer that is not int8."""
    table, path = np.full((1, 40), 7, np.int8), tmp_path / "a.npz"
    bias = np.array([2**31 - 300])
    layer = IntegerLayer("FULLY_CONNECTED", "", table, np.ones(1), bias, "int4", output=(1e6, 0))
    save_integers(path, [layer], (40,))
    with pytest.raises(KitError, match="do not fit: LiteRT adds and rounds in 32 bits"):
        generate_network(path, tmp_path / "network")
    for packing in ("sparse", "int4"):
        table = random_weights(packing, (1, 70_000), np.random.default_rng(1))
        layer = IntegerLayer("FULLY_CONNECTED", "", table, np.ones(1), np.zeros(1), packing,
                             output=(10, 0))  # fmt: skip
        save_integers(path, [layer], (70_000,))
        with pytest.raises(KitError, match="takes 70,000 inputs") as refused:
            generate_network(path, tmp_path / "network")
        assert "65,535" in refused.value.why
    made = Tflite()
    x, y = made.tensor((1, 2), "float32"), made.tensor((1, 2), "float32")
    w = made.tensor((2, 2), "int8", 0.1, data=np.zeros(2, np.uint8))
    made.graph.tensors[w].type = 17
    made.dense(x, w, y)
    with pytest.raises(KitError, match="has int4 weights and float32 inputs"):
        generate_network(made.write(tmp_path / "a.tflite", [x], [y]), tmp_path / "network")
