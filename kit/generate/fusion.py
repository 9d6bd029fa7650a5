"""Steps that one kernel can do together."""

from collections.abc import Mapping, Sequence

from kit.generate.operators.conv_2d import with_pooling
from kit.generate.step import Step
from kit.model import Tensor


def fuse(
    steps: list[Step], outputs: Sequence[Tensor], base: Mapping[int, int], optimize: str
) -> list[Step]:
    """The steps, in which a CONV_2D and the MAX_POOL_2D behind it are one: the large tensor between
    them is never stored. The model's `outputs` are still made; `base` is as of `graph.lower`."""
    read = [base[tensor.index] for step in steps for tensor in step.inputs]
    read += [base[tensor.index] for tensor in outputs]
    fused: list[Step] = []
    for step in steps:
        before = next((one for one in fused if one.output in step.inputs), None)
        alone = before is not None and read.count(base[before.output.index]) == 1
        together = with_pooling(before, step, optimize) if before is not None and alone else None
        if before is not None and together is not None:
            fused[fused.index(before)] = together
        else:
            fused.append(step)
    return fused
