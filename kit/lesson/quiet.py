"""TensorFlow without its start-up messages, repeating exactly."""

import os
from importlib import import_module
from typing import Any

from kit.quiet import quiet

__all__ = ["quiet", "tensorflow"]


def tensorflow() -> Any:
    """TensorFlow, imported in silence, with seed 1 and deterministic operations.

    Returns:
        The module `tensorflow`.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # its kernels change the last digits of weights
    with quiet():
        tf = import_module("tensorflow")
        tf.get_logger().setLevel("ERROR")
        tf.keras.utils.set_random_seed(1)
        tf.config.experimental.enable_op_determinism()
    return tf
