"""The chip's C on this computer, compiled as a library and called by ctypes.

The same files as on the chip, except that the dense layer has a faster version there.
"""

import ctypes
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.compile.toolchain import WARNINGS, run, zig
from kit.errors import KitError
from kit.generate import Generated, load
from kit.paths import FIRMWARE, build, making

SUFFIXES = {"win32": ".dll", "darwin": ".dylib"}
OBSERVER = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p)


def network_sources(network: Generated) -> list[Path]:
    """The C files of a network: the kernels and what the generator wrote."""
    return sorted((FIRMWARE / "nn").glob("*.c")) + network.sources


def include_flags(network: Generated) -> list[str]:
    """Where the C files of a network find their headers."""
    return [f"-I{folder}" for folder in (FIRMWARE / "engine", FIRMWARE / "nn", network.folder)]


def _headers(network: Generated) -> list[Path]:
    headers = [*(FIRMWARE / "nn").glob("*.h"), *(FIRMWARE / "engine").glob("*.h")]
    return [*sorted(headers), *sorted(network.folder.glob("*.h"))]


def compile_library(
    sources: list[Path], what: str, headers: Sequence[Path] = (), flags: Sequence[str] = ()
) -> Path:
    """Compile C files to a library for this computer, in build/host/; it is made only once.

    Its name changes with the content of `sources` and `headers`. `what` is in the error message.

    Raises:
        KitError: the compiler fails.
    """
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in [*sources, *headers]))
    library = build() / "host" / f"{digest.hexdigest()[:16]}{SUFFIXES.get(sys.platform, '.so')}"
    if library.is_file():
        return library
    # On Windows the linker leaves .pdb and .lib files beside its output and where it runs.
    with tempfile.TemporaryDirectory(prefix="kit-") as folder, making(library) as kept:
        made = Path(folder) / library.name
        options = ["-std=c11", "-O2", "-ffp-contract=off", "-shared", "-fPIC"]
        options += ["-fno-sanitize=undefined", *WARNINGS, *flags]
        command: list[str | Path] = [zig(), "cc", *options, *sources, "-o", made]
        run(command, f"Compiling {what} for this computer", Path(folder))
        shutil.copyfile(made, kept)
    return library


def compile_host(network: Generated) -> Path:
    """Compile a network for this computer; a library made from the same sources is reused.

    Raises:
        KitError: the compiler fails.
    """
    sources, headers = network_sources(network), _headers(network)
    return compile_library(sources, str(network.model), headers, include_flags(network))


class HostNetwork:
    """A generated network, compiled for this computer.

    Args:
        network: what `kit.generate.generate` returned, or the folder it wrote.

    Raises:
        KitError: the folder holds no network, or the compiler fails.
    """

    def __init__(self, network: Generated | str | Path) -> None:
        self.network = network if isinstance(network, Generated) else load(network)
        self._library = ctypes.CDLL(str(compile_host(self.network)))
        self._library.engine_input.restype = ctypes.c_void_p
        self._library.engine_output.restype = ctypes.c_void_p
        self._library.engine_run.argtypes = [OBSERVER, ctypes.c_void_p]
        self._check(self._library.engine_start())
        self._no_observer = OBSERVER(0)

    def run(self, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The outputs for many inputs.

        Args:
            inputs: shape (n, *input shape without its batch), of the input's dtype.

        Returns:
            shape (n, *output shape without its batch), of the output's dtype.

        Raises:
            KitError: another shape or dtype.
        """
        want = self.network.input
        if inputs.shape[1:] != want.shape[1:] or inputs.dtype != np.dtype(want.dtype):
            raise KitError(
                f"The network takes inputs of shape {('n', *want.shape[1:])} and dtype "
                f"{want.dtype}, not {inputs.shape} and {inputs.dtype}.",
                next_step="Prepare images first: kit.model.pixels_to_input(images, model.input).",
            )
        made = self.network.output
        outputs = np.empty((len(inputs), *made.shape[1:]), made.dtype)
        for one, output in zip(np.ascontiguousarray(inputs), outputs, strict=True):
            self._run_one(one, output)
        return outputs

    def layers(self, one: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """Each layer's output for one input of the input's shape without its batch."""
        found: list[npt.NDArray[Any]] = []

        def observe(_context: Any, layer: int, address: int) -> None:
            info = self.network.layers[layer].output
            assert info is not None  # the portable engine says it for each layer
            values = np.frombuffer(ctypes.string_at(address, info.bytes), info.dtype)
            found.append(values.reshape(info.shape[1:]))

        observer = OBSERVER(observe)
        ctypes.memmove(self._library.engine_input(), one.tobytes(), self.network.input.bytes)
        self._check(self._library.engine_run(observer, None))
        return found

    def _run_one(self, one: npt.NDArray[Any], output: npt.NDArray[Any]) -> None:
        ctypes.memmove(self._library.engine_input(), one.ctypes.data, one.nbytes)
        self._check(self._library.engine_run(self._no_observer, None))
        ctypes.memmove(output.ctypes.data, self._library.engine_output(), output.nbytes)

    @staticmethod
    def _check(status: int) -> None:
        if status:
            raise KitError(
                f"The engine reported status {status}.",
                "firmware/engine/engine.h says what each status means.",
                "Generate the network again.",
            )
