"""kit/compile/host.py: the chip's C runs on this computer, also a changed copy of it."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import made
import numpy as np
import pytest
from networks import EXAMPLE

from kit.checks.validate import random_inputs
from kit.compile import HostNetwork
from kit.errors import KitError
from kit.paths import FIRMWARE, build_folder
from virtual_nucleo.native import compile_library


def test_a_changed_copy_of_the_firmware_is_compiled(tmp_path, monkeypatch):
    """As exercises need it; what the kit itself compiles stays as it is."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(FIRMWARE, "firmware")
    dense = tmp_path / "firmware" / "nn" / "dense_int8.c"
    inputs, network = random_inputs(made.model(EXAMPLE), 5), made.network(EXAMPLE)
    dense.write_text(dense.read_text() + "\n")  # another library than the one that is there
    np.testing.assert_array_equal(
        HostNetwork(network, "firmware").run(inputs), HostNetwork(network).run(inputs)
    )
    dense.write_text("#error changed")
    with pytest.raises(KitError, match="for this computer failed") as error:
        HostNetwork(network, "firmware")
    assert "changed" in error.value.why and HostNetwork(network)


def test_the_layers_of_another_input_are_refused():
    """As in run(): bytes beyond an array are not read."""
    network = HostNetwork(made.network(EXAMPLE))
    for wrong in (np.zeros(19, np.int8), np.zeros(20, np.float64), np.int8(0)):
        with pytest.raises(KitError, match="takes inputs of shape"):
            network.layers(wrong)


def test_one_library_in_two_threads_computes_for_one_at_a_time():
    """A network's memory is in its library, and a program loads that once."""
    network, model = made.network(EXAMPLE), made.model(EXAMPLE)
    inputs = [random_inputs(model, 3_000, seed) for seed in (1, 2)]
    alone = [HostNetwork(network).run(each) for each in inputs]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda each: HostNetwork(network).run(each), inputs))
    np.testing.assert_array_equal(together, alone)


def test_a_library_knows_its_flags_and_its_compiler(tmp_path, monkeypatch):
    """A home folder shared by two machines, or another zig: not the library of before."""
    source, folder = tmp_path / "one.c", build_folder() / "host"
    source.write_text("int one(void);\nint one(void)\n{\n    return 1;\n}\n")
    first = compile_library([source], folder)
    assert compile_library([source], folder) == first
    assert compile_library([source], folder, flags=["-DA=1"]) != first
    monkeypatch.setattr("platform.machine", lambda: "another")
    assert compile_library([source], folder) != first
