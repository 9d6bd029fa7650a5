"""The networks that data/ keeps beside the tutorial's do what data/README.md says of them."""

import subprocess
import sys

import numpy as np
import pytest
from depth import first, many

from kit.board import run_bare
from kit.checks.measure import profile_model
from kit.checks.validate import mnist_inputs
from kit.compile import HostNetwork, build_firmware
from kit.digits import load_mnist
from kit.generate import generate_network
from kit.model import Reference, read_model
from kit.paths import DATA, ROOT
from kit.silence import tensorflow

sys.path.insert(0, str(DATA))
LEAST = {"cnn": 0.992, "tiny": 0.990}
LIMITS = {  # for what it is generated; bytes of flash and RAM alone on a chip, instructions a MAC
    "cnn": ("time", 28_500, 6_500, 1.06),
    "tiny": ("flash", 4_096, 3_000, 14),
}


@pytest.fixture(scope="module", params=first(1, LEAST))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name, tmp_path_factory):
    """One of them, in int8."""
    from training import to_int8

    path = tmp_path_factory.mktemp("own") / f"{name}.tflite"
    to_int8(tensorflow().keras.models.load_model(DATA / f"digits_{name}.keras"), path)
    return path


def test_it_is_small_fast_and_exact(name, model, tmp_path):
    """On the virtual board, all included; in the deep run for every test image."""
    goal, flash, ram, most = LIMITS[name]
    costs = profile_model(model, 2, f"virtual://own-{name}", optimize=goal)
    assert costs.footprint.flash_bytes <= flash and costs.footprint.ram_bytes <= ram
    assert costs.all.per_mac <= most
    inputs = mnist_inputs(model, many(20, 10_000))
    network = generate_network(model, tmp_path / "network", optimize=goal)
    expected = Reference(model).run(inputs)
    np.testing.assert_array_equal(HostNetwork(network).run(inputs), expected)
    bare = build_firmware(network, tmp_path, bare=True)
    on_board = run_bare(f"virtual://?elf={bare.elf}", network, inputs[:10])
    np.testing.assert_array_equal(on_board, expected[:10])


@pytest.mark.deep
def test_it_reads_the_test_set_in_int8(name, model):
    """What was trained is still what is kept, and survives the converter."""
    from training import accuracy

    network = tensorflow().keras.models.load_model(DATA / f"digits_{name}.keras")
    _, integers = accuracy(network, model, *load_mnist()[1])
    assert integers >= LEAST[name]
    told = (DATA / "README.md").read_text(encoding="utf-8")
    assert f"{network.count_params():,}" in told and f"{100 * integers:.2f}" in told


@pytest.mark.deep
@pytest.mark.parametrize("options", [["--epochs", "1", "--images", "1000"], ["--kept"]])
def test_its_script_trains_and_converts(name, options, tmp_path):
    """A learner can start it: one short epoch saves a network, and with --kept the one that is
    kept; both in int8, too, and it tells the accuracy."""
    command = [sys.executable, f"data/train_{name}.py", *options, "--out", tmp_path / "mine.keras"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "in int8" in done.stdout, done.stderr
    assert (tmp_path / "mine.keras").exists() == ("--kept" not in options)
    assert read_model(tmp_path / "mine_int8.tflite").input.dtype == "int8"
