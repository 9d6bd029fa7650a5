"""Models, and installations of the stand-in for ST's tool, as the tests of xcubeai have them."""

import json
from functools import cache

import pytest
from networks import Spec, make
from stand_in import installation

SMALL = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 3)


@pytest.fixture(scope="package")
def place(tmp_path_factory):
    """A folder whose path has what users' paths have."""
    folder = tmp_path_factory.mktemp("user") / "Ünïcode & spaces"
    folder.mkdir()
    return folder


@pytest.fixture(scope="package")
def model(place):
    """An int8 model of MNIST's shape, under a name with letters outside ASCII."""
    return make(SMALL, place / "zwölf zahlen.tflite")


@pytest.fixture(scope="package")
def float_model(place):
    return make(Spec(20, (5,), None, True, True, False, False, 0.3, 1), place / "float.tflite")


@pytest.fixture(scope="package")
def keras_files(place):
    """The same network as .keras, .h5 and .tflite."""
    import warnings

    from kit.silence import quiet, tensorflow

    tf = tensorflow()
    layers = [tf.keras.Input((20,)), tf.keras.layers.Dense(5, activation="softmax")]
    with quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation")  # Keras, while it converts
        network = tf.keras.Sequential(layers)
        for ending in ("keras", "h5"):
            network.save(place / f"digits.{ending}")
        converted = tf.lite.TFLiteConverter.from_keras_model(network).convert()
        (place / "digits.tflite").write_bytes(converted)
    return {ending: place / f"digits.{ending}" for ending in ("keras", "h5", "tflite")}


@pytest.fixture(scope="package")
def roots(tmp_path_factory):
    """`roots(release)`: one installation of each that a test asks for, in a path with spaces."""
    folder = tmp_path_factory.mktemp("installed here")

    @cache
    def root(name):
        installation.install(folder / name, name)
        return folder / name

    return root


@pytest.fixture
def installed(roots, monkeypatch):
    """`installed(name, **behavior)` gives an installation, whose tool behaves so (__main__.py)."""

    def install(name, **behavior):
        monkeypatch.setenv("STAND_IN", json.dumps(behavior))
        return roots(name)

    return install


@pytest.fixture
def fresh(tmp_path_factory):
    """An installation of its own, to be broken."""
    root = tmp_path_factory.mktemp("broken") / "4.0"
    installation.install(root, "Core 4.0")
    return root


@pytest.fixture
def out(tmp_path):
    """Where a network goes; an earlier one is there already, so that a failure could harm it."""
    folder = tmp_path / "nétwork"
    folder.mkdir()
    (folder / "network.json").write_text("{}")
    return folder
