"""RESHAPE: the same bytes under another shape, which needs no kernel."""

from kit.generate.step import same_elements
from kit.model import Operator, Tensor


def lower(operator: Operator) -> Tensor:
    """The tensor whose bytes its output is. Raises Refusal: their numbers of values differ."""
    return same_elements(operator)[0]
