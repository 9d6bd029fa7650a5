"""A program that may die: it runs the .tflite FILE once with KERNELS of LiteRT's OpResolverType."""

import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

if __name__ == "__main__":
    file, kernels = sys.argv[1:]
    content, resolver = Path(file).read_bytes(), OpResolverType[kernels]
    with suppress(ValueError, RuntimeError):  # who started it will be told the same
        model = Interpreter(model_content=content, experimental_op_resolver_type=resolver)
        model.allocate_tensors()
        for one in model.get_input_details():
            model.set_tensor(one["index"], np.zeros(one["shape"], one["dtype"]))
        model.invoke()
