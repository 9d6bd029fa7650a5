"""Any graph: LiteRT's reference kernels, the oracle in numpy and the C agree in every value.

A new operator is found by itself: with its line in kit.generate.operators.OPERATORS it needs an
example in tests/graphs.py and a rule in tests/oracle.py, and is then part of all networks here.
"""

import numpy as np
import oracle
import pytest
from depth import many
from graphs import EXAMPLES, graphs, random_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sanitized import SANITIZERS, Sanitized

from kit.board import Board, flash
from kit.compile import HostNetwork, build_firmware
from kit.compile.toolchain import find_gcc
from kit.generate import GOALS, generate_network
from kit.generate.graph import lower
from kit.generate.operators import OPERATORS
from kit.model import read_model

pytestmark = pytest.mark.usefixtures("quick_trials")
slow = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_oracle_computes_what_litert_computes(tmp_path, name):
    """Every operator's output, whether the engine can do it yet or not; and most of the values are
    inside their type's range, so that the networks tell something."""
    ends = []

    @settings(slow, max_examples=many(3, 25))
    @given(network=graphs([*EXAMPLES, "DEQUANTIZE"], one=name))
    def compare(network):
        model = read_model(network.write(tmp_path / "random.tflite"))
        inputs = random_values(model.input)
        ours = oracle.compute(model, inputs)
        theirs = network.by_litert(inputs, ours)
        for operator in model.operators:
            index = operator.outputs[0].index
            np.testing.assert_array_equal(ours[index], theirs[index], err_msg=operator.name)
        for values in ours.values():
            if values.dtype != np.float32:
                edges = np.iinfo(values.dtype).min, np.iinfo(values.dtype).max
                ends.append(np.isin(values, edges).mean())

    compare()
    assert np.mean(np.array(ends) < 0.6) > 0.75


@pytest.mark.parametrize("name", sorted(OPERATORS.keys() & EXAMPLES.keys()))
@settings(slow, max_examples=many(1, 12))
@given(data=st.data())
def test_the_c_of_any_graph_computes_what_litert_computes(tmp_path, name, data):
    """Promise 1, for what every step makes and every output of the network, whatever is saved."""
    network, goal = data.draw(graphs(one=name)), data.draw(st.sampled_from(GOALS))
    model = read_model(network.write(tmp_path / "random.tflite"))
    inputs, steps = random_values(model.input), lower(model, goal)[0]
    made = HostNetwork(generate_network(model.path, tmp_path / "network", optimize=goal))
    ours = [np.stack(values) for values in zip(*map(made.layers, inputs), strict=True)]
    tensors = [step.output for step in steps] + [*model.outputs]
    by_litert = network.by_litert(inputs, [tensor.index for tensor in tensors])
    by_numpy = oracle.compute(model, inputs)
    for tensor, values in zip(tensors, ours + made.run_all(inputs), strict=True):
        for expected in (by_litert, by_numpy):
            np.testing.assert_array_equal(values, expected[tensor.index], err_msg=tensor.name)


@settings(slow, max_examples=many(1, 5))
@given(network=graphs(most=10), goal=st.sampled_from(GOALS))
def test_any_graph_on_the_virtual_board(network, goal, tmp_path):
    """The chip's machine code, with its fast kernels; made by both compilers in the deep run."""
    model = read_model(network.write(tmp_path / "random.tflite"))
    inputs = random_values(model.input)
    made = generate_network(model.path, tmp_path / "network", optimize=goal)
    here = HostNetwork(made)
    for compiler in ("zig", "gcc") if find_gcc() and many(0, 1) else ("zig",):
        flash("virtual://graph", build_firmware(made, tmp_path / compiler, compiler=compiler).elf)
        with Board("virtual://graph") as board:
            for ours, theirs in zip(board.run_all(inputs), here.run_all(inputs), strict=True):
                np.testing.assert_array_equal(ours, theirs.reshape(ours.shape), err_msg=compiler)
            for layer, values in enumerate(here.layers(inputs[0])):
                found = board.watch(layer, inputs[0])
                np.testing.assert_array_equal(found.ravel(), values.ravel(), err_msg=compiler)


@pytest.mark.deep
@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_no_undefined_behavior_and_nothing_beside_a_tensor(tmp_path, sanitizer):
    """The C under sanitizers, each tensor in its own memory: it runs to its end, and computes what
    it computes in the arena, where no tensor may damage another that is still read."""
    program = Sanitized(tmp_path, sanitizer)
    if not program.works:
        pytest.skip(f"there is no sanitizer {sanitizer!r} here")

    @settings(slow, max_examples=25)
    @given(network=graphs())
    def check(network):
        model = read_model(network.write(tmp_path / "random.tflite"))
        inputs = random_values(model.input)
        made = generate_network(model.path, tmp_path / "network")
        layers = map(HostNetwork(made).layers, inputs)
        expected = b"".join(values.tobytes() for one in layers for values in one)
        assert program.layers(made, inputs) == expected

    check()


def test_every_operator_is_in_random_graphs():
    """An operator that the engine can do is tried in all ways that an example of it draws."""
    missing = OPERATORS.keys() - {*EXAMPLES, "DEQUANTIZE"}
    assert not missing, f"tests/graphs.py has no EXAMPLES of {missing}: a function that puts one"
    missing = OPERATORS.keys() - oracle.RULES.keys()
    assert not missing, f"tests/oracle.py has no RULES of {missing}: what LiteRT computes, in numpy"
