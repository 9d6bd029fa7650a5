"""From a Keras network to integer layers: normalization folded, ranges measured.

Source of the arithmetic: B. Jacob et al., "Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference", 2018, sections 2.4 and 3.2.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.errors import KitError
from kit.model.integers import IntegerLayer, Quantization

Array = npt.NDArray[Any]
Integers = Callable[[Any], tuple[Any, Any, str]]
SAME_SHAPE = ("InputLayer", "Reshape", "Flatten", "Dropout")
FOLDED = ("BatchNormalization", "ReLU", "Activation")
PLAIN = {"MaxPooling2D": "MAX_POOL_2D", "GlobalAveragePooling2D": "MEAN", "Softmax": "SOFTMAX"}
SHARES: Quantization = (1 / 256, -128)  # of a softmax, as LiteRT wants it


def to_integers(
    network: Any, integers: Integers, images: Array, source: Quantization = (1 / 255, -128)
) -> list[IntegerLayer]:
    """A Sequential network of Conv2D, Dense, BatchNormalization, ReLU, MaxPooling2D,
    GlobalAveragePooling2D and Softmax as the layers of an integer network.

    `integers(layer)` gives of a Conv2D or Dense its weights as integers in the shape of its kernel,
    the scale of each output, and their packing. `images` are inputs as in training, some hundreds:
    what flows between the layers on them sets its ranges. `source` is the input's scale and zero
    point. Raises KitError: a layer of another kind, or one that follows in no such network.
    """
    made: list[IntegerLayer] = []
    flow, step, left = np.asarray(images, np.float32), source[0], list(network.layers)
    while left:
        group, before = [left.pop(0)], flow
        while left and _kind(left[0]) in FOLDED:
            group.append(left.pop(0))
        for layer in group:
            flow = np.asarray(layer(flow, training=False))
        if _kind(group[0]) not in SAME_SHAPE:
            made += _group(group, integers, (before, flow), step)
            step = (made[-1].output or (step, 0))[0]
    return made


def _kind(layer: Any) -> str:
    """The Keras class that a layer is of, or is made from; KitError for one that is not known."""
    known = {*SAME_SHAPE, *FOLDED, *PLAIN, "Conv2D", "Dense"}
    for each in type(layer).__mro__:
        if each.__name__ in known and each.__module__.startswith("keras."):
            return each.__name__
    raise KitError(
        f"The layer {layer.name!r}, {type(layer).__name__}, has no integer layer.",
        f"There are some for {', '.join(sorted(known))}.",
        "Leave it out, or convert the network with tf.lite.TFLiteConverter.",
    )


def _group(
    group: list[Any], integers: Integers, ends: tuple[Array, Array], step: float
) -> list[IntegerLayer]:
    """A layer with what is folded into it; `ends` are what it takes and makes of the images, and
    `step` is its input's scale."""
    (before, flow), layer, kind = ends, group[0], _kind(group[0])
    if kind == "MaxPooling2D":
        return [IntegerLayer("MAX_POOL_2D", layer.name, size=tuple(layer.pool_size))]
    if kind in PLAIN:
        output = SHARES if kind == "Softmax" else _quantization(flow)
        return [IntegerLayer(PLAIN[kind], layer.name, output=output)]
    stored, scales, packing = integers(layer)
    stored, scales = np.asarray(stored), _coarse(scales)
    shift = np.zeros(stored.shape[-1]) if layer.bias is None else np.asarray(layer.bias, np.float64)
    for each in group[1:]:
        if _kind(each) == "BatchNormalization":
            factor, offset = _normalization(each)
            scales, shift = scales * factor, shift * factor + offset
    stored, scales = stored * np.where(scales < 0, -1, 1), np.maximum(abs(scales), 1e-12)
    words = [getattr(getattr(each, "activation", None), "__name__", "") for each in group]
    relu = "relu" in words or any(_kind(each) == "ReLU" for each in group)
    softmax, convolves = "softmax" in words, kind == "Conv2D"
    if softmax:  # which is a layer of its own, and takes what is before it
        flow = before @ (stored * scales) + shift
    made = IntegerLayer(
        "CONV_2D" if convolves else "FULLY_CONNECTED",
        layer.name,
        stored.transpose(3, 0, 1, 2) if convolves else stored.T,
        scales.astype(np.float32),
        np.round(shift / (step * scales.astype(np.float32))).astype(np.int64),
        packing,
        "RELU" if relu else "NONE",
        tuple(layer.strides) if convolves else (1, 1),
        layer.padding.upper() if convolves else "VALID",
        output=_quantization(flow),
    )
    return [made, IntegerLayer("SOFTMAX", output=SHARES)] if softmax else [made]


def _normalization(layer: Any) -> tuple[Array, Array]:
    """What a BatchNormalization multiplies each channel by, and what it adds then."""
    of = {variable.name: np.asarray(variable, np.float64) for variable in layer.weights}
    factor = of.get("gamma", 1.0) / np.sqrt(of["moving_variance"] + layer.epsilon)
    return factor, of.get("beta", 0.0) - factor * of["moving_mean"]


def _quantization(flow: Array) -> Quantization:
    """The scale and zero point with which int8 reaches from the least to the largest, and 0."""
    low, high = min(float(flow.min()), 0.0), max(float(flow.max()), 1e-6)
    scale = float(_coarse((high - low) / 255))
    return scale, round(-128 - low / scale)


def _coarse(scales: Any) -> Array:
    """Scales of 12 bits: the last ones of a sum differ between processors, which add in another
    order, and with them the network would."""
    mantissa, exponent = np.frexp(np.asarray(scales, np.float64))
    return np.ldexp(np.round(mantissa * 4096) / 4096, exponent)
