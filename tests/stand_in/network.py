"""What the open engine knows of a .tflite, counted as ST counts.

ST counts a dense layer's additions of the bias among its operations, and 15 for each value of a
softmax; constants are the kernels and four bytes for each bias.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

from kit.generate.graph import lower, place
from kit.generate.step import Step
from kit.model import Model, Tensor, read_model


class Node(NamedTuple):
    """One layer in ST's words. Sizes in bytes."""

    name: str
    kind: str
    macc: int
    weights: int
    bias: int
    output: Tensor


class Network(NamedTuple):
    """A model in ST's words; `md5` is that of the file that was given."""

    model: Model
    nodes: list[Node]
    activations: int
    md5: str

    @property
    def macc(self) -> int:
        return sum(node.macc for node in self.nodes)

    @property
    def weights(self) -> int:
        return sum(node.weights + node.bias for node in self.nodes)


def describe(path: Path, given: Path | None = None) -> Network:
    """Read a .tflite and describe it in ST's words; `given` is the file that it stands for."""
    model = read_model(path)
    steps, same_bytes = lower(model)
    arena = place(model, steps, same_bytes).size
    nodes = [_node(number, step) for number, step in enumerate(steps)]
    return Network(model, nodes, arena, hashlib.md5((given or path).read_bytes()).hexdigest())


def _node(number: int, step: Step) -> Node:
    elements = step.output.elements
    constants = [x.data for x in step.operator.inputs if x is not None and x.data is not None]
    if not constants:
        return Node(f"nl_{number}", "Nonlinearity", 15 * elements, 0, 0, step.output)
    weights = constants[0].nbytes
    return Node(f"gemm_{number}", "Dense", step.macs + elements, weights, 4 * elements, step.output)
