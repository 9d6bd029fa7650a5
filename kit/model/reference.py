"""LiteRT as the reference: its reference kernels (`BUILTIN_REF`) define what is right."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from kit.errors import KitError
from kit.quiet import quiet

RESOLVERS = {"reference": OpResolverType.BUILTIN_REF, "default": OpResolverType.AUTO}


def not_a_model(path: Path, why: str) -> KitError:
    """The error for a file that is there and cannot be used."""
    return KitError(
        f"{path} is not a usable .tflite model.",
        why,
        "Export it again with tf.lite.TFLiteConverter, as notebook 02-quantize does.",
    )


def read_bytes(path: Path) -> bytes:
    """The content of a .tflite file.

    Raises:
        KitError: the file is missing or does not carry the TFL3 identifier.
    """
    if not path.is_file():
        raise KitError(
            f"There is no file {path}.",
            next_step="Check the name, or make the model with notebook 02-quantize.",
        )
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise not_a_model(path, "It does not carry the identifier TFL3 of .tflite files.")
    return content


class Reference:
    """A .tflite model run by LiteRT on this computer.

    Args:
        path: the .tflite file.
        kernels: "reference" for the kernels that define right, the same on every machine;
            "default" for what an application gets (XNNPACK), which may differ in a few rows.

    Raises:
        KitError: the file is missing, damaged, or uses operators that LiteRT does not have.
    """

    def __init__(self, path: str | Path, kernels: str = "reference") -> None:
        self.path = Path(path)
        content = read_bytes(self.path)
        try:
            with quiet():  # the default kernels announce themselves on stderr
                self._interpreter = Interpreter(
                    model_content=content, experimental_op_resolver_type=RESOLVERS[kernels]
                )
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise not_a_model(self.path, f"LiteRT says: {reason}") from error
        self.input: dict[str, Any] = self._interpreter.get_input_details()[0]
        self.output: dict[str, Any] = self._interpreter.get_output_details()[0]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch dimension."""
        return tuple(int(size) for size in self.input["shape"][1:])

    def run(self, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The outputs for many inputs, one inference each.

        Args:
            inputs: shape (n, *input_shape), of the model's input dtype.

        Returns:
            shape (n, *output shape), of the model's output dtype.

        Raises:
            KitError: another shape or dtype.
        """
        self._check(inputs)
        return np.stack([self._run_one(one) for one in inputs])

    def _check(self, inputs: npt.NDArray[Any]) -> None:
        want = np.dtype(self.input["dtype"])
        if inputs.shape[1:] != self.input_shape or inputs.dtype != want:
            raise KitError(
                f"{self.path.name} takes inputs of shape {('n', *self.input_shape)} "
                f"and dtype {want}, not {inputs.shape} and {inputs.dtype}.",
                next_step="Prepare images first: kit.model.pixels_to_input(images, model.input).",
            )

    def _run_one(self, one: npt.NDArray[Any]) -> npt.NDArray[Any]:
        self._interpreter.set_tensor(self.input["index"], one[None])
        self._interpreter.invoke()
        output: npt.NDArray[Any] = self._interpreter.get_tensor(self.output["index"])
        first: npt.NDArray[Any] = output[0]
        return first
