"""kit.generate.graph, operators and arena: what the engine can do is placed, the rest refused."""

from dataclasses import replace

import numpy as np
import pytest
from networks import Tflite, dense

from kit.checks.validate import random_inputs
from kit.compile import HostNetwork
from kit.errors import KitError
from kit.generate import generate_network
from kit.generate.graph import lower, place
from kit.generate.operators import OPERATORS
from kit.generate.step import Step
from kit.model import Operator, Reference, read_model

TABLE = np.ones((4, 4))
TENSORS = {  # shape, dtype, scale, zero point, data; capital letters are constants
    "x": ((1, 4), "int8", 0.1, 7),
    "l": ((1, 8), "int8", 0.1, 7),
    "u": ((1, 4), "uint8", 0.1, 3),
    "r": ((1, 4), "float32"),
    "w": (TABLE.shape, "float32"),
    "X": (TABLE.shape, "int8", 0.1, 0, TABLE),
    "Z": (TABLE.shape, "int8", 0.1, 5, TABLE),
    "U": (TABLE.shape, "uint8", 0.1, 0, TABLE),
    "R": (TABLE.shape, "float32", None, 0, TABLE),
    "H": (TABLE.shape, "float16", None, 0, TABLE),
    "B": ((2,), "int32", None, 0, [0, 2]),
    "E": ((2,), "int32", None, 0, [1, 6]),
    "S": ((2,), "int32", None, 0, [1, 1]),
    "T": ((2,), "int32", None, 0, [1, 4]),
}
SLICE, KNOWN = "it uses STRIDED_SLICE", ", ".join(sorted([*OPERATORS, "RESHAPE"]))


def spelled(path, tensors, operators):
    """A model of these `TENSORS` and operators; the first goes in, the last comes out."""
    made = Tflite()
    indices = [made.tensor(*TENSORS[name]) for name in tensors]
    for name, *ends in map(str.split, operators.split(", ")):
        made.operator(name, *(map(int, end) for end in ends))
    return made.write(path, indices[:1], indices[-1:])


@pytest.mark.parametrize(
    ("tensors", "operators", "words", "cure"),
    [
        ("lBESxXx", "STRIDED_SLICE 0123 4, FULLY_CONNECTED 45 6", SLICE, KNOWN),
        ("lBESxTxXx", "STRIDED_SLICE 0123 4, RESHAPE 45 6, FULLY_CONNECTED 67 8", SLICE, KNOWN),
        ("rr", "EXP 0 1", "it uses EXP", KNOWN),
        ("rrRr", "FULLY_CONNECTED 02 1, FULLY_CONNECTED 021 3", "the bias of a FULLY", KNOWN),
        ("uUu", "FULLY_CONNECTED 01 2", "uint8 is how older", "tf.int8"),
        ("xZx", "FULLY_CONNECTED 01 2", "zero point other than 0", KNOWN),
    ],
)
def test_what_the_engine_cannot_do_is_named_with_its_cure(
    tmp_path, tensors, operators, words, cure
):
    """LiteRT runs each of them; the open engine says what is in the way. (That the cure is one is
    shown by networks.make, which does what it says.)"""
    path = spelled(tmp_path / "refused.tflite", tensors, operators)
    Reference(path)
    with pytest.raises(KitError, match=r"cannot turn refused\.tflite into C") as error:
        generate_network(path, tmp_path / "network")
    assert words in str(error.value) and cure in error.value.next_step
    assert not (tmp_path / "network").exists()


@pytest.mark.parametrize(
    ("tensors", "operators"),
    [
        ("rxXxr", "QUANTIZE 0 1, FULLY_CONNECTED 12 3, DEQUANTIZE 3 4"),
        ("uxXxu", "QUANTIZE 0 1, FULLY_CONNECTED 12 3, QUANTIZE 3 4"),
        ("rHwr", "DEQUANTIZE 1 2, FULLY_CONNECTED 02 3"),
    ],
    ids=["float32 around int8", "uint8 around int8", "float16 weights"],
)
def test_what_converters_put_around_a_network(tmp_path, tensors, operators):
    """The converter's defaults work: other types at both ends, and weights of half the size."""
    path = spelled(tmp_path / "around.tflite", tensors, operators)
    inputs = random_inputs(path, 20)
    ours = HostNetwork(generate_network(path, tmp_path / "network")).run(inputs)
    np.testing.assert_allclose(ours, Reference(path).run(inputs), rtol=1e-6)


def changed(model, index, **fields):
    """A model in which a tensor has other fields, wherever it is used."""

    def swap(tensor):
        return replace(tensor, **fields) if tensor is not None and tensor.index == index else tensor

    operators = tuple(
        replace(op, inputs=tuple(map(swap, op.inputs)), outputs=tuple(map(swap, op.outputs)))
        for op in model.operators
    )
    ends = {name: tuple(map(swap, getattr(model, name))) for name in ("inputs", "outputs")}
    return replace(model, operators=operators, **ends)


@pytest.mark.parametrize(
    ("tensor", "fields", "words"),
    [
        ("w", {"scales": np.float32([0.1, 0.2]), "zero_points": np.array([0, 0])}, "2 scales"),
        ("w", {"shape": (3, 2, 2)}, "have not 2 dimensions"),
        ("w", {"dtype": "int4"}, "works on int4, int8"),
        ("b", {"shape": (2,)}, "2 biases for 3 outputs"),
        ("b", {"data": None}, "no step before it computes"),
        ("b", {"dtype": "int64"}, "is int64"),
        ("b", {"data": np.int32([0, -(2**31), 0])}, "do not fit"),
        ("x", {"scales": np.float32([np.nan])}, "not finite"),
        ("x", {"scales": np.float32([])}, "0 scales"),
        ("x", {"zero_points": np.array([-129])}, "outside"),
        ("x", {"shape": (1, 8)}, "3 rows of weights make"),
        ("y", {"scales": np.float32([0.0])}, "not above 0"),
        ("y", {"shape": (1, 2)}, "3 rows of weights make"),
        ("y", {"scales": np.float32([1e-38])}, "do not fit"),
    ],
)
def test_numbers_that_do_not_belong_together_make_no_c(tmp_path, tensor, fields, words):
    """LiteRT refuses most of them; where it would not, C would read beyond an array."""
    made = Tflite()
    x = made.tensor((1, 4), "int8", 0.1, 7)
    y = dense(made, x, 3, 4, bias=True)
    model = read_model(made.write(tmp_path / "good.tflite", [x], [y]))
    index = dict(zip("xwby", range(4), strict=True))[tensor]
    with pytest.raises(KitError, match=words):
        lower(changed(model, index, **fields))


@pytest.mark.parametrize(
    "ends", [["x a", "x b", "ba c"], ["x ab", "a c", "cb d"]], ids=["ADD(b, a)", "SPLIT"]
)
def test_a_step_of_two_inputs_or_outputs_overwrites_none(tmp_path, ends):
    """The arena sees all of them: what each holds is alive to the last step that reads it."""
    made = Tflite()
    x = made.tensor((1, 4), "int8", 0.1, 7)
    model = read_model(made.write(tmp_path / "good.tflite", [x], [dense(made, x, 4, 4)]))
    tensors = {n: replace(model.input, index=90 + i) for i, n in enumerate("abcd")}
    tensors["x"] = model.input
    sides = [[tuple(tensors[n] for n in side) for side in end.split()] for end in ends]
    steps = [Step("nn_any_int8", Operator("ANY", *pair), {}, {}) for pair in sides]
    base = {tensor.index: tensor.index for step in steps for tensor in step.operator.outputs}
    model = replace(model, outputs=(steps[-1].output,))
    offsets = place(model, steps, base | {model.input.index: model.input.index}).tensors
    assert len({offsets[tensors[n].index] for n in "abc"}) == 3
