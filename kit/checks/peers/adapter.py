"""From a peer's C to a network like any other: its one function behind engine.h."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from kit.checks.peers.own_python import HERE, Peer
from kit.errors import KitError
from kit.generate import Generated, load_network
from kit.generate.result import Layer, TensorInfo
from kit.model import Model, Operator, input_range, read_model
from kit.paths import replacing
from kit.programs import run_program
from kit.provenance import file_digest

SECONDS = 300  # for a peer's generator
SHAPING = ("SHAPE", "STRIDED_SLICE", "PACK", "RESHAPE")  # they move no value
TYPES = {"int8": "ENGINE_INT8", "float32": "ENGINE_FLOAT32"}
FILES = {"adapter.c": "network.c", "peer_code.c": "network_data.c"}  # as an engine's are called
LIBC = ("math.h", "string.h", "stdio.h", "stdlib.h")


def generate_by(peer: Peer, python: Path, path: Path, out: Path) -> Generated:
    """Let a peer turn the model at `path` into C, in the folder `out`, which is replaced.

    `python` executes the peer's script: it gets an .npz of the layers and a folder, and leaves
    peer.c there, with `int peer_run(const void *inputs, void *outputs)`. Weights are counted as the
    model has them, the arena as input and output; what a peer takes is known after linking.
    KitError: it made none.
    """
    model = read_model(path)
    layers, arrays = layers_of(model)
    with replacing(out) as folder:
        folder.mkdir()
        with tempfile.TemporaryDirectory(prefix="kit-") as place:
            weights = Path(place) / "weights.npz"
            np.savez(weights, layers=json.dumps(layers), **arrays)
            done = run_program([python, "-I", HERE / peer.script, weights, folder], SECONDS)
        if done.code or done.trouble or not (folder / "peer.c").exists():
            why = done.trouble or (done.printed.strip().splitlines() or ["no word was said"])[-1]
            raise KitError(f"{peer.name} {peer.version} made no C of {path.name}.", f"{why}.")
        info = TensorInfo.of(model.input), TensorInfo.of(model.output)
        held = sum(arrays[name].nbytes for name in arrays if name.endswith(("_weights", "_bias")))
        whole = Layer("network", "NETWORK", sum(one["macs"] for one in layers), held, info[1])
        made = Generated(
            folder, f"{peer.name} {peer.version}", path.name, *info, (whole,), held,
            sum(one.bytes for one in info), digest=file_digest(path),
            input_range=input_range(model.input),
        )  # fmt: skip
        _adapt(made, folder)
        made.save()
    return load_network(out)


def layers_of(model: Model) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The layers of a model that compute something, and their arrays by number and tensor: values,
    scales and zero points. KitError for a layer that no peer here is told of."""
    layers, arrays = list[dict[str, Any]](), dict[str, Any]()
    for operator in model.operators:
        if operator.name in SHAPING:
            continue
        number, kind = len(layers), operator.name
        tensors = dict(zip(("input", "weights", "bias"), operator.inputs, strict=False))
        for name, tensor in (tensors | {"output": operator.outputs[0]}).items():
            if tensor is not None:
                arrays[f"{number}_{name}_scale"] = tensor.scales
                arrays[f"{number}_{name}_zero"] = tensor.zero_points
                arrays |= {} if tensor.data is None else {f"{number}_{name}": tensor.data}
        layers.append(_layer(operator) | {"kind": kind, "relu": operator.activation == "RELU"})
    return layers, arrays


def _layer(operator: Operator) -> dict[str, Any]:
    shape, options, macs = operator.outputs[0].shape, operator.options, 0
    if operator.name in ("CONV_2D", "FULLY_CONNECTED"):
        weights = operator.inputs[1]
        macs = weights.elements * int(np.prod(shape[1:-1])) if weights else 0
    elif operator.name not in ("MAX_POOL_2D", "SOFTMAX"):
        raise KitError(f"No peer is told of {operator.name}.")
    found = {"shape": list(shape), "macs": macs}
    for name, what in (("strides", "stride"), ("window", "filter")):
        high, wide = ("h", "w") if what == "stride" else ("height", "width")
        if f"{what}_{high}" in options:
            found[name] = [int(options[f"{what}_{high}"]), int(options[f"{what}_{wide}"])]
    return found


def _adapt(network: Generated, folder: Path) -> None:
    """Put the adapter, its numbers and what there is of a C library beside peer.c."""
    for file in (HERE / "c").iterdir():
        shutil.copyfile(file, folder / FILES.get(file.name, file.name))
    for name in LIBC:
        (folder / name).write_text('#include "libc.h"\n', encoding="ascii")
    low, high = network.input_range or (0.0, 0.0)
    numbers = {
        "ENGINE_INPUT_BYTES": network.input.bytes,
        "ENGINE_INPUT_ELEMENTS": int(np.prod(network.input.shape)),
        "ENGINE_OUTPUT_BYTES": network.output.bytes,
        "ENGINE_LAYERS": 1,
        "PEER_NAME": f'"{network.engine}"',
        "PEER_MODEL": f'"{network.model}"',
        "PEER_DIGEST": f'"{network.digest}"',
        "PEER_INPUT_RANGE": f"{{{low}F, {high}F}}",
        "PEER_INPUT": _tensor(network.input),
        "PEER_OUTPUT": _tensor(network.output),
        "PEER_WEIGHTS_BYTES": network.weights_bytes,
        "PEER_MACS": network.macs,
    }
    lines = ["#pragma once", *(f"#define {name} {value}" for name, value in numbers.items())]
    (folder / "engine_config.h").write_text("\n".join(lines) + "\n", encoding="ascii")


def _tensor(one: TensorInfo) -> str:
    count = int(np.prod(one.shape))
    return f"{{{TYPES[one.dtype]}, {count}, {one.bytes}, (float){one.scale!r}, {one.zero_point}}}"
