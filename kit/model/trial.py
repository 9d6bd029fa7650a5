"""A model is first run in a process of its own: some make LiteRT end the process.

LiteRT checks the inside of its kernels by abort(): a notebook's kernel would die without a word.
One child is asked again and again; starting one takes about 0.3 s, asking it a few milliseconds.
"""

import atexit
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

CHILD = Path(__file__).with_name("child.py")
SECONDS = 120  # for one inference of zeros


class _Child:
    """The process that LiteRT may end; started when it is needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()
        atexit.register(self.end)

    def ask(self, content: bytes, resolver: str) -> str | int:
        """Run a model once: what LiteRT says against it, or the exit code where it ended."""
        with self._lock:
            reused = self._process is not None and self._owner == os.getpid()
            if not reused and not self._start():
                return ""  # no programs can be started here: LiteRT must do without
            answer = self._ask(content, resolver)
            if isinstance(answer, int) and reused and self._start():  # it may have ended before
                answer = self._ask(content, resolver)
            return answer

    def _start(self) -> bool:
        pipe = subprocess.PIPE
        command = [sys.executable, "-P", str(CHILD)]  # -P: beside it are modules of other names
        try:
            process = subprocess.Popen(
                command,
                stdin=pipe,
                stdout=pipe,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the notebook, not for this
            )
        except OSError:
            return False
        self._process, self._owner = process, os.getpid()
        ready = _pipe(process.stdout).readline() == b"\n"
        if not ready:
            self.end()
        return ready

    def _ask(self, content: bytes, resolver: str) -> str | int:
        process = self._process
        assert process is not None
        limit = threading.Timer(SECONDS, process.kill)
        limit.start()
        try:
            stdin = _pipe(process.stdin)
            stdin.write(f"{resolver} {len(content)}\n".encode() + content)
            stdin.flush()
            answer = _pipe(process.stdout).readline()
        except OSError:  # it has ended
            answer = b""
        finally:
            limit.cancel()
        return str(json.loads(answer)) if answer else self.end()

    def end(self) -> int:
        """End the process, which its input's end does; its exit code."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return 0
        try:
            process.communicate(timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
        return process.wait()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


_child = _Child()
_tried: dict[tuple[str, str], str | int] = {}


def what_speaks_against(content: bytes, resolver: str) -> tuple[str, str]:
    """Run a .tflite once, on zeros, in the child.

    Args:
        content: the .tflite file.
        resolver: a name of LiteRT's OpResolverType.

    Returns:
        what LiteRT says against it, or ""; and how the process ended, or "".
    """
    key = (hashlib.sha256(content).hexdigest(), resolver)
    if key not in _tried:
        _tried[key] = _child.ask(content, resolver)
    answer = _tried[key]
    return (answer, "") if isinstance(answer, str) else ("", _in_words(answer))


def _in_words(code: int) -> str:
    if -code == getattr(signal, "SIGKILL", 9):
        return f"took more than {SECONDS} s or all of the memory"
    names = {-number.value: f"by {number.name}" for number in signal.Signals}
    return f"was ended {names.get(code, f'with code {code}')}"
