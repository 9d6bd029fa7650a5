"""The figures and tables of the notebooks.

A figure that is the last expression of a cell shows with a description in words, its alt text.
"""

from kit.lesson.show.answers import confusion, images, scores
from kit.lesson.show.bits import accuracy_by_bits, layer_errors
from kit.lesson.show.costs import engines, memory_map, profile, trials
from kit.lesson.show.front import pareto, pareto_front
from kit.lesson.show.steps import road, ways
from kit.lesson.show.training import comparison, failures, history, weights
from kit.tables import table

__all__ = ["accuracy_by_bits", "comparison", "confusion", "engines", "failures", "history",
           "images", "layer_errors", "memory_map", "pareto", "pareto_front", "profile", "road",
           "scores", "table", "trials", "ways", "weights"]  # fmt: skip
