"""A .tflite file is described as it is, and a bad one is refused with a reason."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Spec, Tflite, make, quantizing

from kit.errors import KitError
from kit.model import (
    Reference,
    Tensor,
    describe_range,
    input_range,
    output_to_scores,
    pixels_to_input,
    read_model,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    spec = Spec(20, (12, 5), "relu", True, True, True, True, 0.3, 1)
    return make(spec, tmp_path_factory.mktemp("model") / "example.tflite")


def test_the_description_is_what_litert_says(path):
    """Names, shapes, types, scales and zero points of every tensor, against LiteRT's own."""
    from ai_edge_litert.interpreter import Interpreter

    theirs = Interpreter(str(path)).get_tensor_details()
    for tensor, detail in zip(read_model(path).tensors, theirs, strict=False):
        quantization = detail["quantization_parameters"]
        assert tensor.name == detail["name"]
        assert tensor.shape == tuple(detail["shape"])
        assert np.dtype(tensor.dtype) == detail["dtype"]
        np.testing.assert_array_equal(tensor.scales, quantization["scales"])
        np.testing.assert_array_equal(tensor.zero_points, quantization["zero_points"])


def test_a_missing_file(tmp_path):
    with pytest.raises(KitError, match="no file"):
        read_model(tmp_path / "missing.tflite")


@pytest.mark.parametrize("content", [b"", b"PNG", b"\0" * 64, b"\x89PNG\r\n\x1a\n" + b"\0" * 99])
def test_a_file_that_is_no_model(tmp_path, content):
    file = tmp_path / "wrong.tflite"
    file.write_bytes(content)
    with pytest.raises(KitError, match="TFL3"):
        read_model(file)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(share=st.floats(0.01, 0.99))
def test_a_truncated_model(path, tmp_path_factory, share):
    """A download that stopped half-way is an error at any length, never a wrong network."""
    content = path.read_bytes()
    file = tmp_path_factory.mktemp("truncated") / "half.tflite"
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(KitError):
        read_model(file)


def test_the_wrong_input_for_a_model(path):
    with pytest.raises(KitError, match="int8"):
        Reference(path).run(np.zeros((1, 20), np.float64))
    with pytest.raises(KitError, match=r"20"):
        Reference(path).run(np.zeros((1, 21), np.int8))


def _input(scale, zero_point, dtype="int8"):
    scales, zeros = np.array([scale], np.float32), np.array([zero_point])
    return Tensor(0, "x", (1, 256), dtype, scales, zeros)


def test_pixels_are_pixel_minus_128():
    """The heart of the kit: with scale 1/255 and zero point -128 preparing is a subtraction."""
    pixels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(
        pixels_to_input(pixels, _input(1 / 255, -128)), pixels.astype(int) - 128
    )


@given(st.floats(1e-3, 1.0), st.integers(-128, 127))
def test_pixels_follow_scale_and_zero_point(scale, zero_point):
    """Every pixel becomes the integer that is nearest to it, kept in the range of int8."""
    tensor = _input(scale, zero_point)
    pixels = np.arange(256, dtype=np.uint8)
    exact = pixels / 255 / np.float64(tensor.scale) + zero_point
    made = pixels_to_input(pixels, tensor, (0, 1))
    np.testing.assert_array_less(np.abs(made - np.clip(exact, -128, 127)), 0.5 + 1e-3)


@pytest.mark.parametrize(
    ("scale", "zero_point", "expected"),
    [
        (1 / 255, -128, (0, 1)),
        (1 / 256, -128, (0, 1)),
        (1, -128, (0, 255)),
        (2 / 255, 0, (-1, 1)),
        (2 / 255, -1, (-1, 1)),
        (0.0129, -96, None),  # mean 0.13 and deviation 0.31 taken out
        (6 / 255, -128, None),
    ],
)
def test_the_input_tells_how_pixels_were_scaled_for_training(scale, zero_point, expected):
    """A network trained on other than pixels / 255 is not taken for one that was."""
    assert input_range(_input(scale, zero_point)) == expected
    if expected is None:
        with pytest.raises(KitError, match="--input-range"):
            pixels_to_input(np.zeros((1, 4), np.uint8), _input(scale, zero_point))


def test_a_float32_input_does_not_tell_and_that_is_said():
    assert input_range(_input(0, 0, "float32")) == (0, 1)
    assert "float32 does not tell" in describe_range((0, 1), "float32")


@pytest.mark.parametrize("span", [(0, 1), (0, 255), (-1, 1), (-0.4242, 2.8215), (1, 0)])
@pytest.mark.parametrize("zero_point", [-128, -1, 0, 30])
def test_pixels_become_what_litert_quantizes_them_to(tmp_path, span, zero_point):
    """All 256 pixels, beside LiteRT's own QUANTIZE of the real numbers that training used."""
    low, high = map(np.float32, span)
    scale = np.float32(abs(high - low) / 255)
    path = quantizing(tmp_path / "quantize.tflite", scale, zero_point)
    pixels = np.arange(256, dtype=np.uint8)
    real = pixels_to_input(pixels, _input(0, 0, "float32"), span)
    np.testing.assert_allclose(real, low + pixels / 255 * (high - low), atol=1e-4 * abs(high))
    np.testing.assert_array_equal(
        pixels_to_input(pixels, _input(scale, zero_point), span), Reference(path).run(real[None])[0]
    )


def test_a_uint8_input_takes_the_pixels_themselves():
    pixels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(pixels_to_input(pixels, _input(1 / 255, 0, "uint8")), pixels)


@pytest.mark.parametrize(
    ("dtype", "scale"), [("float16", 0), ("int4", 0.1), ("bool", 0), ("unknown", 0), ("int8", 0)]
)
def test_an_input_that_takes_no_pixels_says_so(dtype, scale):
    for span in (None, (0, 1)):
        with pytest.raises(KitError, match=f"for an input of {dtype}"):
            pixels_to_input(np.zeros((1, 4), np.uint8), _input(scale, 0, dtype), span)


def test_scores_are_real_numbers():
    tensor = _input(1 / 256, -128)
    values = np.array([-128, 0, 127], np.int8)
    np.testing.assert_allclose(output_to_scores(values, tensor), [0, 0.5, 255 / 256])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.tflite", b"", "is empty"),
        ("digits.keras", b"PK\3\4" + bytes(60), "Keras model.*notebook 02-quantize.*xcubeai"),
        ("digits.h5", b"\x89HDF\r\n\x1a\n" + bytes(60), "Keras model.*notebook 02-quantize"),
        ("folder.tflite", None, "is a folder"),
    ],
)
def test_what_is_no_tflite_is_called_what_it_is(tmp_path, name, content, words):
    path = tmp_path / name
    path.mkdir() if content is None else path.write_bytes(content)
    for use in (read_model, Reference):
        with pytest.raises(KitError, match=f"(?s){words}"):
            use(path)


def dense_file(path, **changes):
    """One dense layer of 3 inputs and 2 outputs; `changes` are fields of its input's tensor."""
    made = Tflite()
    x, y = made.tensor((1, 3), "int8", 0.1), made.tensor((1, 2), "int8", 0.1)
    w = made.tensor((2, 3), "int8", 0.1, data=[[1, 2, 3], [4, 5, 6]])
    vars(made.graph.tensors[x]).update(changes)
    made.dense(x, w, y)
    return made, made.write(path, [x], [y])


def test_a_name_that_is_no_text(tmp_path):
    """LiteRT's own Python cannot decode it; the file is refused, not the program stopped."""
    _, path = dense_file(tmp_path / "name.tflite", name=b"\xff\xfe\x80")
    with pytest.raises(KitError, match=r"LiteRT says.*utf-8"):
        read_model(path)


def test_sparse_weights_are_called_so(tmp_path):
    """Half of a table in the file: the kit reads no sparse encoding, LiteRT does."""
    made, x, y = Tflite(), *(0, 1)
    made.tensor((1, 4), "float32"), made.tensor((1, 2), "float32")
    w = made.tensor((2, 4), "float32", data=[1.5, -2.0])
    sparsity = made.graph.tensors[w].sparsity = schema.SparsityParametersT()
    sparsity.traversalOrder, sparsity.dimMetadata = [0, 1], []
    for kind, size in ((schema.DimensionType.DENSE, 2), (schema.DimensionType.SPARSE_CSR, 0)):
        dimension = schema.DimensionMetadataT()
        dimension.format, dimension.denseSize = kind, size
        sparsity.dimMetadata.append(dimension)
    for field, values in (("arraySegments", [0, 1, 2]), ("arrayIndices", [0, 3])):
        setattr(dimension, f"{field}Type", schema.SparseIndexVector.Int32Vector)
        setattr(dimension, field, schema.Int32VectorT())
        getattr(dimension, field).values = values
    made.dense(x, w, y)
    path = made.write(tmp_path / "sparse.tflite", [x], [y])
    assert Reference(path).run(np.ones((1, 4), np.float32)).tolist() == [[1.5, -2.0]]
    with pytest.raises(KitError, match="weights of tensor 2 are sparse; convert without EXPER"):
        read_model(path)


def collapsed(path, scale=1e-9):
    """A softmax over values of this scale: at 2^-26 and below LiteRT's kernels call abort()."""
    made = Tflite()
    x, y = made.tensor((1, 3), "int8", scale), made.tensor((1, 3), "int8", 1 / 256, -128)
    made.operator("SOFTMAX", [x], [y], beta=1.0)
    return made.write(path, [x], [y])


def test_what_ends_a_process_is_told_in_words(tmp_path, capfd):
    """A collapsed training: LiteRT would end this process without a word. The next model works."""
    path = collapsed(tmp_path / "collapsed.tflite")
    for use in (read_model, Reference):
        with pytest.raises(KitError, match=r"LiteRT cannot run collapsed.*ended") as error:
            use(path)
        assert "training that collapsed" in error.value.why and "convert anew" in str(error.value)
    read_model(collapsed(tmp_path / "good.tflite", 0.1))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("command", ["validate --random 5", "generate --out network"])
def test_commands_end_in_words_and_not_by_a_signal(tmp_path, command):
    path = collapsed(tmp_path / "collapsed.tflite")
    name, *options = command.split()
    line = [sys.executable, "-m", "kit", name, str(path), *options]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "Next: " in done.stderr and not (tmp_path / "network").exists()


def test_the_size_of_a_type_that_numpy_lacks():
    with pytest.raises(KitError, match="int4"):
        _ = replace(_input(1.0, 0), dtype="int4").bytes
