"""Kernels are chosen by cycles, and those count that the core waits for the flash: what is
generated for `time` takes the fewest, on the virtual board at 5 wait states."""

import sys

import numpy as np
import pytest
from networks import make_course

from kit.board import Board, flash
from kit.compile import build_firmware
from kit.generate import generate_network
from kit.generate.operators import conv_2d
from kit.paths import DATA
from kit.silence import tensorflow

sys.path.insert(0, str(DATA))
pytestmark = pytest.mark.deep  # each goal of each network is a program to build
# Of the network's cycles, that a layer may be slower than by another goal: at which of 16 bytes the
# linker puts a loop moves its waiting by so much, and few outputs are not worth a second kernel.
SLOWER = 0.06
URL = "virtual://goals"


@pytest.fixture(scope="module", params=["cnn", "course"])
def profiled(request, tmp_path_factory):
    """From a goal to the profile of each layer of a network, for an image without zeros."""
    from training import to_int8

    folder, known = tmp_path_factory.mktemp(request.param), {}
    model = folder / "model.tflite"
    if request.param == "course":
        make_course(model)
    else:
        to_int8(tensorflow().keras.models.load_model(DATA / "digits_cnn.keras"), model)
    image = np.full((28, 28), 1, np.uint8)
    image[4:24, 4:24] = 200

    def profile(goal, name=None):
        if (name or goal) not in known:
            network = generate_network(model, folder / "network", optimize=goal)
            flash(URL, build_firmware(network, folder / "firmware").elf)
            with Board(URL) as board:
                known[name or goal] = board.profile(image).layers
        return known[name or goal]

    profile.name = request.param
    return profile


@pytest.mark.parametrize("goal", ["ram", "data", "flash"])
def test_time_takes_the_fewest_cycles(profiled, goal):
    """All layers together, and each with weights; of `data` those whose inputs are no zeros: the
    first, and convolutions, which skip none."""
    times, others = profiled("time"), profiled(goal)
    total = sum(layer.cycles for layer in times)
    assert goal == "data" or total <= (1 + SLOWER) * sum(layer.cycles for layer in others)
    for number, (time, other) in enumerate(zip(times, others, strict=True)):
        if time.macs and (goal != "data" or number == 0 or "CONV" in time.operator):
            assert time.cycles <= other.cycles + SLOWER * total, time.name


def test_a_copy_of_the_weights_saves_cycles(profiled, monkeypatch):
    """Of the layer that has one, though it takes time itself; what is left is waiting for code."""
    if profiled.name == "course":
        pytest.skip("no convolution")
    copied = profiled("time")[0]
    monkeypatch.setattr(conv_2d, "MOST_COPIED", 0)
    read = profiled("time", "from the flash")[0]
    assert copied.cycles < 0.95 * read.cycles and copied.waits < 0.5 * read.waits
    assert copied.instructions > read.instructions
