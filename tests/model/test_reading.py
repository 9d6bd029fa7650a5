"""kit.model.tflite and reference: a file is described as it is, a bad one refused in words."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st
from made import model
from networks import EXAMPLE, Tflite, having

from kit.errors import KitError
from kit.model import Reference, read_model


def test_the_description_is_what_litert_says():
    """Names, shapes, types, scales and zero points of every tensor, against LiteRT's own."""
    theirs = Interpreter(str(model(EXAMPLE))).get_tensor_details()
    for tensor, detail in zip(read_model(model(EXAMPLE)).tensors, theirs, strict=False):
        quantization = detail["quantization_parameters"]
        assert tensor.name == detail["name"]
        assert tensor.shape == tuple(detail["shape"])
        assert np.dtype(tensor.dtype) == detail["dtype"]
        np.testing.assert_array_equal(tensor.scales, quantization["scales"])
        np.testing.assert_array_equal(tensor.zero_points, quantization["zero_points"])


@settings(deadline=None, max_examples=30, derandomize=True)
@given(share=st.floats(0.01, 0.99))
def test_a_truncated_model(tmp_path_factory, share):
    """A download that stopped half-way is an error at any length, never a wrong network."""
    content = model(EXAMPLE).read_bytes()
    file = tmp_path_factory.mktemp("truncated") / "half.tflite"
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(KitError):
        read_model(file)


def test_the_wrong_input_for_a_model():
    for wrong in (np.zeros((1, 20), np.float64), np.zeros((1, 21), np.int8), np.int8(0)):
        with pytest.raises(KitError, match=r"takes inputs of shape \('n', 20\) and dtype int8"):
            Reference(model(EXAMPLE)).run(wrong)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.tflite", None, "There is no file"),
        ("folder", None, "is a folder"),
        ("empty.tflite", b"", "TFL3.* It is empty"),
        ("picture.tflite", b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "TFL3"),
        ("zeros.tflite", b"\0" * 64, "TFL3"),
        ("digits.keras", b"PK\3\4" + bytes(60), "Keras model.*notebook 02-quantize.*xcubeai"),
        ("digits.h5", b"\x89HDF\r\n\x1a\n" + bytes(60), "Keras model.*notebook 02-quantize"),
    ],
)
def test_what_is_no_tflite_is_called_what_it_is(tmp_path, name, content, words):
    (tmp_path / "folder").mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    for use in (read_model, Reference):
        with pytest.raises(KitError, match=f"(?s){words}"):
            use(tmp_path / name)


def test_a_name_that_is_no_text(tmp_path):
    """LiteRT's own Python cannot decode it; the file is refused, not the program stopped."""
    made = Tflite()
    x, y = made.tensor((1, 3), "int8", 0.1, name=b"\xff\xfe\x80"), made.tensor((1, 3), "int8", 0.1)
    made.operator("RESHAPE", [x, made.tensor((2,), "int32", data=[1, 3])], [y])
    with pytest.raises(KitError, match=r"LiteRT says.*utf-8"):
        read_model(made.write(tmp_path / "name.tflite", [x], [y]))


def test_sparse_weights_are_called_so(tmp_path):
    """Half of a table in the file: the kit reads no sparse encoding, LiteRT does."""
    made, int32 = Tflite(), schema.SparseIndexVector.Int32Vector
    x, y = made.tensor((1, 4), "float32"), made.tensor((1, 2), "float32")
    w = made.tensor((2, 4), "float32", data=[1.5, -2.0])
    rows, columns = schema.DimensionMetadataT(), schema.DimensionMetadataT()
    rows.denseSize, columns.format = 2, schema.DimensionType.SPARSE_CSR
    columns.arraySegmentsType = columns.arrayIndicesType = int32
    columns.arraySegments = having(schema.Int32VectorT(), values=[0, 1, 2])
    columns.arrayIndices = having(schema.Int32VectorT(), values=[0, 3])
    sparsity = schema.SparsityParametersT()
    having(sparsity, traversalOrder=[0, 1], dimMetadata=[rows, columns])
    made.graph.tensors[w].sparsity = sparsity
    made.dense(x, w, y)
    path = made.write(tmp_path / "sparse.tflite", [x], [y])
    assert Reference(path).run(np.ones((1, 4), np.float32)).tolist() == [[1.5, -2.0]]
    with pytest.raises(KitError, match="weights of tensor 2 are sparse; convert without EXPER"):
        read_model(path)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"constant": 0, "size": 24}, "tensor 0 has 24 bytes of data and needs 12"),
        ({"constant": 0}, "tensor 0 is a constant and is written, too"),
        ({"constant": 1}, "tensor 1 is a constant and is written, too"),
        ({"twice": True}, "tensor 1 is written twice"),
        ({"output": -1}, "it has no tensor -1, which is an input or output"),
        ({"dtype": "float32"}, "operator 0, RESHAPE, makes int8 of float32"),
    ],
)
def test_what_leads_litert_beyond_its_memory_is_refused_before(tmp_path, fault, words):
    """It would write there without a word, and this process would die at some later time."""
    made, size = Tflite(), fault.get("size", 12)
    x, y = made.tensor((1, 4, 3), "int8", 0.1), made.tensor((1, 12), "int8", 0.1)
    made.operator("RESHAPE", [x, made.tensor((2,), "int32", data=[1, 12])], [y])
    assert read_model(made.write(tmp_path / "good.tflite", [x], [y])).output.shape == (1, 12)
    if "constant" in fault:
        data = made.tensor((size,), "int8", data=np.zeros(size))
        made.graph.tensors[fault["constant"]].buffer = made.graph.tensors[data].buffer
    made.graph.operators *= 1 + fault.get("twice", False)
    made.graph.tensors[x].type = getattr(schema.TensorType, fault.get("dtype", "int8").upper())
    path = made.write(tmp_path / "bad.tflite", [x], [fault.get("output", y)])
    for use in (read_model, Reference):
        with pytest.raises(KitError, match=f"It cannot be read: {words}"):
            use(path)


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
    """TensorFlow teaches numpy int4, of a byte each; in a file two share one."""
    with pytest.raises(KitError, match="int4"):
        _ = replace(read_model(model(EXAMPLE)).input, dtype="int4").bytes
