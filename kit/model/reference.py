"""LiteRT as the reference: its reference kernels (`BUILTIN_REF`) define what is right."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from kit.errors import KitError
from kit.model.content import not_a_model, read_content, unpack
from kit.programs import run_program
from kit.silence import quiet

RESOLVERS = {"reference": OpResolverType.BUILTIN_REF, "default": OpResolverType.AUTO}
LONGEST_WORDS = 300
TRIAL = Path(__file__).with_name("trial.py")
SECONDS = 120  # for one inference there
NOT_ITS_DOING = (0, 1, -1)  # it came to its end; Python failed; there was no process


def check_inputs(
    inputs: npt.NDArray[Any], shape: Sequence[int], dtype: Any, what: str = "The network"
) -> None:
    """Raise KitError unless inputs have shape (n, *shape) and this dtype, however they are run."""
    if inputs.shape[1:] != tuple(shape) or inputs.ndim == 0 or inputs.dtype != np.dtype(dtype):
        raise KitError(
            f"{what} takes inputs of shape {('n', *shape)} and dtype {np.dtype(dtype)}, not "
            f"{inputs.shape} and {inputs.dtype}.",
            next_step="Prepare images first: kit.model.pixels_to_input(images, model.input).",
        )


class Reference:
    """A .tflite model run by LiteRT on this computer.

    `kernels` are the "reference" ones, which define what is right and are the same on every
    machine, or the "default" ones, which an application gets (XNNPACK) and which may differ in a
    few rows. Raises KitError: the file is missing, damaged, uses operators that LiteRT does not
    have, or makes LiteRT end the process.
    """

    def __init__(self, path: str | Path, kernels: str = "reference") -> None:
        self.path = Path(path)
        content, resolver = read_content(self.path), RESOLVERS[kernels]
        with _telling(self.path):
            self._interpreter = Interpreter(
                model_content=content, experimental_op_resolver_type=resolver
            )
        # What would lead LiteRT beyond its memory comes no further.
        self.parts = unpack(self.path, content)
        _try_out(self.path.name, content, resolver.name)
        with _telling(self.path):
            self._interpreter.allocate_tensors()
            inputs = self._interpreter.get_input_details()
            outputs = self._interpreter.get_output_details()
            for one in inputs:
                self._interpreter.set_tensor(one["index"], np.zeros(one["shape"], one["dtype"]))
            self._interpreter.invoke()
        if not inputs or not outputs:
            raise not_a_model(self.path, "It has no input, or no output.")
        self.input: dict[str, Any] = inputs[0]
        self._outputs: list[int] = [one["index"] for one in outputs]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch dimension."""
        return tuple(int(size) for size in self.input["shape"][1:])

    def run(self, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The first output for many inputs, one inference each.

        Takes shape (n, *input_shape) of the model's input dtype, gives (n, *output shape) of its
        output dtype; KitError for another shape or dtype.
        """
        return self.run_all(inputs)[0]

    def run_all(self, inputs: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """As `run`, each of the model's outputs."""
        check_inputs(inputs, self.input_shape, self.input["dtype"], self.path.name)
        with _telling(self.path):
            rows = [self._run_one(one) for one in inputs]
        return [np.stack(values) for values in zip(*rows, strict=True)]

    def _run_one(self, one: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        self._interpreter.set_tensor(self.input["index"], one[None])
        self._interpreter.invoke()
        outputs = map(self._interpreter.get_tensor, self._outputs)
        return [output[0] if output.ndim else output for output in outputs]


@lru_cache(maxsize=16)
def _try_out(name: str, content: bytes, kernels: str) -> None:
    """LiteRT checks the inside of its kernels by abort(), and a notebook's kernel would die without
    a word: a model first runs in a process of its own, `trial.py`. KitError: it ended that."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.tflite"
        file.write_bytes(content)
        # -P: beside the program are modules of other names
        done = run_program([sys.executable, "-P", TRIAL, file, kernels], SECONDS)
    if done.code in NOT_ITS_DOING:
        return
    names = {-number: f"by {number.name}" for number in signal.Signals}
    how = f"was ended {names.get(done.code, f'with code {done.code}')}"
    if done.trouble or how.endswith("SIGKILL"):
        how = f"took more than {SECONDS} s or all of the memory"
    raise KitError(
        f"LiteRT cannot run {name}: the process that tried {how}.",
        "Its kernels end the process over numbers they cannot compute with. A training that "
        "collapsed (all outputs the same, no ReLU active) leaves such scales; so does a damaged "
        "file.",
        "Look at the accuracy before converting; train again, with a smaller learning rate, and "
        "convert anew, as notebook 02-quantize does.",
    )


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """What LiteRT raises becomes a KitError; what it prints is the same once more."""
    said = None
    with quiet():  # the default kernels announce themselves on stderr
        try:
            yield
        except (ValueError, RuntimeError) as error:
            said = error
    if said is not None:
        lines = dict.fromkeys(map(str.strip, str(said).splitlines()))  # each node says the same
        words = shorten(" ".join(lines), LONGEST_WORDS, placeholder="...") or type(said).__name__
        raise not_a_model(path, f"LiteRT says: {words}") from said
