"""firmware/README.md shows how to add an operator: who follows it to the letter has one."""

import re
import shutil
from types import ModuleType

import graphs
import numpy as np
import oracle
from hypothesis import HealthCheck, Phase, given, settings

from kit.compile import HostNetwork
from kit.generate import generate_network
from kit.generate.operators import OPERATORS
from kit.model import Reference, read_model
from kit.paths import FIRMWARE

NAME = "SPACE_TO_DEPTH"


def blocks():
    """The page's files and pieces of files, by their path."""
    page = (FIRMWARE / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^`([\w/.]+)`:\n\n```\w+\n(.*?)^```", page, re.MULTILINE | re.DOTALL))


def test_the_page_is_right(tmp_path, monkeypatch):
    """Its C, its generator, its example and its rule: random networks of it equal LiteRT."""
    found = blocks()
    assert len(found) == 5
    sources = tmp_path / "firmware"
    shutil.copytree(FIRMWARE, sources, ignore=shutil.ignore_patterns("build", ".*"))
    for path, text in found.items():
        if path.startswith("firmware/"):
            (tmp_path / path).write_text(text)
    operator = ModuleType("space_to_depth")
    exec(found["kit/generate/operators/space_to_depth.py"], vars(operator))
    for piece, module in (("tests/graphs.py", graphs), ("tests/oracle.py", oracle)):
        exec(found[piece], vars(module))
    monkeypatch.setitem(OPERATORS, NAME, operator.lower)
    monkeypatch.setitem(graphs.EXAMPLES, NAME, graphs.space_to_depth)
    monkeypatch.setitem(oracle.RULES, NAME, oracle.space_to_depth)

    few = settings(max_examples=5, phases=[Phase.generate], derandomize=True, deadline=None)

    @settings(few, suppress_health_check=[*HealthCheck])
    @given(network=graphs.graphs([NAME, "CONV_2D"]))
    def agree(network):
        path = network.write(tmp_path / "random.tflite")
        model = read_model(path)
        inputs = graphs.random_values(model.input)
        ours = HostNetwork(generate_network(path, tmp_path / "network"), sources).run_all(inputs)
        by_litert = Reference(path).run_all(inputs)
        rules = oracle.compute(model, inputs)
        for values, theirs, output in zip(ours, by_litert, model.outputs, strict=True):
            np.testing.assert_array_equal(values, theirs)
            np.testing.assert_array_equal(values, rules[output.index])

    agree()
