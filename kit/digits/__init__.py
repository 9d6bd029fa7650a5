"""MNIST, and what an image must be to be read."""

from kit.digits.mnist import load_mnist as load_mnist
from kit.digits.mnist import read_uci as read_uci
from kit.digits.prepare import check_image as check_image
from kit.digits.variations import vary as vary
