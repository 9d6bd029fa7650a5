"""kit/checks/measure.py: means and the worst case are those of whole inferences."""

from kit.board import LayerProfile, Profile
from kit.checks.measure import costs_of


def test_the_worst_inference_is_not_the_sum_of_the_worst_layers():
    """Layers whose time depends on data are slow for different images; a layer without MACs has
    none to divide by."""
    counts = [(100, 9), (300, 1)]
    profiles = [
        Profile((LayerProfile("a", "FULLY_CONNECTED", 100, first, 2 * first, first // 2, 1.0),
                 LayerProfile("b", "SOFTMAX", 0, second, second, 0, 1.0)), True, 180_000_000)
        for first, second in counts
    ]  # fmt: skip
    made = costs_of("model.tflite", profiles)
    rows = [(x.name, x.macs, x.instructions, x.per_mac, x.most, x.cycles, x.waits)
            for x in (*made.layers, made.all)]  # fmt: skip
    assert rows == [("a", 100, 200, 2, 300, 400, 100), ("b", 0, 5, 0, 9, 5, 0),
                    ("all", 100, 205, 2.05, 301, 405, 100)]  # fmt: skip
    shown = "\n".join(map(str, made.shown()))
    assert "mean of 2 images" in shown and "estimated: 0.00 ms" in shown and "2.05" in shown
