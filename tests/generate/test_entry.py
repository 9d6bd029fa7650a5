"""kit.generate: whichever engine makes it, a network appears whole or not at all."""

import subprocess
import sys

import pytest
from made import network
from networks import EXAMPLE, Tflite, make

from kit.errors import KitError
from kit.generate import generate_network, load_network


def test_the_result_can_be_loaded_again():
    """And moved: its types and values are read back from network.json."""
    assert load_network(network(EXAMPLE).folder) == network(EXAMPLE)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"input": 5}', '{"layers": 1}'])
def test_a_damaged_result_is_told(tmp_path, content):
    (tmp_path / "network.json").write_text(content)
    with pytest.raises(KitError, match="is damaged"):
        load_network(tmp_path)


def test_a_refusal_leaves_the_earlier_network_alone(tmp_path):
    """Nothing is written of a model that is refused, and nothing is lost."""
    made = generate_network(make(EXAMPLE, tmp_path / "model.tflite"), tmp_path / "network")
    before = {file.name: file.read_bytes() for file in made.folder.iterdir()}
    exponential = Tflite()
    x, y = (exponential.tensor((1, 4), "float32") for _ in range(2))
    exponential.operator("EXP", [x], [y])
    refused = exponential.write(tmp_path / "refused.tflite", [x], [y])
    with pytest.raises(KitError, match="EXP"):
        generate_network(refused, made.folder)
    assert {file.name: file.read_bytes() for file in made.folder.iterdir()} == before


def test_a_folder_of_somebody_is_left_alone(tmp_path):
    """A folder is replaced as a whole, so it must be one that was generated."""
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(KitError, match="is left alone"):
        generate_network(tmp_path / "model.tflite", tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"engine": "cubeai"}, "no engine 'cubeai'"),
        ({"compression": "high"}, "no setting compression"),
        ({"engine": "xcubeai", "optimize": "ram"}, "xcubeai has no setting optimize"),
        ({"engine": "xcubeai", "optimize": "time"}, "write optimization in its place"),
        ({"input_range": (1, 1)}, "is no range of pixels"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, settings, words):
    with pytest.raises(KitError, match=words):
        generate_network(tmp_path / "model.tflite", tmp_path / "network", **settings)


FUNCTIONS = """
import kit, inspect
for _ in range(2):
    assert all(inspect.isfunction(f) for f in (kit.generate_network, kit.examine))
    from kit.generate import xcubeai
    from kit.checks.doctor import examine
    import kit.compile
"""
NO_TOOL = """
import sys, kit
kit.generate_network, kit.build_firmware, kit.flash, kit.Board, kit.HostNetwork
import kit.checks.validate, virtual_nucleo.store
assert not [name for name in sys.modules if name.startswith("kit.generate.xcubeai")]
"""


@pytest.mark.parametrize("lines", [FUNCTIONS, NO_TOOL], ids=["functions", "no tool"])
def test_what_importing_does(lines):
    """Functions of kit stay functions: a cell can be run twice, and after another has imported the
    module of the same name. Who needs nothing of ST's tool loads nothing of it."""
    subprocess.run([sys.executable, "-c", lines], check=True)
