"""What the operators share that slide a window over an image: convolutions and poolings.

Source of the geometry: LiteRT, `kernels/padding.h` (ComputeOutSize, ComputePadding).
"""

from kit.generate.quantized import REAL_RANGES
from kit.generate.step import Refusal, ends, name_of
from kit.model import Operator

SAME, VALID = 0, 1  # the schema's Padding
LARGEST = 2**16 - 1  # of sizes and steps: nn_window has 16 bits for each


def window_fields(operator: Operator, kernel_height: int, kernel_width: int) -> dict[str, int]:
    """The fields of nn_window, which firmware/nn/window.h describes.

    Raises Refusal: x or y is no single image of (1, height, width, channels) or too large for it,
    the output has another size than LiteRT gives it, or a fused activation that no kernel has.
    """
    x, y = ends(operator)
    if operator.activation not in REAL_RANGES:
        raise Refusal(f"{operator.name} is fused with {operator.activation}.")
    for tensor in (x, y):
        if len(tensor.shape) != 4 or tensor.shape[0] != 1 or tensor.elements == 0:
            raise Refusal(f"{operator.name} works on {name_of(tensor)} of shape {tensor.shape}.")
        if max(tensor.shape) > LARGEST:
            raise Refusal(
                f"{operator.name} works on {name_of(tensor)} of shape {tensor.shape}.",
                f"Its kernels take at most {LARGEST:,} pixels a side and as many channels.",
                "Cut the image into parts, or make it smaller before.",
            )
    along = _along(operator, 1, kernel_height) | _along(operator, 2, kernel_width)
    return along | {"input_channels": x.shape[3], "output_channels": y.shape[3]}


def _along(operator: Operator, axis: int, kernel: int) -> dict[str, int]:
    """Its fields along the height (axis 1) or the width (axis 2)."""
    x, y = ends(operator)
    side, letter, pad = ("height", "h", "pad_top") if axis == 1 else ("width", "w", "pad_left")
    stride = int(operator.options.get(f"stride_{letter}", 0))
    dilation = int(operator.options.get(f"dilation_{letter}_factor", 1))
    dilation = 1 if kernel == 1 and dilation > 0 else dilation  # a window of one has no gaps
    size, made, span = x.shape[axis], y.shape[axis], (kernel - 1) * dilation + 1
    if min(kernel, stride, dilation) < 1 or max(span, stride) > LARGEST:
        raise Refusal(f"{operator.name} has kernel {kernel}, stride {stride}, dilation {dilation}.")
    covered = size if operator.options.get("padding", SAME) == SAME else size - span + 1
    if made != -(-covered // stride):
        raise Refusal(f"{operator.name} makes {y.shape} of {x.shape} in {name_of(y)}.")
    missing = max(0, (made - 1) * stride + span - size)
    fields = {f"input_{side}": size, f"output_{side}": made, f"kernel_{side}": kernel}
    return fields | {f"stride_{side}": stride, f"dilation_{side}": dilation, pad: missing // 2}


def pool_fields(operator: Operator) -> dict[str, int]:
    """As `window_fields`, of a pooling, whose window is among its options."""
    x, y = ends(operator)
    sides = [int(operator.options.get(f"filter_{side}", 0)) for side in ("height", "width")]
    if x.shape[3:] != y.shape[3:]:
        raise Refusal(f"{operator.name} makes {y.shape} of {x.shape}.")
    return window_fields(operator, *sides)
