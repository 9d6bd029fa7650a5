"""The chip's C on this computer, compiled as a library and called by ctypes.

The same files as on the chip, except that the dense layer has a faster version there.
"""

import ctypes
import hashlib
import shutil
import sys
import tempfile
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


def _key(network: Generated) -> str:
    """A name for the library that changes with any of its sources."""
    digest = hashlib.sha256()
    headers = [*(FIRMWARE / "nn").glob("*.h"), *(FIRMWARE / "engine").glob("*.h")]
    for path in [*network_sources(network), *sorted(headers), *sorted(network.folder.glob("*.h"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def compile_host(network: Generated) -> Path:
    """Compile a network for this computer; a library made from the same sources is reused.

    Raises:
        KitError: the compiler fails.
    """
    library = build() / "host" / f"{_key(network)}{SUFFIXES.get(sys.platform, '.so')}"
    if library.is_file():
        return library
    # On Windows the linker leaves .pdb and .lib files beside its output and where it runs.
    with tempfile.TemporaryDirectory(prefix="kit-") as folder, making(library) as kept:
        made = Path(folder) / library.name
        flags = ["-std=c11", "-O2", "-ffp-contract=off", "-shared", "-fPIC"]
        flags += ["-fno-sanitize=undefined", *WARNINGS, *include_flags(network)]
        command: list[str | Path] = [zig(), "cc", *flags, *network_sources(network), "-o", made]
        run(command, f"Compiling {network.model} for this computer", Path(folder))
        shutil.copyfile(made, kept)
    return library


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
