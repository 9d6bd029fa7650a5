"""Pixels as a network takes them: the one preparation, the same here and on the chip."""

from typing import Any

import numpy as np
import numpy.typing as npt

from kit.model.tflite import Tensor


def pixels_to_input(images: npt.NDArray[np.uint8], tensor: Tensor) -> npt.NDArray[Any]:
    """Images as the values of a network's input tensor.

    The network is trained on pixel / 255. For int8 that real number is stored as
    round(pixel / 255 / scale) + zero_point, which with scale 1/255 and zero point -128 is
    pixel - 128. float32 arithmetic throughout, exactly as firmware/app/pixels.c.

    Args:
        images: uint8, shape (n, 28, 28) or any other; 0 is background.
        tensor: the network's input tensor, int8 or float32.

    Returns:
        the same shape; the tensor's dtype.
    """
    real: npt.NDArray[np.float32] = images.astype(np.float32) / np.float32(255)
    if tensor.dtype == "float32":
        return real
    steps = np.floor(real / np.float32(tensor.scale) + np.float32(0.5)).astype(np.int32)
    stored: npt.NDArray[np.int8] = np.clip(steps + tensor.zero_point, -128, 127).astype(np.int8)
    return stored


def output_to_scores(output: npt.NDArray[Any], tensor: Tensor) -> npt.NDArray[np.float32]:
    """A network's output as real numbers: scale * (value - zero_point) for int8.

    Args:
        output: any shape, of the tensor's dtype.
        tensor: the network's output tensor.

    Returns:
        float32, the same shape.
    """
    if tensor.dtype == "float32":
        return output.astype(np.float32)
    difference = output.astype(np.int32) - tensor.zero_point
    return np.float32(tensor.scale) * difference.astype(np.float32)
