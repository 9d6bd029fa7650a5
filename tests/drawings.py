"""Digits drawn as a pen draws them: for tests of pictures."""

import numpy as np
from PIL import Image, ImageDraw

STROKES = [  # of the digits 0 to 9, in a box of 80 x 100
    "40 5, 66 12, 76 50, 62 92, 36 96, 18 75, 14 45, 22 14, 40 5",
    "48 2, 40 98",
    "16 25, 30 8, 56 5, 72 22, 62 48, 36 75, 14 96, 76 94",
    "18 10, 50 4, 72 20, 62 40, 40 48, 66 56, 74 78, 52 96, 15 88",
    "20 4, 12 55, 74 55; 62 4, 58 98",
    "70 5, 28 6, 22 44, 52 42, 72 62, 60 90, 38 97, 14 88",
    "56 3, 30 35, 18 70, 34 96, 58 90, 66 68, 48 55, 28 62, 20 75",
    "12 6, 74 6, 42 98",
    "60 12, 40 4, 24 20, 36 40, 58 58, 64 82, 46 97, 25 84, 34 60, 58 38, 66 20, 60 12",
    "66 20, 48 5, 25 18, 24 40, 45 50, 64 36, 66 20, 60 60, 54 98",
]


def drawing(digit, side, pen=1, shift=(0.1, 0.0)):
    """Dark on light, drawn without antialiasing, the digit 0.8 of the picture's height."""
    image = Image.new("L", (side, side), 255)
    for stroke in STROKES[digit].split(";"):
        points = [np.array(point.split(), float) / 125 for point in stroke.split(",")]
        line = [tuple((point + np.array(shift) + (0, 0.1)) * side) for point in points]
        ImageDraw.Draw(image).line(line, fill=0, width=pen, joint="curve")
    return np.asarray(image)


SEVEN = drawing(7, 280, 20)
