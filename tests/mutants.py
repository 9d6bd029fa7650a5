"""Damaged .tflite files, and a program that shows them to the kit: python mutants.py FIRST LAST C.

A worker of test_mutants.py, in a process of its own because it may die. For each number it prints
a line: what became of the mutant. C is how many of those that were accepted are compiled.
"""

import os
import runpy
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from graphs import random_values
from networks import Tflite, dense, packed

from kit.compile import HostNetwork
from kit.errors import KitError
from kit.generate import generate_network
from kit.model import Reference, read_model, reference
from kit.programs import Done

SECONDS = 20  # for LiteRT to end
ROWS = 20
NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -0.5, 1e-45, 1e-30, 1e-9, 1e9, 3e38, 0.5, 1 / 256)
WHOLE = (-(2**31), -129, -128, -1, 0, 1, 2, 3, 4, 7, 9, 25, 127, 128, 255, 2**31 - 1)
NAMES = (b"", b"a" * 300, b'quote " */ ??/ \\', b"line\nline", "Übung/ネ".encode(), b"a;b/c")


def int8(per_channel: bool) -> bytes:
    """Reshaped, dense with ReLU, dense, softmax; `per_channel` the shape is computed, too."""
    made = Tflite()
    x, flat = made.tensor((1, 4, 3), "int8", 0.1, 7), made.tensor((1, 12), "int8", 0.1, 7)
    scales = [0.01, 0.02, 0.03] * 2 if per_channel else 0.01
    shape = computed_shape(made, x) if per_channel else made.tensor((2,), "int32", data=[1, 12])
    made.operator("RESHAPE", [x, shape], [flat])
    y = dense(made, flat, 6, 12, scales, bias=True, fusedActivationFunction=1)
    z = dense(made, y, 6, 6, scales, bias=True)
    scores = made.tensor((1, 6), "int8", 1 / 256, -128)
    made.operator("SOFTMAX", [z], [scores], beta=1.0)
    made.graph.inputs, made.graph.outputs = [x], [scores]
    return packed(made.model)


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
    """A dense layer and a softmax."""
    generator, made = np.random.default_rng(2), Tflite()
    x, y, z = (made.tensor((1, size), "float32") for size in (5, 4, 4))
    w = made.tensor((4, 5), "float32", data=generator.normal(0, 1, (4, 5)))
    b = made.tensor((4,), "float32", data=generator.normal(0, 1, 4))
    made.dense(x, w, y, b, fusedActivationFunction=3)
    made.operator("SOFTMAX", [y], [z], beta=1.0)
    made.graph.inputs, made.graph.outputs = [x], [z]
    return packed(made.model)


def int16() -> bytes:
    """A convolution, a dense layer and a softmax, int16 with weights of int8."""
    rng, made = np.random.default_rng(5), Tflite()
    step, wide = {"strideW": 2, "strideH": 1}, {"quantizedBiasType": schema.TensorType.INT64}
    x, y = made.tensor((1, 4, 4, 2), "int16", 0.001), made.tensor((1, 4, 2, 3), "int16", 0.002)
    w = made.tensor((3, 3, 3, 2), "int8", [0.01, 0.02, 0.03], data=rng.integers(-127, 127, 54))
    b = made.tensor((3,), "int64", [1e-5, 2e-5, 3e-5], data=rng.integers(-900, 900, 3))
    made.operator("CONV_2D", [x, w, b], [y], **step, **wide, fusedActivationFunction=1)
    flat = made.tensor((1, 24), "int16", 0.002)
    made.operator("RESHAPE", [y, made.tensor((2,), "int32", data=[1, 24])], [flat])
    w = made.tensor((4, 24), "int8", 0.01, data=rng.integers(-127, 127, 96))
    b = made.tensor((4,), "int64", 2e-5, data=rng.integers(-900, 900, 4))
    z, scores = made.tensor((1, 4), "int16", 0.001), made.tensor((1, 4), "int16", 2.0**-15)
    made.dense(flat, w, z, b, **wide)
    made.operator("SOFTMAX", [z], [scores], beta=1.0)
    made.graph.inputs, made.graph.outputs = [x], [scores]
    return packed(made.model)


def dynamic_range() -> bytes:
    """Dense layers of float32 with weights of int8, a scale a channel and one for all."""
    rng, made = np.random.default_rng(6), Tflite()
    x, y, z = (made.tensor((1, size), "float32") for size in (5, 4, 3))
    w = made.tensor((4, 5), "int8", [0.01, 0.02, 0.03, 0.04], data=rng.integers(-127, 127, 20))
    b = made.tensor((4,), "float32", data=rng.normal(0, 1, 4))
    made.dense(x, w, y, b, asymmetricQuantizeInputs=True, fusedActivationFunction=1)
    w = made.tensor((3, 4), "int8", 0.02, data=rng.integers(-127, 127, 12))
    made.dense(y, w, z, None)
    made.graph.inputs, made.graph.outputs = [x], [z]
    return packed(made.model)


def layer(made: Tflite, name: str, inputs, shape, scale, zero_point=0, **options) -> int:
    """An operator and its int8 output."""
    y = made.tensor(shape, "int8", scale, zero_point)
    made.operator(name, inputs, [y], **options)
    return y


def windows(borders: str) -> bytes:
    """Convolutions, poolings, a residual and joined branches, between float32 or uint8 ends."""
    rng, made = np.random.default_rng(4), Tflite()
    source, flat = made.tensor((1, 6, 6, 2), borders, 0.05, 128 * (borders == "uint8")), (1, 4)
    x, step = layer(made, "QUANTIZE", [source], (1, 6, 6, 2), 0.05), {"strideW": 1, "strideH": 1}
    size = {"filterWidth": 2, "filterHeight": 2, "strideW": 2, "strideH": 2}

    def weights(shape, axis, scale):
        scales = scale * (1 + np.arange(shape[axis]) / 8)
        w = made.tensor(shape, "int8", scales, data=rng.integers(-127, 128, shape))
        made.graph.tensors[w].quantization.quantizedDimension = axis
        bias = rng.integers(-900, 900, shape[axis])
        return [w, made.tensor(bias.shape, "int32", scale * 0.05, data=bias)]

    numbers = [made.tensor((4, 2), "int32", data=[[0, 0], [1, 1], [0, 1], [0, 0]])]
    numbers.append(made.tensor((2,), "int32", data=[1, 2]))
    a = layer(made, "CONV_2D", [x, *weights((4, 3, 3, 2), 0, 0.01)], (1, 6, 6, 4), 0.05, **step)
    inputs = [a, *weights((1, 3, 3, 4), 3, 0.01)]
    b = layer(made, "DEPTHWISE_CONV_2D", inputs, (1, 6, 6, 4), 0.05, **step, depthMultiplier=1)
    c = layer(made, "ADD", [a, b], (1, 6, 6, 4), 0.1, 5, fusedActivationFunction=1)
    d = layer(made, "MAX_POOL_2D", [c], (1, 3, 3, 4), 0.1, 5, **size)
    e = layer(made, "AVERAGE_POOL_2D", [c], (1, 3, 3, 4), 0.1, 5, **size)
    f = layer(made, "CONCATENATION", [d, e], (1, 3, 3, 8), 0.1, 5, axis=3)
    g = layer(made, "PAD", [f, numbers[0]], (1, 5, 4, 8), 0.1, 5)
    h = layer(made, "MUL", [g, g], (1, 5, 4, 8), 0.2)
    i = layer(made, "LEAKY_RELU", [h], (1, 5, 4, 8), 0.2, alpha=0.2)
    j = layer(made, "MEAN", [i, numbers[1]], (1, 8), 0.05)
    k = layer(made, "FULLY_CONNECTED", [j, *weights((4, 8), 0, 0.01)], flat, 0.05)
    y = layer(made, "SOFTMAX", [k], flat, 1 / 256, -128, beta=1.0)
    z = layer(made, "HARD_SWISH", [k], flat, 0.1)
    z = layer(made, "TANH", [layer(made, "LOGISTIC", [z], flat, 1 / 256, -128)], flat, 1 / 128)
    outputs = [made.tensor(flat, borders, 1 / 256), z]
    made.operator("QUANTIZE" if borders == "uint8" else "DEQUANTIZE", [y], outputs[:1])
    made.graph.inputs, made.graph.outputs = [source], outputs
    return packed(made.model)


BASES = [int8(False), int8(True), windows("uint8"), windows("float32")]
BASES += [float32(), int16(), dynamic_range()]


def one(rng, values) -> Any:
    return values[rng.integers(len(values))]


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
            thing, field, value = one(rng, fields(model))
            setattr(thing, field, changed(rng, value))
        with suppress(
            TypeError, AttributeError
        ):  # a number too large for its field, an absent list
            return packed(model)
    return bytes(content)


def fields(thing) -> list[tuple[Any, str, Any]]:
    """Every field that has a value: of the model, its tensors, their quantization, operators ..."""
    found = [(thing, name, value) for name, value in vars(thing).items() if value is not None]
    for value in vars(thing).values():
        for part in value if isinstance(value, list) else [value]:
            found += fields(part) if hasattr(part, "__dict__") else []
    return found


def changed(rng, value) -> Any:
    """Another value of the same type; nothing instead of a part of the model."""
    for kind, values in ((int, WHOLE), (float, NUMBERS), (bytes, NAMES)):
        if isinstance(value, kind):
            return one(rng, values)
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:  # a constant
        words = value[: len(value) // 4 * 4].view(rng.choice([np.float32, np.int32]))
        return changed(rng, words).view(np.uint8)
    if isinstance(value, np.ndarray):
        return np.array(changed(rng, value.tolist()), value.dtype)
    if not isinstance(value, list) or not value:
        return [] if value == [] else None
    place = rng.integers(len(value))
    old = value[place]
    new = one(rng, value) if hasattr(old, "__dict__") else changed(rng, old)
    return value[:place] + one(rng, [[new], [new], [new], [], [old, old]]) + value[place + 1 :]


def fate(path: Path, compiles: bool) -> str:
    """What the kit makes of a file: "refused", "accepted" (and not compiled), "equal", or else."""
    try:
        network = generate_network(path, path.parent / "network")
    except KitError as error:
        told = error.what and error.next_step and len(str(error)) < 1000
        return "refused" if told else f"a refusal that does not help: {error!r}"
    if not compiles:
        return "accepted"
    inputs = random_values(read_model(path).input, ROWS)
    ours, theirs = HostNetwork(network).run_all(inputs), Reference(path).run_all(inputs)
    for mine, right in zip(ours, theirs, strict=True):
        countable, mine = np.isfinite(right) & (np.abs(right) < 1e30), mine.reshape(right.shape)
        if right.dtype == "float32" and np.allclose(mine[countable], right[countable], 1e-4, 1e-5):
            continue
        if not np.array_equal(mine, right):
            return "not what LiteRT computes"
    return "equal"


def forked(command, seconds: int) -> Done:
    """What `run_program` would give, from a copy of this process: it has LiteRT loaded already."""
    process = os.fork()
    if process:
        return Done(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), "")
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.alarm(seconds)
        sys.argv = list(map(str, command[2:]))  # behind Python and -P
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        os._exit(0)


def main(first: int, last: int, compiled: int) -> None:
    reference.SECONDS = SECONDS
    if hasattr(os, "fork"):
        reference.run_program = forked
    left = compiled
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutant.tflite"
        for number in range(first, last):
            print(number, end=" ", flush=True)
            path.write_bytes(mutant(number))
            try:
                found = fate(path, left > 0)
            except Exception as error:
                found = f"a raw error: {error!r}"
            left -= found == "equal"
            print(found, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
