"""Damaged .tflite files, and a program that shows them to the kit: python mutants.py FIRST LAST C.

A worker of test_mutants.py, in a process of its own because it may die. For each number it prints
what became of the mutant: a line of JSON. C is how many of those that were accepted are compiled.
"""

import json
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from networks import Tflite, packed

from kit.compile import HostNetwork
from kit.errors import KitError
from kit.generate import generate_network
from kit.model import Reference, read_model, trial

SECONDS = 20  # for LiteRT to end
ROWS = 20
NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -0.5, 1e-45, 1e-30, 1e-9, 1e9, 3e38, 0.5, 1 / 256)
WHOLE = (-(2**31), -129, -128, -1, 0, 1, 2, 3, 7, 127, 128, 255, 2**16, 2**31 - 1)
NAMES = ("", "a" * 300, 'quote " */ ??/ \\', "line\nline", "Übung/ネット/x", "a;b/c/d")


def int8(per_channel: bool, target: str) -> bytes:
    """Reshaped, dense with ReLU, dense, softmax; `target` says how the reshape knows its shape."""
    generator, made = np.random.default_rng(1), Tflite()

    def dense(x, x_scale, rows, columns, **options):
        scales = [0.01 * (1 + row % 3) for row in range(rows)] if per_channel else 0.01
        table = generator.integers(-127, 128, (rows, columns))
        w = made.tensor(table.shape, "int8", scales, data=table)
        values = generator.integers(-999, 999, rows)
        b = made.tensor((rows,), "int32", x_scale * np.array(scales), data=values)
        y = made.tensor((1, rows), "int8", 0.15, -3)
        made.dense(x, w, y, b, **options)
        return y

    x = made.tensor((1, 4, 3), "int8", 0.1, 5)
    flat = made.tensor((1, 12), "int8", 0.1, 5)
    shape = constant_shape(made) if target == "constant" else computed_shape(made, x)
    made.operator("RESHAPE", [x, shape], [flat])
    y = dense(flat, 0.1, 8, 12, fusedActivationFunction=1)
    z = dense(y, 0.15, 6, 8)
    scores = made.tensor((1, 6), "int8", 1 / 256, -128)
    made.operator("SOFTMAX", [z], [scores], beta=1.0)
    made.graph.inputs, made.graph.outputs = [x], [scores]
    return packed(made.model)


def constant_shape(made: Tflite) -> int:
    """A RESHAPE's target as a constant."""
    return made.tensor((2,), "int32", data=[1, 12])


def computed_shape(made: Tflite, x: int) -> int:
    """A RESHAPE's target as Keras' Flatten leaves it: the batch of `x`, and 12."""
    whole, batch, shape = (made.tensor(size, "int32") for size in ((3,), (), (2,)))
    edges = [made.tensor((1,), "int32", data=[edge]) for edge in (0, 1, 1)]
    rest = made.tensor((), "int32", data=12)
    made.operator("SHAPE", [x], [whole], outType=schema.TensorType.INT32)
    made.operator("STRIDED_SLICE", [whole, *edges], [batch], shrinkAxisMask=1)
    made.operator("PACK", [batch, rest], [shape], valuesCount=2)
    return shape


def float32() -> bytes:
    """Two dense layers and a softmax."""
    generator, made = np.random.default_rng(2), Tflite()
    x = made.tensor((1, 5), "float32")
    w = made.tensor((4, 5), "float32", data=generator.normal(0, 1, (4, 5)))
    b = made.tensor((4,), "float32", data=generator.normal(0, 1, 4))
    y, z = made.tensor((1, 4), "float32"), made.tensor((1, 4), "float32")
    made.dense(x, w, y, b, fusedActivationFunction=3)
    made.operator("SOFTMAX", [y], [z], beta=1.0)
    made.graph.inputs, made.graph.outputs = [x], [z]
    return packed(made.model)


BASES = [int8(False, "constant"), int8(True, "computed"), float32()]


def mutant(number: int) -> bytes:
    """The damaged file of this number: by bytes, or by what the schema calls them."""
    rng = np.random.default_rng(number)
    content = bytearray(BASES[number % len(BASES)])
    kind = rng.integers(10)
    if kind < 2:  # bytes turned over
        for place in rng.integers(0, len(content), rng.integers(1, 6)):
            content[place] = rng.integers(256)
    elif kind == 2:
        del content[rng.integers(len(content)) :]
    elif kind == 3:  # a piece written, inserted or left out elsewhere
        start, to, length = rng.integers(0, len(content), 3) // (1, 1, 8)
        piece = content[start : start + length]
        content[to : to + rng.integers(0, 2) * len(piece)] = piece
    else:
        model = schema.ModelT.InitFromPackedBuf(bytes(content), 0)
        for _ in range(rng.integers(1, 3)):
            with suppress(ValueError):  # the first change may have left nothing for the second
                CHANGES[rng.integers(len(CHANGES))](rng, model.subgraphs[0], model)
        return packed(model)
    return bytes(content)


def one(rng, values) -> Any:
    return values[rng.integers(len(values))]


def change_scale(rng, graph, _model) -> None:
    quantization = one(rng, graph.tensors).quantization
    if quantization is not None and quantization.scale is not None:
        scale = np.array(quantization.scale, np.float32)
        scale[rng.integers(len(scale))] = one(rng, NUMBERS)
        quantization.scale = one(rng, [scale, scale, scale[:-1], np.repeat(scale, 2)])


def change_zero_point(rng, graph, _model) -> None:
    quantization = one(rng, graph.tensors).quantization
    if quantization is not None and quantization.zeroPoint is not None:
        zero = np.full_like(quantization.zeroPoint, one(rng, WHOLE))
        quantization.zeroPoint = one(rng, [zero, zero, zero[:-1]])
        quantization.quantizedDimension = one(rng, (0, 0, 1, -1, 5))


def change_shape(rng, graph, _model) -> None:
    tensor = one(rng, graph.tensors)
    shape = list(tensor.shape)
    if shape:
        shape[rng.integers(len(shape))] = one(rng, WHOLE[3:10])
    tensor.shape = one(rng, [shape, shape, shape[:-1], [*shape, 1], shape[::-1]])


def change_tensor(rng, graph, model) -> None:
    tensor = one(rng, graph.tensors)
    field, values = one(rng, [
        ("type", range(20)), ("buffer", range(len(model.buffers) + 1)), ("name", NAMES),
        ("isVariable", (True,)), ("quantization", (None,)),
        ("sparsity", (schema.SparsityParametersT(),)),
    ])  # fmt: skip
    setattr(tensor, field, one(rng, values))


def change_operator(rng, graph, model) -> None:
    operator = one(rng, graph.operators)
    field = one(rng, ("inputs", "outputs"))
    indices = list(getattr(operator, field))
    if indices:
        indices[rng.integers(len(indices))] = rng.integers(-2, len(graph.tensors) + 2)
    setattr(operator, field, one(rng, [indices, indices, indices[:-1], [*indices, 0]]))
    operator.opcodeIndex = one(rng, [operator.opcodeIndex] * 9 + [len(model.operatorCodes)])


def change_order(rng, graph, model) -> None:
    place = rng.integers(len(graph.operators))
    operator = graph.operators.pop(place)
    graph.operators[place:place] = [[], [operator] * 2][rng.integers(2)]
    ends = one(rng, ("inputs", "outputs"))
    if rng.integers(2):
        setattr(graph, ends, one(rng, [[], [0, 1], [rng.integers(len(graph.tensors) + 1)]]))
    model.operatorCodes[rng.integers(len(model.operatorCodes))].version = one(rng, WHOLE[4:9])


def change_options(rng, graph, model) -> None:
    options = one(rng, graph.operators).builtinOptions
    for field in vars(options) if options else ():
        old = getattr(options, field)
        if isinstance(old, float):
            setattr(options, field, float(one(rng, NUMBERS)))
        elif isinstance(old, int) and rng.integers(2):
            setattr(options, field, one(rng, range(7)) if not isinstance(old, bool) else not old)
    if not rng.integers(5):
        code = one(rng, model.operatorCodes)
        code.builtinCode = code.deprecatedBuiltinCode = rng.integers(127)


def change_constant(rng, _graph, model) -> None:
    buffer = one(rng, model.buffers[1:])
    data = np.array(buffer.data, np.uint8)
    words = data[: len(data) // 4 * 4].view(rng.choice([np.float32, np.int32]))
    if len(words):
        words[rng.integers(len(words))] = one(rng, NUMBERS if words.dtype.kind == "f" else WHOLE)
    buffer.data = one(rng, [data, data, data, data[:-1], np.repeat(data, 2), data[::-1]])


CHANGES = (change_scale, change_scale, change_zero_point, change_shape, change_tensor,
           change_operator, change_order, change_options, change_constant)  # fmt: skip


def fate(path: Path, compiles: bool) -> str:
    """What the kit makes of a file: "refused", "accepted" (and not compiled), "equal", or else."""
    try:
        network = generate_network(path, path.parent / "network")
    except KitError as error:
        told = error.what and error.next_step and len(str(error)) < 1000
        return "refused" if told else f"a refusal that does not help: {error}"
    if not compiles:
        return "accepted"
    tensor = read_model(path).input
    rng = np.random.default_rng(3)
    inputs = rng.integers(-128, 128, (ROWS, *tensor.shape[1:]), np.int8)
    if tensor.dtype == "float32":
        inputs = rng.normal(0, 1, inputs.shape).astype(np.float32)
    theirs = Reference(path).run(inputs).reshape(ROWS, -1)
    ours = HostNetwork(network).run(inputs).reshape(ROWS, -1)
    if tensor.dtype == "int8":
        return "equal" if np.array_equal(ours, theirs) else "not what LiteRT computes"
    countable = np.isfinite(theirs) & (np.abs(theirs) < 1e30)
    near = np.allclose(ours[countable], theirs[countable], 1e-4, 1e-5)
    return "equal" if near else "not near what LiteRT computes"


def main(first: int, last: int, compiled: int) -> None:
    trial.SECONDS = SECONDS
    left = compiled
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.tflite"
        for number in range(first, last):
            print(json.dumps(number), end=" ", flush=True)
            path.write_bytes(mutant(number))
            try:
                found = fate(path, left > 0)
            except Exception as error:
                found = f"a raw error: {error!r}"
            left -= found == "equal"
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
