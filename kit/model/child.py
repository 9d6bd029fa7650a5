"""Runs models for `kit.model.trial` until its input ends; a program of its own, not to be imported.

A request is a line, "RESOLVER LENGTH", and LENGTH bytes of .tflite. The answer is one byte when the
model has run, or when LiteRT said in words why not; where LiteRT ends the process there is none.
"""

import os
import sys
import threading

from ai_edge_litert.interpreter import Interpreter, OpResolverType

IDLE_SECONDS = 60

answers = os.fdopen(os.dup(1), "wb", buffering=0)
os.dup2(2, 1)  # what LiteRT prints is no answer
answers.write(b"r")  # ready
while True:
    idle = threading.Timer(IDLE_SECONDS, os._exit, (0,))
    idle.daemon = True
    idle.start()
    line = sys.stdin.buffer.readline().split()
    idle.cancel()
    if not line:
        break
    content = sys.stdin.buffer.read(int(line[1]))
    try:
        resolver = OpResolverType[line[0].decode()]
        model = Interpreter(model_content=content, experimental_op_resolver_type=resolver)
        model.allocate_tensors()
        model.invoke()
    except (ValueError, RuntimeError):
        pass  # LiteRT says the same to the kit, which tells it
    answers.write(b"d")  # done
