"""One step of a network: a call of a kernel in firmware/nn/; and what every operator is asked."""

import re
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from kit.errors import KitError
from kit.model import Operator, Tensor

LONGEST_NAME = 60
TO_INT8 = (
    "Convert the Keras model to full int8 as notebook 02-quantize does: a representative data set, "
    "TFLITE_BUILTINS_INT8, `converter.inference_input_type = tf.int8` and "
    "`converter.inference_output_type = tf.int8`."
)


class Refusal(KitError):
    """What the open engine cannot do; `generate_portable` adds in which model it is."""


@dataclass(frozen=True)
class Unpacking:
    """A call that writes the weights of a step's kernel into RAM, `bytes` of them, before it."""

    kernel: str
    fields: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]
    bytes: int

    @property
    def header(self) -> str:
        """Where the kernel is declared, as of a Step."""
        return header_of(self.kernel)


@dataclass(frozen=True)
class Step:
    """One kernel call: the numbers in its parameter struct, and the arrays the struct points to.
    Where the struct has another within it, such as nn_window, its numbers are a dict of their own.

    `scratch` is how many bytes of working memory the kernel takes as its last argument, None for
    one without; `in_place` are the positions among `inputs` whose memory the output may take;
    with `many` the kernel takes any number of inputs, as one array of pointers. With an `unpacking`
    the struct's `weights` are in RAM, and `scratch` includes them, at its beginning.
    """

    kernel: str
    operator: Operator
    fields: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]
    macs: int = 0
    scratch: int | None = None
    in_place: tuple[int, ...] = ()
    many: bool = False
    unpacking: Unpacking | None = None

    @property
    def header(self) -> str:
        """Where the kernel is declared: nn_conv_2d_int8 in conv_2d.h."""
        return header_of(self.kernel)

    @property
    def calls(self) -> list["Unpacking | Step"]:
        """What is called for it, in order."""
        return [self.unpacking, self] if self.unpacking else [self]

    @property
    def inputs(self) -> list[Tensor]:
        """What is computed before, in the order in which the kernel takes it."""
        return [x for x in self.operator.inputs if x is not None and x.data is None]

    @property
    def output(self) -> Tensor:
        """What a learner sees of it: the first of its outputs."""
        return self.operator.outputs[0]

    @property
    def name(self) -> str:
        """The Keras layer's name where the converter kept it, else the operator's."""
        path = self.output.name.split(";")[0].split("/")
        name = path[-2] if len(path) > 1 and path[-2] else self.operator.name.lower()
        return safe_name(name)[:LONGEST_NAME]


def header_of(kernel: str) -> str:
    """The header of a kernel, whose last word is a type: nn_conv_2d_int8 is in conv_2d.h."""
    return kernel.removeprefix("nn_").rpartition("_")[0] + ".h"


def safe_name(name: str) -> str:
    """A name as it may stand in C, between quotes and in a comment."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def name_of(tensor: Tensor) -> str:
    """A tensor's name as an error shows it: some are paths of hundreds of letters."""
    name = tensor.name if len(tensor.name) <= 60 else f"{tensor.name[:57]}..."
    return f"{name!r} (tensor {tensor.index})"


def ends(operator: Operator) -> tuple[Tensor, Tensor]:
    """What an operator of one input, beside constants, and one output takes and makes."""
    x = operator.inputs[0] if operator.inputs else None
    if x is None or x.data is not None or len(operator.outputs) != 1:
        raise Refusal(f"a {operator.name} has no computed input, or not one output.")
    return x, operator.outputs[0]


def constant(operator: Operator, position: int, what: str) -> Tensor | None:
    """An input that is in the file, such as the weights; None where the operator has none there.

    Raises Refusal: it is computed.
    """
    tensor = operator.inputs[position] if position < len(operator.inputs) else None
    if tensor is not None and tensor.data is None:
        raise Refusal(f"the {what} of a {operator.name} are computed, not constant.")
    return tensor


def same_elements(operator: Operator, *more: str) -> tuple[Tensor, Tensor]:
    """As `ends`, of an operator that makes as many values as it takes, of the same type: int8,
    float32 or one of `more`."""
    x, y = ends(operator)
    if x.elements != y.elements or x.elements == 0:
        raise Refusal(f"a {operator.name} makes {y.shape} of {x.shape}.")
    if x.dtype not in more or y.dtype != x.dtype:
        check_types(operator, x, y)
    return x, y


def check_types(operator: Operator, *tensors: Tensor) -> None:
    """Raise Refusal unless all of an operator's data is int8, or all of it float32."""
    types = {tensor.dtype for tensor in tensors}
    if types in ({"int8"}, {"float32"}):
        return
    why = f"There are no kernels for {', '.join(sorted(types - {'int8', 'float32'}))}."
    if types == {"float32", "int8"}:
        why = "In a dynamic-range model the weights are int8 and the computing is float32."
    elif "uint8" in types:
        why = "uint8 is how older converters quantized; the int8 of today is computed otherwise."
    raise Refusal(f"{operator.name} works on {', '.join(sorted(types))}.", why, TO_INT8)
