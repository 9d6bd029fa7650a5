"""kit.generate.graph, operators and arena: what the engine can do is placed, the rest refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import Tflite, dense

from kit.errors import KitError
from kit.generate import generate_network
from kit.generate.arena import Lifetime, plan
from kit.generate.graph import lower, place
from kit.generate.step import Step
from kit.model import Operator, Reference, read_model

lifetimes = st.builds(
    lambda size, first, length: Lifetime(size, first, first + length),
    st.integers(1, 500),
    st.integers(0, 10),
    st.integers(0, 4),
)


@given(st.lists(lifetimes, max_size=12))
def test_tensors_that_live_together_never_overlap(lives):
    """The arena plan may not let one tensor overwrite another that is still needed."""
    offsets, size = plan(dict(enumerate(lives)))
    places = [(life, offsets[number]) for number, life in enumerate(lives)]
    for number, (life, offset) in enumerate(places):
        assert offset % 4 == 0 and offset + life.size <= size
        for other, other_offset in places[:number]:
            apart = offset + life.size <= other_offset or other_offset + other.size <= offset
            assert apart or not life.overlaps(other)


def cropped(reshape):
    """A dense layer behind a slice of the input: data, not shape arithmetic."""
    made = Tflite()
    x, part = made.tensor((1, 8), "int8", 0.1, 7), made.tensor((1, 4), "int8", 0.1, 7)
    edges = [made.tensor((2,), "int32", data=edge) for edge in ([0, 2], [1, 6], [1, 1])]
    made.operator("STRIDED_SLICE", [x, *edges], [part])
    if reshape:
        target = made.tensor((2,), "int32", data=[1, 4])
        part, before = made.tensor((1, 4), "int8", 0.1, 7), part
        made.operator("RESHAPE", [before, target], [part])
    return made, x, dense(made, part, 3, 4)


def computed_bias():
    """A float layer whose bias is what another makes."""
    made = Tflite()
    x, bias, y = (made.tensor((1, 2), "float32") for _ in range(3))
    w = made.tensor((2, 2), "float32", data=np.eye(2))
    made.dense(x, w, bias)
    made.dense(x, w, y, bias)
    return made, x, y


def around_int8():
    """What the converter makes by default: float32 outside, int8 inside."""
    made = Tflite()
    x, stored = made.tensor((1, 4), "float32"), made.tensor((1, 4), "int8", 0.1, 7)
    made.operator("QUANTIZE", [x], [stored])
    y, real = dense(made, stored, 3, 4), made.tensor((1, 3), "float32")
    made.operator("DEQUANTIZE", [y], [real])
    return made, x, real


def of_types(data, weights, **quantized):
    """A dense layer of these types."""
    made = Tflite()
    scale = {"scale": 0.1, "zero_point": 3} if data == "uint8" else {}
    x, y = (made.tensor((1, 4), data, **scale) for _ in range(2))
    w = made.tensor((4, 4), weights, **quantized, data=np.ones((4, 4)))
    made.dense(x, w, y)
    return made, x, y


def shifted_weights():
    """Weights with a zero point, which int8 of today does not have."""
    made = Tflite()
    x, y = made.tensor((1, 4), "int8", 0.1), made.tensor((1, 4), "int8", 0.1)
    made.dense(x, made.tensor((4, 4), "int8", 0.1, 5, data=np.ones((4, 4))), y)
    return made, x, y


def float16():
    """Weights that are made float32 on every run."""
    made = Tflite()
    x, y, w = (made.tensor(shape, "float32") for shape in ((1, 2), (1, 2), (2, 2)))
    made.operator("DEQUANTIZE", [made.tensor((2, 2), "float16", data=np.eye(2))], [w])
    made.dense(x, w, y)
    return made, x, y


def unknown():
    """An operator for which there is no file."""
    made = Tflite()
    x, y = made.tensor((1, 4), "float32"), made.tensor((1, 4), "float32")
    made.operator("LOGISTIC", [x], [y])
    return made, x, y


REFUSED = {
    "a slice": (lambda: cropped(False), "it uses STRIDED_SLICE", "FULLY_CONNECTED"),
    "a slice, reshaped": (lambda: cropped(True), "it uses STRIDED_SLICE", "FULLY_CONNECTED"),
    "no file": (unknown, "it uses LOGISTIC", "FULLY_CONNECTED, RESHAPE, SOFTMAX"),
    "a computed bias": (computed_bias, "the bias of a FULLY_CONNECTED are computed", ""),
    "float outside": (around_int8, "converter's default", "inference_input_type = tf.int8"),
    "uint8": (lambda: of_types("uint8", "uint8", scale=0.1), "uint8 is how older", "tf.int8"),
    "weights alone": (lambda: of_types("float32", "int8", scale=0.1), "dynamic-range", "tf.int8"),
    "float16": (float16, "float16", "tf.int8"),
    "shifted weights": (shifted_weights, "zero point other than 0", ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_engine_cannot_do_is_named_with_its_cure(tmp_path, case):
    """LiteRT runs each of them; the open engine says what is in the way. (That the cure is one is
    shown by networks.make, which does what it says.)"""
    build_file, words, cure = REFUSED[case]
    made, x, y = build_file()
    path = made.write(tmp_path / "refused.tflite", [x], [y])
    Reference(path)
    with pytest.raises(KitError, match=r"cannot turn refused\.tflite into C") as error:
        generate_network(path, tmp_path / "network")
    assert words in str(error.value) and cure in error.value.next_step
    assert not (tmp_path / "network").exists()


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
        ("w", {"shape": (3, 2, 2)}, "not a table of rows"),
        ("w", {"dtype": "int4"}, "works on int4, int8"),
        ("b", {"shape": (2,)}, "3 rows of weights make"),
        ("b", {"data": None}, "no step before it computes"),
        ("b", {"dtype": "int64"}, "is int64"),
        ("b", {"data": np.int32([0, -(2**31), 0])}, "do not fit"),
        ("x", {"scales": np.float32([np.nan])}, "not finite"),
        ("x", {"scales": np.float32([])}, "0 scales"),
        ("x", {"zero_points": np.array([-129])}, "outside"),
        ("x", {"shape": (1, 8)}, "takes a batch"),
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
    steps = [
        Step(
            "nn",
            Operator("ANY", *(tuple(tensors[n] for n in side) for side in end.split())),
            {},
            {},
        )
        for end in ends
    ]
    base = {tensor.index: tensor.index for step in steps for tensor in step.operator.outputs}
    model = replace(model, outputs=(steps[-1].output,))
    offsets, _ = place(model, steps, base | {model.input.index: model.input.index})
    assert len({offsets[tensors[n].index] for n in "abc"}) == 3
