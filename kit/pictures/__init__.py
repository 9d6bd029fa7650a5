"""Photographs and drawings of one digit, made into images like MNIST's."""

from kit.pictures.files import read_image as read_image
from kit.pictures.normalize import like_mnist as like_mnist
from kit.pictures.uci import load_uci as load_uci
