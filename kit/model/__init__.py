"""A .tflite file as a plain description, and LiteRT as the reference for what it computes."""

from kit.model.folding import to_integers as to_integers
from kit.model.integers import IntegerLayer as IntegerLayer
from kit.model.integers import save_integers as save_integers
from kit.model.pixels import Range as Range
from kit.model.pixels import are_shares as are_shares
from kit.model.pixels import describe_range as describe_range
from kit.model.pixels import input_range as input_range
from kit.model.pixels import output_to_scores as output_to_scores
from kit.model.pixels import pixels_to_input as pixels_to_input
from kit.model.reference import Reference as Reference
from kit.model.tflite import Model as Model
from kit.model.tflite import Operator as Operator
from kit.model.tflite import Tensor as Tensor
from kit.model.tflite import read_model as read_model
