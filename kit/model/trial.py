"""A model is first run in a process of its own: some make LiteRT end the process.

LiteRT checks the inside of its kernels by abort(): a notebook's kernel would die without a word.
This file is also the program that may die. One is asked again and again, until it is idle.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
from functools import lru_cache
from typing import Any

SECONDS = 120  # for one inference of zeros
IDLE_SECONDS = 60
LEFT, FAILED = 0, 1  # Python's own exit codes: nothing that the model did
KILLED = -getattr(signal, "SIGKILL", 9)

_children: dict[int, Any] = {}  # of this process, and of those that it is forked into
_lock = threading.Lock()


@lru_cache(maxsize=16)
def try_out(content: bytes, resolver: str) -> tuple[str, str]:
    """Run a .tflite once, on zeros, with the kernels of this name of LiteRT's OpResolverType.

    Gives what LiteRT says against it, or "", and how the process ended, or "". Where no program can
    be started nothing speaks against it.
    """
    answer: str | int = LEFT
    with _lock:
        for _ in range(2):  # the first may have left, being idle
            if answer == LEFT:
                answer = _ask((content, resolver))
    if isinstance(answer, str):
        return answer, ""
    if answer in (LEFT, FAILED):
        return "", ""
    if answer == KILLED:
        return "", f"took more than {SECONDS} s or all of the memory"
    names = {-number: f"by {number.name}" for number in signal.Signals}
    return "", f"was ended {names.get(answer, f'with code {answer}')}"


def _ask(request: tuple[bytes, str]) -> str | int:
    """What LiteRT says, or the exit code of the process."""
    child: Any = _children.get(os.getpid())
    if child is None or child.poll() is not None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-P", __file__]  # -P: beside it are modules of other names
        try:
            child = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, start_new_session=True
            )  # a session of its own: Ctrl-C is for the notebook
        except OSError:
            return FAILED
        _children[os.getpid()] = child
    limit = threading.Timer(SECONDS, child.kill)
    limit.start()
    try:
        pickle.dump(request, child.stdin)
        child.stdin.flush()
        return str(pickle.load(child.stdout))
    except (OSError, EOFError):
        code: int = child.wait()
        return code if limit.is_alive() else KILLED
    finally:
        limit.cancel()


def _answer() -> None:
    """Run models until the input ends."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with os.fdopen(os.dup(1), "wb", buffering=0) as answers:
        os.dup2(2, 1)  # what LiteRT prints is no answer
        while True:
            idle = threading.Timer(IDLE_SECONDS, os._exit, (LEFT,))
            idle.start()
            content, resolver = pickle.load(sys.stdin.buffer)
            idle.cancel()
            kernels, said = OpResolverType[resolver], ""
            try:
                model = Interpreter(model_content=content, experimental_op_resolver_type=kernels)
                model.allocate_tensors()
                model.invoke()
            except (ValueError, RuntimeError) as error:  # ValueError: also a name that is no UTF-8
                said = str(error) or type(error).__name__
            pickle.dump(said, answers)


if __name__ == "__main__":
    try:
        _answer()
    except EOFError:
        os._exit(LEFT)
