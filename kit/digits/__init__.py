"""Digits: MNIST itself, and drawings or photographs made to look like it."""

from kit.digits.files import read_image
from kit.digits.mnist import load_mnist
from kit.digits.prepare import check_image, like_mnist

__all__ = ["check_image", "like_mnist", "load_mnist", "read_image"]
