"""MLPerf Tiny's four reference networks: each is generated, fits the board, and is exact."""

import numpy as np
import pytest
from depth import first, many
from mlperf import NETWORKS, keyword_spotting, make_mlperf

from kit.board import Board, flash
from kit.checks.validate import random_inputs
from kit.compile import HostNetwork, build_firmware
from kit.generate import generate_network
from kit.model import Reference

ORDER = sorted(NETWORKS, key=lambda network: network is not keyword_spotting)


@pytest.mark.parametrize("network", first(1, ORDER), ids=lambda network: network.__name__)
def test_a_network_of_mlperf_tiny_is_exact(tmp_path, network):
    """Every output on this computer; on the virtual board of one of them, and of all in the deep
    run."""
    path = make_mlperf(network, tmp_path / "network.tflite")
    made, inputs = generate_network(path, tmp_path / "network"), random_inputs(path, many(3, 50))
    expected = Reference(path).run(inputs)
    assert len(np.unique(expected)) > 5, "too little of the output's range is met"
    np.testing.assert_array_equal(HostNetwork(made).run(inputs), expected)
    if network is keyword_spotting or many(0, 1):
        flash("virtual://mlperf", build_firmware(made, tmp_path).elf)
        with Board("virtual://mlperf") as board:
            np.testing.assert_array_equal(board.run(inputs[:3]), expected[:3])
