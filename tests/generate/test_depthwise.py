"""What poolings and means refuse; that the C equals LiteRT is tested by test_graphs.py."""

import pytest
from networks import Tflite

from kit.errors import KitError
from kit.generate import generate_network


def test_a_mean_over_other_axes_is_refused(tmp_path):
    """By what it goes over, and with what to say in Keras."""
    made = Tflite()
    x, y = (made.tensor(shape, "int8", 0.5) for shape in ((1, 4, 5, 6), (1, 5)))
    axes = made.tensor((2,), "int32", data=(1, 3))
    made.operator("MEAN", [x, axes], [y])
    with pytest.raises(KitError, match=r"axes \[1, 3\]") as said:
        generate_network(made.write(tmp_path / "mean.tflite", [x], [y]), tmp_path / "network")
    assert "GlobalAveragePooling2D" in said.value.next_step


@pytest.mark.parametrize("name", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
def test_a_pooling_keeps_its_scale(tmp_path, name):
    """LiteRT would pass values on that mean something else."""
    made = Tflite()
    x, y = made.tensor((1, 4, 4, 2), "int8", 0.5), made.tensor((1, 2, 2, 2), "int8", 0.25)
    window = dict.fromkeys(("filterHeight", "filterWidth", "strideH", "strideW"), 2)
    made.operator(name, [x], [y], **window)
    with pytest.raises(KitError, match="another scale"):
        generate_network(made.write(tmp_path / "pool.tflite", [x], [y]), tmp_path / "network")
