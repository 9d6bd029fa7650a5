"""CONCATENATION: tensors one behind the other along an axis.

Source: LiteRT, `kernels/concatenation.cc`.
"""

from math import prod

import numpy as np

from kit.generate.step import Refusal, Step, check_types, name_of
from kit.model import Operator, Tensor


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_concatenation_bytes.

    Raises Refusal: types, scales or shapes that do not go together, or a constant input.
    """
    inputs = [tensor for tensor in operator.inputs if tensor is not None]
    if len(operator.outputs) != 1 or not inputs or operator.activation != "NONE":
        raise Refusal(f"a CONCATENATION takes nothing, or is fused with {operator.activation}.")
    y = operator.outputs[0]
    check_types(operator, *inputs, y)
    for x in inputs:
        _check(x, y)
    axis = _axis(operator, inputs, y)
    width = y.bytes // y.elements
    block = np.array([prod(x.shape[axis:]) * width for x in inputs], np.int32)
    fields = {"inputs": len(inputs), "blocks": prod(y.shape[:axis])}
    return Step("nn_concatenation_bytes", operator, fields, {"block": block}, many=True)


def _axis(operator: Operator, inputs: list[Tensor], y: Tensor) -> int:
    rank, axis = len(y.shape), int(operator.options.get("axis", 0))
    axis += rank if axis < 0 else 0
    others = {(*x.shape[:axis], *x.shape[axis + 1 :]) for x in inputs if len(x.shape) == rank}
    good = 0 <= axis < rank and others == {(*y.shape[:axis], *y.shape[axis + 1 :])}
    if not good or sum(x.elements for x in inputs) != y.elements or y.elements == 0:
        shapes = ", ".join(str(x.shape) for x in inputs)
        raise Refusal(f"CONCATENATION makes {y.shape} of {shapes} along axis {axis}.")
    return axis


def _check(x: Tensor, y: Tensor) -> None:
    if x.data is not None:
        raise Refusal(f"an input of CONCATENATION {name_of(y)} is constant: {name_of(x)}.")
    if (x.scale, x.zero_point) != (y.scale, y.zero_point):
        raise Refusal(f"CONCATENATION takes {name_of(x)}, whose scale is not its output's.")
