"""AVERAGE_POOL_2D: the mean of each window, channel by channel."""

from kit.generate.operators.pool_2d import pool
from kit.generate.step import Step
from kit.model import Operator


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_average_pool_2d_int8 or its float32. Raises Refusal, as `pool` does."""
    return pool(operator, "nn_average_pool_2d")
