"""Convolutions with weights of few bits on the virtual board: LiteRT's values, about as
fast as with bytes, and in less flash.

Each program holds networks of several random convolutions, one behind the other.
"""

from dataclasses import replace

import numpy as np
import pytest
from depth import first, many
from packed_layers import BITS, convolution

from kit.board import run_bare
from kit.checks.measure import profile_model
from kit.checks.validate import random_inputs
from kit.compile import build_firmware
from kit.compile.toolchain import find_gcc
from kit.generate import GOALS, generate_network
from kit.model import IntegerLayer, Reference, save_integers

MORE_CODE = 150  # bytes, beside the weights, that a program with one packing more may take
NAMED = ("int8", "int4", "ternary")


@pytest.fixture(autouse=True)
def no_trial(monkeypatch):
    """A model need not be tried in a process of its own first: LiteRT runs it here."""
    monkeypatch.setattr("kit.model.reference._try_out", lambda *_: None)


def network(path, generator, packings):
    """Random convolutions with poolings behind some: each kernel sees what another left. Every
    channel is spread over int8, as a batch normalization does it: by what LiteRT computes first."""
    shape, channels, layers = (32, 32, 1), 1, []
    for number, packing in enumerate(packings):
        kernel = int(generator.choice((1, 2, 3, 3)))
        filters = int(generator.integers(3, 12))
        padding = str(generator.choice(("SAME", "VALID"))) if number < 4 else "SAME"
        made = convolution(generator, packing, (filters, kernel, kernel, channels), padding=padding,
                           strides=(1, 2) if number == 3 else (1, 1), output=(4.0, 0))  # fmt: skip
        save_integers(path, [*layers, made], shape, (1.0, -128))
        seen = 4.0 * Reference(path).run(random_inputs(path, 4)).reshape(-1, filters)
        scales = made.scales * 50 / np.maximum(seen.std(axis=0), 4)
        middle = generator.uniform(-20, 20, filters) - seen.mean(axis=0) * scales / made.scales
        bias = made.bias + np.round(middle / scales).astype(int)
        activation = str(generator.choice(("NONE", "RELU")))
        zero = int(generator.integers(-20, 20)) if activation == "NONE" else -128
        layers.append(replace(made, scales=scales, bias=bias, activation=activation,
                              output=(1.0, zero)))  # fmt: skip
        if number in (0, 2):
            layers.append(IntegerLayer("MAX_POOL_2D"))
        channels = filters
    save_integers(path, layers, shape, (1.0, -128))
    return path


@pytest.mark.parametrize("goal", first(1, GOALS))
def test_the_chip_gives_the_values_of_litert(tmp_path, goal):
    """Every packing, in a random order, by every goal and with both compilers."""
    for seed in range(many(1, 3)):
        generator = np.random.default_rng([seed, GOALS.index(goal)])
        path = network(tmp_path / "a.npz", generator, generator.permutation(sorted(BITS)))
        made, inputs = generate_network(path, tmp_path / "c", optimize=goal), random_inputs(path, 4)
        expected = Reference(path).run(inputs)
        assert len(np.unique(expected)) > 30
        for compiler in ("zig", "gcc") if find_gcc() else ("zig",):
            elf = build_firmware(made, tmp_path / "out", compiler=compiler, bare=True).elf
            on_board = run_bare(f"virtual://?elf={elf}", made, inputs)
            np.testing.assert_array_equal(on_board, expected)


def small_network(path, packing):
    """As of a network for MNIST."""
    generator, options = np.random.default_rng(1), {"activation": "RELU", "output": (1.0, -128)}
    save_integers(
        path,
        [
            convolution(generator, packing, (8, 3, 3, 1), **options),
            IntegerLayer("MAX_POOL_2D"),
            convolution(generator, packing, (16, 3, 3, 8), **options),
            IntegerLayer("MAX_POOL_2D"),
        ],
        (28, 28, 1),
        (1.0, -128),
    )
    return path


@pytest.fixture(scope="module")
def costs(tmp_path_factory):
    """Of the small network by packing and goal: what it takes, each measured once."""
    folder, known = tmp_path_factory.mktemp("costs"), {}

    def cost(packing, goal):
        if (packing, goal) not in known:
            path = small_network(folder / f"{packing}.npz", packing)
            weights = generate_network(path, folder / "c", optimize=goal).weights_bytes
            url = "virtual://packed-conv"
            known[packing, goal] = profile_model(path, 1, url, optimize=goal), weights
        return known[packing, goal]

    return cost


@pytest.mark.parametrize("packing", NAMED[1:])
@pytest.mark.parametrize("goal", first(1, ["time", "flash"]))
def test_instructions_for_a_multiply_accumulate(costs, goal, packing):
    """At most a tenth more than of bytes, unpacking included."""
    (packed, _), (plain, _) = costs(packing, goal), costs("int8", goal)
    for layer, other in zip(packed.layers, plain.layers, strict=True):
        assert layer.per_mac <= 1.1 * other.per_mac


@pytest.mark.deep
@pytest.mark.parametrize("packing", NAMED[1:])
def test_a_bare_program_takes_less_flash(costs, packing):
    """By what the weights do, but for a little code."""
    (packed, small), (plain, large) = costs(packing, "flash"), costs("int8", "flash")
    saved = plain.footprint.flash_bytes - packed.footprint.flash_bytes
    assert saved >= large - small - MORE_CODE > 0
