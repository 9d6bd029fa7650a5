"""Runs models for `kit.model.trial` until its input ends; a program of its own, not to be imported.

A request is a line, "RESOLVER LENGTH", and LENGTH bytes of .tflite. The answer is a line of JSON:
what LiteRT says against running it, or ""; where LiteRT ends the process there is no answer.
"""

import json
import os
import sys
import threading

from ai_edge_litert.interpreter import Interpreter, OpResolverType

IDLE_SECONDS = 60

answers = os.fdopen(os.dup(1), "wb", buffering=0)
os.dup2(2, 1)  # what LiteRT prints is no answer
answers.write(b"\n")  # ready
while True:
    idle = threading.Timer(IDLE_SECONDS, os._exit, (0,))
    idle.daemon = True
    idle.start()
    line = sys.stdin.buffer.readline().split()
    idle.cancel()
    if not line:
        break
    content = sys.stdin.buffer.read(int(line[1]))
    said = ""
    try:
        resolver = OpResolverType[line[0].decode()]
        model = Interpreter(model_content=content, experimental_op_resolver_type=resolver)
        model.allocate_tensors()
        model.invoke()
    except (ValueError, RuntimeError) as error:
        said = str(error) or type(error).__name__
    answers.write(json.dumps(said).encode() + b"\n")
