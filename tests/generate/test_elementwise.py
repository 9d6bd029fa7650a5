"""Functions of one value are tables, and real numbers are stored, as LiteRT's reference kernels do.

Sums, products, margins and joins are in random graphs: test_graphs.py.
"""

import re

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from depth import many
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Tflite, packed

from kit.board import Board, flash
from kit.compile import HostNetwork, build_firmware
from kit.errors import KitError
from kit.generate import generate_network
from kit.generate.operators import OPERATORS
from kit.model import Operator, Reference, Tensor

SHARE, SIGNED = (1 / 256, -128), (1 / 128, 0)  # what the converter gives LOGISTIC and TANH
scales = st.one_of(
    st.floats(2.0**-10, 1.0, width=32),
    st.builds(lambda n, e: n * 2.0**e, st.sampled_from((1, 3, 5, 7)), st.integers(-10, 0)),
)
quantizations = st.tuples(scales, st.integers(-128, 127))


def same_table(name, x, y, **options):
    """A table of the generator's against LiteRT's results for all 256 inputs."""
    ends = [
        Tensor(i, name, (1, 256), dtype, np.float32([scale]), np.array([zero]))
        for i, (dtype, scale, zero) in enumerate((x, y))
    ]
    table = OPERATORS[name](Operator(name, (ends[0],), (ends[1],), options), "time").arrays["table"]
    made = Tflite()
    made.graph.inputs, made.graph.outputs = [made.tensor((1, 256), *x)], [made.tensor((1, 256), *y)]
    made.operator(name, [0], [1], **options)
    reference = OpResolverType.BUILTIN_REF
    run = Interpreter(model_content=packed(made.model), experimental_op_resolver_type=reference)
    run.allocate_tensors()
    run.set_tensor(0, np.arange(256, dtype=np.uint8).view(x[0])[None])
    run.invoke()
    np.testing.assert_array_equal(table.view(y[0]), run.get_tensor(1)[0])


@pytest.mark.parametrize("name", ["RELU", "RELU6", "RELU_N1_TO_1", "TANH", "LEAKY_RELU"])
@settings(deadline=None, max_examples=many(60, 600))
@given(x=quantizations, y=quantizations, alpha=st.floats(-2, 2, width=32))
def test_a_table_is_that_of_the_reference(name, x, y, alpha):
    """Promise 1, for every input: whatever the scales, with negative slopes too."""
    same_table(name, ("int8", *x), ("int8", *y), **{"alpha": alpha} if name == "LEAKY_RELU" else {})


@settings(deadline=None, max_examples=many(60, 600))
@given(x=quantizations, ratio=st.floats(2.0**-6, 1.0), zero=st.integers(-128, 127))
def test_the_tables_of_bent_functions(x, ratio, zero):
    """LOGISTIC and TANH as the converter makes them; HARD_SWISH makes no more than it takes."""
    same_table("LOGISTIC", ("int8", *x), ("int8", *SHARE))
    same_table("TANH", ("int8", *x), ("int8", *SIGNED))
    same_table("HARD_SWISH", ("int8", *x), ("int8", float(np.float32(x[0] * ratio)), zero))


@pytest.mark.parametrize("types", ["int8 uint8", "uint8 int8", "int8 int8", "uint8 uint8"])
@settings(deadline=None, max_examples=many(30, 300))
@given(x=quantizations, y=quantizations, same=st.booleans())
def test_another_scale_or_sign_is_a_table(types, x, y, same):
    """Protects networks that take and give uint8, and those whose branches have other scales."""
    ends = [
        (dtype, scale, zero + 128 * (dtype == "uint8"))
        for dtype, (scale, zero) in zip(types.split(), (x, x if same else y), strict=True)
    ]
    same_table("QUANTIZE", *ends)


def test_real_numbers_are_stored_and_made_again_as_the_reference_does(tmp_path):
    """The converter's default, float32 in and out: halves, and what is far outside the range."""
    made, random, outputs = Tflite(), np.random.default_rng(3), []
    x = made.tensor((1, 500), "float32")
    for dtype in ("int8", "uint8", "int16"):
        low = 0 if dtype == "uint8" else -128
        for scale in (0.5, 0.1, 3 / 255, 1.7e-3):
            zero = 0 if dtype == "int16" else int(random.integers(low, low + 256))
            stored = made.tensor((1, 500), dtype, scale, zero)
            made.operator("QUANTIZE", [x], [stored])
            outputs.append(made.tensor((1, 500), "float32"))
            made.operator("DEQUANTIZE", [stored], outputs[-1:])
    path = made.write(tmp_path / "real.tflite", [x], outputs)
    halves = np.float32([0.25, 0.05, 1.5 / 255, 300])[:, None]
    inputs = random.integers(-600, 600, (4, 500)).astype(np.float32) * halves
    host = HostNetwork(generate_network(path, tmp_path / "network"))
    run = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    run.allocate_tensors()
    for one, *ours in zip(inputs, *host.run_all(inputs), strict=True):
        run.set_tensor(x, one[None])
        run.invoke()
        for index, values in zip(outputs, ours, strict=True):
            np.testing.assert_array_equal(values, run.get_tensor(index)[0])


def test_bytes_in_and_out_on_the_virtual_board(tmp_path):
    """The chip's machine code of these kernels, from uint8 to uint8, gives what the reference does:
    sums, products, margins, joins, tables and shares behind one another."""
    made, random = Tflite(), np.random.default_rng(5)
    x = made.tensor((1, 3, 4, 5), "uint8", 0.1, 100)
    start = made.tensor((1, 3, 4, 5), "int8", 0.1, -28)
    made.operator("QUANTIZE", [x], [start])

    def behind(name, inputs, shape=(1, 3, 4, 5), scale=0.1, zero=-28, **options):
        y = made.tensor(shape, "int8", scale, zero)
        made.operator(name, inputs, [y], **options)
        return y

    row = made.tensor((5,), "int8", 0.02, 3, random.integers(-128, 128, 5))
    margin = made.tensor((4, 2), "int32", data=[[0, 0], [1, 2], [0, 1], [2, 0]])
    leaky = behind("LEAKY_RELU", [start], scale=0.2, zero=9, alpha=-0.3)
    sums = behind("ADD", [leaky, behind("MUL", [row, start])], fusedActivationFunction=1)
    wide = behind("PAD", [behind("ADD", [sums, row]), margin], (1, 6, 5, 7))
    joined = behind("CONCATENATION", [wide, wide, behind("RELU6", [wide], (1, 6, 5, 7))],
                    (1, 6, 15, 7), axis=2)  # fmt: skip
    shares = behind("SOFTMAX", [joined], (1, 6, 15, 7), *SHARE, beta=1.0)
    y = made.tensor((1, 6, 15, 7), "uint8", 1 / 256, 0)
    made.operator("QUANTIZE", [shares], [y])
    path = made.write(tmp_path / "bytes.tflite", [x], [y])
    inputs = random.integers(0, 256, (20, 3, 4, 5), np.uint8)
    firmware = build_firmware(generate_network(path, tmp_path / "network"), tmp_path)
    flash("virtual://bytes", firmware.elf)
    with Board("virtual://bytes") as board:
        ours = board.run(inputs).reshape(20, 6, 15, 7)
    assert len(np.unique(ours)) > 40
    np.testing.assert_array_equal(ours, Reference(path).run(inputs))


ROW, IMAGE = (1, 4), (1, 2, 3, 4)
REFUSED = {  # what it takes and makes, as shape, dtype, scale and constant data; and the words
    "ADD": [[(IMAGE,), (IMAGE, "int8", 1e-9)], (IMAGE, "int8", 1e-9), "do not go together"],
    "MUL": [[(IMAGE,), (ROW, "int8", 1e5)], (IMAGE, "int8", 1e-9), "do not go together"],
    "RELU": [[(ROW, "int8", 1e5)], (ROW, "int8", 1e-9), "do not go together"],
    "HARD_SWISH": [[(ROW, "int8", 3e38)], (ROW, "int8", 1e-9), "do not go together"],
    "LEAKY_RELU": [[(ROW, "int8", 3e38)], (ROW, "int8", 1e-40), "do not go together"],
    "LOGISTIC": [[(ROW,)], (ROW, "int8", 1e-45), "do not go together"],
    "TANH": [[(ROW, "int16")], (ROW, "int16"), "int16"],
    "QUANTIZE": [[(ROW, "int16")], (ROW, "int8"), "makes int8 of int16"],
    "DEQUANTIZE": [[(ROW, "int32")], (ROW, "float32"), "makes float32 of int32"],
    "CONCATENATION": [[(ROW,), (ROW, "int8", 0.2)], ((1, 8),), "scale is not its output's"],
    "PAD": [[(ROW,), ((2, 2), "int32", 0.1, [[0, 0], [0, 1]])], (ROW,), "makes (1, 4) of (1, 4)"],
    "PADV2": [[(ROW,), ((2, 2), "int32", 0.1)], (ROW,), "the margin of PADV2 is computed"],
    "SOFTMAX": [[((1, 5000),)], ((1, 5000), "int8", 1 / 256), "more than 1023 values"],
}


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:divide:RuntimeWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_leads_beyond_is_refused(name):
    """No C that computes otherwise than LiteRT, or reads beyond an array."""

    def tensor(index, shape, dtype="int8", scale=0.1, data=None):
        data = None if data is None else np.array(data)
        return Tensor(index, "t", shape, dtype, np.float32([scale]), np.array([-128]), 0, data)

    takes, makes, words = REFUSED[name]
    inputs = tuple(tensor(i, *one) for i, one in enumerate(takes))
    with pytest.raises(KitError, match=re.escape(words)):
        OPERATORS[name](Operator(name, inputs, (tensor(9, *makes),), {"axis": -1}), "time")


@pytest.mark.parametrize("name", ["ADD", "MUL"])
@pytest.mark.parametrize("shapes", [(IMAGE, (3, 1), (1, 2, 3, 4, 5)), (IMAGE, (5,), IMAGE),
                                    (ROW, (1, 1, 4), ROW)])  # fmt: skip
def test_shapes_that_do_not_go_together_are_refused(name, shapes):
    """A wrong shape in a damaged file would make C that reads beyond an array."""
    *inputs, y = (Tensor(i, "t", shape, "int8", np.float32([0.1]), np.array([0]))
                  for i, shape in enumerate(shapes))  # fmt: skip
    with pytest.raises(KitError, match=f"{name} makes .* of"):
        OPERATORS[name](Operator(name, tuple(inputs), (y,)), "time")
