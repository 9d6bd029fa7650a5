"""Silence for libraries that write to the terminal behind Python's back.

TensorFlow's and LiteRT's C++ parts write to file descriptors 1 and 2, the converter prints the
names of temporary folders. Neither belongs in a lesson, and both differ from run to run.
"""

import ctypes
import io
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from typing import IO, Any

_ONE = threading.RLock()  # what a program writes to is the same for all of its threads


class _Stream:
    """What Python writes to in a block, afterwards the stream it replaced: loggers that are created
    inside the block keep this object for good."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide everything written to stdout and stderr in the block, by Python or by C.

    When the block raises, what was hidden is written to stderr, since it may say why.
    """
    with _ONE, tempfile.TemporaryFile(buffering=0) as store:
        before = sys.stdout, sys.stderr
        text: Any = io.TextIOWrapper(store, "utf-8", "replace", "\n", write_through=True)
        out, err = _Stream(text), _Stream(text)
        try:
            with _aside(1, store), _aside(2, store), redirect_stdout(out), redirect_stderr(err):
                yield
        except BaseException:
            store.seek(0)
            sys.stderr.write(store.read().decode("utf-8", "replace"))
            raise
        finally:
            out.stream, err.stream = before


@contextmanager
def _aside(number: int, store: IO[bytes]) -> Iterator[None]:
    """Point a file descriptor at `store` for a while; does nothing when it is not open."""
    try:
        saved = os.dup(number)
    except OSError:
        yield
        return
    try:
        _flush_c()  # what C printed before still goes where it belonged
        os.dup2(store.fileno(), number)
        yield
    finally:
        _flush_c()
        os.dup2(saved, number)
        os.close(saved)


def _flush_c() -> None:
    """Empty the buffers of C's own stdio (fflush(NULL), C11 7.21.5.2)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("ucrtbase" if os.name == "nt" else None).fflush(None)


def tensorflow() -> Any:
    """The module `tensorflow`, imported in silence, with seed 1 and deterministic operations."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # its kernels change the last digits of weights
    with quiet():
        tf = import_module("tensorflow")
        tf.get_logger().setLevel("ERROR")
        tf.keras.utils.set_random_seed(1)
        tf.config.experimental.enable_op_determinism()
    return tf
