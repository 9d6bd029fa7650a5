"""A .tflite file as a plain description, and LiteRT as the reference for what it computes."""

from kit.model.pixels import output_to_scores, pixels_to_input
from kit.model.reference import Reference
from kit.model.tflite import Model, Operator, Tensor, read

__all__ = [
    "Model",
    "Operator",
    "Reference",
    "Tensor",
    "output_to_scores",
    "pixels_to_input",
    "read",
]
