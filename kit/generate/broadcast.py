"""Two tensors taken together element by element: along a dimension where one has size 1, it is
repeated, as NumPy's broadcasting does (numpy.org, "Broadcasting")."""

from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.generate.quantized import REAL_RANGES
from kit.generate.step import Refusal, Step, check_types, name_of
from kit.model import Operator, Tensor

DIMENSIONS = 3  # that the kernels walk


def operands(operator: Operator) -> tuple[Tensor, Tensor, Tensor]:
    """What an ADD or MUL takes, and what it makes.

    Raises Refusal: there are others than two inputs, both are constant, their types do not go
    together, or what is fused with it is not known.
    """
    inputs = [tensor for tensor in operator.inputs if tensor is not None]
    if len(inputs) != 2 or not any(tensor.data is None for tensor in inputs):
        raise Refusal(f"of the inputs of {operator.name} not one or two are computed.")
    if len(operator.outputs) != 1 or operator.activation not in REAL_RANGES:
        raise Refusal(f"{operator.name} is fused with {operator.activation}.")
    first, second, y = *inputs, operator.outputs[0]
    check_types(operator, first, second, y)
    if max(first.scales.size, second.scales.size) > 1:
        raise Refusal(f"an input of {operator.name} has several scales.")
    return first, second, y


def paired(operator: Operator, kernel: str, fields: dict[str, Any]) -> Step:
    """One call of a kernel such as nn_add_int8 for its `operands`; where one is constant, of
    nn_add_constant_int8. `fields` are those of the numbers.

    Raises Refusal: shapes that do not go together.
    """
    first, second, y = operands(operator)
    arrays = _walk(operator, first, second, y)
    for name, x in (("first", first), ("second", second)):
        if x.data is not None:
            kernel, arrays = f"{kernel}_constant", arrays | {name: x.data}
    computed = 2 - (len(arrays) - 3)
    return Step(f"{kernel}_{y.dtype}", operator, fields, arrays, in_place=(0, 1)[:computed])


def too_far(operator: Operator, y: Tensor) -> Refusal:
    """The refusal of an output whose scale is far from those of the inputs."""
    return Refusal(
        f"the scales of {operator.name} {name_of(y)} do not go together.",
        f"What it makes has a scale of {y.scale:g}, far from what it takes can lead to.",
        "Convert anew, with a representative data set of real inputs.",
    )


def _walk(
    operator: Operator, first: Tensor, second: Tensor, y: Tensor
) -> dict[str, npt.NDArray[Any]]:
    """Sizes of the output's dimensions, and how far it is from one element of each input to the
    next along them, all in elements, outermost first.

    Dimensions along which both inputs go on evenly are joined: of one shape, they are one row.
    """
    shapes = f"{first.shape} and {second.shape}"
    sizes = [(1,) * (len(y.shape) - len(x.shape)) + x.shape for x in (first, second)]
    together = [{*each} - {1} or {1} for each in zip_longest(*sizes)]
    if together != [{size} for size in y.shape] or y.elements == 0:
        raise Refusal(f"{operator.name} makes {y.shape} of {shapes}.")
    joined: list[list[int]] = []
    for size, *steps in zip(y.shape, *map(_steps, sizes), strict=True):
        if size == 1:
            continue
        if joined and joined[-1][1:] == [size * step for step in steps]:
            size *= joined.pop()[0]
        joined.append([size, *steps])
    if len(joined) > DIMENSIONS:
        raise Refusal(
            f"{operator.name} repeats {shapes} along dimensions that are not beside one another.",
            next_step="Give both inputs of the layer one shape, or one of them 1x1 in space.",
        )
    columns = np.array([[1, 0, 0]] * (DIMENSIONS - len(joined)) + joined, np.int32).T
    return dict(zip(("size", "first_step", "second_step"), columns.copy(), strict=True))


def _steps(shape: tuple[int, ...]) -> list[int]:
    """From one element to the next along each dimension; 0 where there is only one."""
    after = [int(np.prod(shape[position + 1 :])) for position in range(len(shape))]
    return [0 if size == 1 else step for size, step in zip(shape, after, strict=True)]
