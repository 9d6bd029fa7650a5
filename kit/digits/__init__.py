"""Digits: MNIST itself, and drawings or PNG files made to look like it."""

from kit.digits.mnist import load
from kit.digits.prepare import check_image, like_mnist, read_image

__all__ = ["check_image", "like_mnist", "load", "read_image"]
