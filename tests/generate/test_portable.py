"""kit.generate.portable: its C gives LiteRT's reference results for any dense network."""

import re

import numpy as np
import pytest
from depth import many
from hypothesis import HealthCheck, given, settings
from made import model, network
from networks import EXAMPLE, Spec, Tflite, any_network, dense, make, specs

from kit.board import Board, flash
from kit.checks.validate import random_inputs
from kit.compile import HostNetwork, build_firmware
from kit.compile.toolchain import run_tool, zig
from kit.generate import GOALS, generate_network
from kit.model import Reference, read_model
from kit.paths import FIRMWARE

slow = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def agrees(path, folder, inputs=None, seed=1, **settings):
    """A model's C against the reference, to the last bit, also on random inputs. The network."""
    made = generate_network(path, folder / "network", **settings)
    inputs = random_inputs(path, 50, seed) if inputs is None else inputs
    np.testing.assert_array_equal(HostNetwork(made).run(inputs), Reference(path).run(inputs))
    return made


@settings(slow, max_examples=many(3, 25))
@given(spec=specs)
def test_dense_networks_of_the_converter_equal_the_reference_kernels(spec, tmp_path):
    """Promise 1 for what TensorFlow makes of Keras layers, to the last bit (of graphs that no
    converter makes: test_graphs.py)."""
    agrees(any_network(spec, tmp_path / "random.tflite"), tmp_path, seed=spec.seed)


@settings(slow, max_examples=5)
@given(spec=specs)
def test_any_float_network_is_near_the_reference(spec, tmp_path):
    """float32 sums depend on the order of additions, so they agree within rounding."""
    spec = Spec(**vars(spec) | {"int8": False})
    path = any_network(spec, tmp_path / "random.tflite")
    inputs = random_inputs(path, 20, spec.seed)
    ours = HostNetwork(generate_network(path, tmp_path / "network")).run(inputs)
    np.testing.assert_allclose(ours, Reference(path).run(inputs), rtol=1e-4, atol=1e-5)


def test_every_layer_equals_the_reference():
    """A learner who watches one layer sees what LiteRT computes there, not only at the end."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    path = model(EXAMPLE)
    one = random_inputs(path, 1)
    interpreter = Interpreter(
        str(path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], one)
    interpreter.invoke()
    ours = HostNetwork(network(EXAMPLE)).layers(one[0])
    operators = [op for op in read_model(path).operators if op.name != "RESHAPE"]
    assert len(ours) == len(network(EXAMPLE).layers)
    for values, operator in zip(ours, operators, strict=True):
        reference = interpreter.get_tensor(operator.outputs[0].index)
        np.testing.assert_array_equal(values, reference[0])


def test_the_softmax_kernel_over_its_whole_range(tmp_path):
    """Extreme differences: all equal, one far above the rest, everything saturated."""
    path = make(Spec(10, (10,), None, True, False, True, True, 3.0, 7), tmp_path / "s.tflite")
    rows = [[v] * 10 for v in (-128, 0, 127)]
    rows += [[127 if i == j else -128 for i in range(10)] for j in range(10)]
    agrees(path, tmp_path, np.array(rows, np.int8))


def test_generating_twice_gives_the_same_bytes(tmp_path):
    """A generated network can be compared and cached by its bytes."""
    again = generate_network(model(EXAMPLE), tmp_path / "again")
    for file in sorted(network(EXAMPLE).folder.iterdir()):
        assert file.read_bytes() == (again.folder / file.name).read_bytes()


def test_the_c_has_no_heap_and_no_float_in_the_int8_path(tmp_path):
    """The chip's int8 path uses integers only; the machine code shows it."""
    flags = ["-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp", "-O2", "-S"]
    for source in (FIRMWARE / "nn").glob("*_int8*.c"):
        listing = tmp_path / f"{source.stem}.s"
        run_tool([zig(), "cc", *flags, source, "-o", listing], "Compiling")
        instructions = listing.read_text()
        assert not re.search(r"^\s+v(mul|add|mla|div|cvt|ldr)\b", instructions, re.MULTILINE)
        assert not re.search(r"\b(malloc|free|__aeabi_f\w+|__aeabi_d\w+)\b", instructions)


def test_layers_that_share_a_constant_store_it_once(tmp_path):
    """One tensor used twice, or two of the same bytes: in the C, and in what is counted."""
    made = Tflite()
    x = made.tensor((1, 6), "int8", 0.1, 7)
    table = np.random.default_rng(1).integers(-127, 128, (6, 6))
    once, again = (made.tensor(table.shape, "int8", 0.01, data=table) for _ in range(2))
    for weights in (once, once, again):
        x, before = made.tensor((1, 6), "int8", 0.1, 7), x
        made.dense(before, weights, x)
    network = agrees(made.write(tmp_path / "shared.tflite", [0], [x]), tmp_path)
    bias, pairs, multiplier, shift = 4 * 8, 4 * 4, 4 * 4, 4  # of rows up to a multiple of four
    assert network.weights_bytes == 8 * 8 + bias + pairs + multiplier + shift
    assert [layer.weights_bytes for layer in network.layers] == [network.weights_bytes, 0, 0]


def test_a_network_of_several_outputs_gives_each(tmp_path):
    """In the model's order, on this computer and on the board; one of them is read on, too."""
    made = Tflite()
    x = made.tensor((1, 6), "int8", 0.1, 7)
    first = dense(made, x, 9, 6, bias=True)
    second = dense(made, first, 4, 9, fusedActivationFunction=1)
    third = dense(made, first, 3, 9)
    path = made.write(tmp_path / "heads.tflite", [x], [third, first, second])
    network, inputs = generate_network(path, tmp_path / "network"), random_inputs(path, 20)
    flash("virtual://heads", build_firmware(network, tmp_path).elf)
    with Board("virtual://heads") as board:
        on_board = board.run_all(inputs)
        assert [output.elements for output in board.hello().outputs] == [3, 9, 4]
    reference, here = Reference(path).run_all(inputs), HostNetwork(network).run_all(inputs)
    for ours, theirs, boards in zip(here, reference, on_board, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(boards, theirs)


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("columns", [4, 5])
def test_several_rows_with_every_goal(tmp_path, goal, columns):
    """A dense layer over the last axis of its input, as Keras has it behind no Flatten."""
    made = Tflite()
    x = made.tensor((1, 3, columns), "int8", 0.1, 7)
    y = dense(made, x, 6, columns, [0.01] * 6, bias=True, keepNumDims=True)
    made.graph.tensors[y].shape = [1, 3, 6]
    agrees(made.write(tmp_path / "rows.tflite", [x], [y]), tmp_path, optimize=goal)


NAMES = ('"\\ */ /* ??/ %s', "line\none/Übung/ネット;x", "", "a" * 3000 + "/b")


@pytest.mark.parametrize("name", NAMES, ids=["marks", "letters", "none", "long"])
@pytest.mark.parametrize("classes", [1, 20])
def test_any_name_any_number_of_classes_and_any_batch(tmp_path, name, classes):
    """No softmax, other than ten outputs, a batch that is left open, and names of all kinds, of
    tensors as of the file: quotes, marks of comments, letters beyond ASCII."""
    made = Tflite()
    x = made.tensor((1, 5), "int8", 0.1, 7, name=name)
    y = dense(made, x, classes, 5, bias=True)
    for index in (x, y):
        made.graph.tensors[index].name = name
        made.graph.tensors[index].shapeSignature = [-1, *made.graph.tensors[index].shape[1:]]
    network = agrees(made.write(tmp_path / 'odd "*⁄ né\\me.tflite', [x], [y]), tmp_path)
    assert network.output.shape == (1, classes) and len(network.layers[0].name) <= 60
    assert re.fullmatch(r"[A-Za-z0-9._-]+", network.model)
