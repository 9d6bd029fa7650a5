"""kit/compile/host.py: the chip's C runs on this computer, also a changed copy of it."""

import shutil

import made
import numpy as np
import pytest
from networks import Spec

from kit.checks.validate import random_inputs
from kit.compile import HostNetwork
from kit.errors import KitError
from kit.paths import FIRMWARE

SPEC = Spec(20, (12, 5), "relu", True, True, True, True, 0.3, 1)


def test_a_changed_copy_of_the_firmware_is_compiled(tmp_path):
    """As exercises need it; what the kit itself compiles stays as it is."""
    copy, network = shutil.copytree(FIRMWARE, tmp_path / "firmware"), made.network(SPEC)
    inputs = random_inputs(made.model(SPEC), 5)
    np.testing.assert_array_equal(
        HostNetwork(network, copy).run(inputs), HostNetwork(network).run(inputs)
    )
    (copy / "nn" / "dense_int8.c").write_text("#error changed")
    with pytest.raises(KitError, match="for this computer failed") as error:
        HostNetwork(network, copy)
    assert "changed" in error.value.why and HostNetwork(network)
