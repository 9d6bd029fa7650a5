"""A .tflite file as a plain description, and LiteRT as the reference for what it computes."""

from kit.model.pixels import (
    Range,
    are_shares,
    describe_range,
    input_range,
    output_to_scores,
    pixels_to_input,
    range_of,
)
from kit.model.reference import Reference
from kit.model.tflite import Model, Operator, Tensor, read_model

__all__ = [
    "Model",
    "Operator",
    "Range",
    "Reference",
    "Tensor",
    "are_shares",
    "describe_range",
    "input_range",
    "output_to_scores",
    "pixels_to_input",
    "range_of",
    "read_model",
]
