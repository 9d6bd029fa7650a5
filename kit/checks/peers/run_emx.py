"""Executed by the Python of emx-onnx-cgen's own environment: `run_emx.py WEIGHTS.npz FOLDER`.

The network becomes an ONNX graph, in int8 with the scales and zero points of the .tflite. A ReLU
there is nothing but the saturation of the operator before it: its zero point is the least value.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = 13
OF_ONNX_RUNTIME = ("QGemm", "QLinearSoftmax")  # not ONNX's own, but emx-onnx-cgen has them
CODE = ("--large-weight-threshold", "0", "--large-temp-threshold", "0")  # no files, no heap
CALL = """
int peer_run(const void *inputs, void *outputs)
{
    peer(inputs, outputs);
    return 0;
}
"""


class Graph:
    """Nodes and constants of the graph, as layers are added; images are [channels][y][x]."""

    def __init__(self, arrays: Any) -> None:
        self.arrays, self.constants, self.nodes = arrays, list[Any](), list[Any]()
        self.quantized, self.image = arrays["0_input_scale"].size > 0, tuple[int, ...]()

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        domain = "com.microsoft" if kind in OF_ONNX_RUNTIME else ""
        self.nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))

    def constant(self, name: str, array: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def numbers(self, tensor: str) -> list[str]:
        """Scale and zero point of a tensor: scalars, or one of each channel."""
        names = []
        for what, dtype in (("scale", np.float32), ("zero", np.int8)):
            array = self.arrays[f"{tensor}_{what}"].astype(dtype)
            array = array if array.size > 1 else array.reshape(())
            names.append(self.constant(f"{tensor}_{what}", array))
        return names

    def layer(self, number: int, layer: dict[str, Any], x: str, y: str) -> None:
        """A layer from tensor x to tensor y."""
        kind = layer["kind"]
        if kind == "MAX_POOL_2D":
            self.add("MaxPool", [x], y, kernel_shape=layer["window"], strides=layer["strides"])
        elif kind == "SOFTMAX" and self.quantized:
            ends = self.numbers(f"{number}_input") + self.numbers(f"{number}_output")
            self.add("QLinearSoftmax", [x, *ends], y, axis=-1, opset=OPSET)
        elif kind == "SOFTMAX":
            self.add("Softmax", [x], y, axis=-1)
        else:
            self.weighted(number, layer, x, y)
        self.image = layer["shape"][1:] if len(layer["shape"]) == 4 else ()

    def weighted(self, number: int, layer: dict[str, Any], x: str, y: str) -> None:
        """A dense layer, or a convolution."""
        is_dense, array = layer["kind"] == "FULLY_CONNECTED", self.arrays[f"{number}_weights"]
        if not is_dense:
            array = array.transpose(0, 3, 1, 2)
        elif self.image:  # its inputs are [y][x][channels] in the .tflite
            array = array.reshape(-1, *self.image).transpose(0, 3, 1, 2).reshape(len(array), -1)
            self.add("Flatten", [x], x := f"{x}_flat")
        weights = self.constant(f"{number}_weights", array)
        bias = self.constant(f"{number}_bias", self.arrays[f"{number}_bias"])
        if not self.quantized:  # dense layers only
            made = f"{y}_linear" if layer["relu"] else y
            self.add("Gemm", [x, weights, bias], made, transB=1)
            if layer["relu"]:
                self.add("Relu", [made], y)
            return
        ends = self.numbers(f"{number}_input"), self.numbers(f"{number}_output")
        inputs = [x, *ends[0], weights, *self.numbers(f"{number}_weights")]
        if is_dense:
            self.add("QGemm", [*inputs, bias, *ends[1]], y, transB=1)
        else:
            self.add("QLinearConv", [*inputs, *ends[1], bias], y, strides=layer["strides"])


def write_graph(weights: str, folder: Path) -> int:
    """The graph as C with one function; the exit code of emx-onnx-cgen."""
    with np.load(weights) as arrays:
        graph, layers = Graph(arrays), json.loads(str(arrays["layers"]))
        name, model, code = "input", folder / "peer.onnx", folder / "peer.c"
        for number, layer in enumerate(layers):
            following = f"after_{number}" if layer is not layers[-1] else "output"
            graph.layer(number, layer, name, following)
            name = following
    kind = onnx.TensorProto.INT8 if graph.quantized else onnx.TensorProto.FLOAT
    first, last = layers[0], layers[-1]
    of_image = first["kind"] == "CONV_2D"
    ends = ("input", [1, 1, 28, 28] if of_image else [1, 784]), ("output", last["shape"])
    tensors = ([helper.make_tensor_value_info(what, kind, shape)] for what, shape in ends)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    made = helper.make_graph(graph.nodes, "network", *tensors, graph.constants)
    onnx.save(helper.make_model(made, opset_imports=opsets), model)
    command = [sys.executable, "-I", "-m", "emx_onnx_cgen", "compile", "--model-name", "peer"]
    done = subprocess.run([*command, *CODE, model, code], check=False)
    model.unlink()
    if done.returncode == 0:
        with code.open("a", encoding="utf-8") as file:
            file.write(CALL)
    return done.returncode


sys.exit(write_graph(sys.argv[1], Path(sys.argv[2])))
