"""The ink of one digit found in a picture: without shadow, desk, frame, ruled lines and specks.

Paper is what a morphological opening leaves (R. Gonzalez, R. Woods, "Digital Image Processing",
9.6); lines are erased where their runs are short, as staff lines are in scores (C. Dalitz et al.,
"A Comparative Study of Staff Removal Algorithms", 2008); connected parts tell the digit from the
rest.
"""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from kit.digits.prepare import Pixels
from kit.errors import KitError, one_of

Levels = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Polarity = Literal["auto", "light-on-dark", "dark-on-light"]

LARGE = 560  # a picture with a longer side is scaled down first; lengths below are of that side
NOISE = 6  # background within so many median absolute deviations is paper: 4 sigma if Gaussian
EDGE = 48  # ink no darker than this (of 255) may lie outside the digit: halos, ringing
FAINT = 24  # gray levels by which ink must differ from paper
AROUND = 0.2  # what surrounds a pixel when it is asked whether it is lighter or darker
WIDE = 0.35  # what holds a square of this side is paper, desk or shadow, and no stroke

SPAN = 0.85  # of the picture's width or height: a straight line as long is the paper's
SLOPES = np.linspace(-0.06, 0.06, 49)  # of such lines, in rows per column: up to 3.4 degrees
STRIPS = 16  # within one of so many strips of the picture, a sloping line is level
MIDDLES = (np.arange(STRIPS) + 0.5) / STRIPS  # of these strips, in widths of the picture
THICK = 0.03  # what is thicker is no line

# Lengths of the digit's larger side.
JOINED = 0.05  # parts as near as this are one
FRAMED = 0.4  # a part around another of this height is a frame
SMALL = 0.15  # a part no larger is a speck
NEAR = 0.3  # a lower part as near as this belongs to the digit: the upper stroke of a 5
TALL = 0.5  # of the digit's height: a part as tall is a digit of its own
WIDEST = 1.8  # of the digit's height: of MNIST's 10,000 test digits 4 are wider than 1.7


def find_ink(picture: Pixels, polarity: Polarity = "auto") -> Pixels:
    """The digit alone: light on 0, its strongest ink 255.

    Takes uint8 of shape (height, width), each at least 1, and gives that shape; with "auto" and a
    side longer than 560, divided by a whole number. "light-on-dark" and "dark-on-light" are for
    drawings on paper of one level, where all ink is the digit's; with "auto", ink is what stands
    out from its surroundings the more strongly, and one digit is told from all else. Raises
    KitError: nothing is drawn, or what is drawn cannot be told to be one digit.
    """
    one_of(polarity, get_args(Polarity))
    auto = polarity == "auto"
    if polarity == "dark-on-light" or (auto and _is_dark_on_light(picture)):
        picture = 255 - picture
    ink = _without_paper(_shrink(picture)) if auto else _without_noise(picture / np.float32(255))
    if ink.max() * 255 < FAINT:
        raise KitError(
            "Nothing is drawn.",
            "The picture is empty, or its strokes hardly differ from the background.",
            "Draw one digit, dark on light or light on dark.",
        )
    if auto:
        ink = _without_lines(ink)
        ink = np.where(_digit(_drawn(ink)), ink, 0)
    result: Pixels = np.rint(ink / ink.max() * 255).astype(np.uint8)
    return result


def _is_dark_on_light(picture: Pixels) -> bool:
    # Paper differs little from its surroundings and ink much: the third moment has ink's sign.
    small = Image.fromarray(picture).reduce(max(1, max(picture.shape) // 112))
    around = small.filter(ImageFilter.BoxBlur(AROUND * max(small.size)))
    difference = np.asarray(small, np.float64) - np.asarray(around)
    return float((difference**3).sum()) < 0


def _shrink(picture: Pixels) -> Pixels:
    factor = -(-max(picture.shape) // LARGE)
    wider = grow(picture, factor)  # a thin stroke would fade
    return np.asarray(Image.fromarray(wider).reduce(factor))


def grow(picture: Pixels, side: int) -> Pixels:
    """The largest value in a square of `side` pixels around each (a morphological dilation)."""
    origin = side % 2 - 1  # of an even side, the longer half lies behind
    grown: Pixels = ndimage.maximum_filter(picture, side, mode="constant", origin=origin)
    return grown


def _without_paper(picture: Pixels) -> Levels:
    """How much of each pixel is covered by light ink, 0 to 1, on paper lit unevenly.

    The picture's edge is taken to go on outside, so that a strip of desk there is wide. Where this
    leaves nothing (a 1 cut out tightly), the digit ends with the picture.
    """
    side = 1 + 2 * round(WIDE * max(picture.shape) / 2)
    smooth = np.asarray(Image.fromarray(picture).filter(ImageFilter.MedianFilter(3)))
    for outside in ("edge", "minimum"):
        padded = np.pad(smooth, side, mode=outside)
        opened = ndimage.grey_opening(padded, (side, side))
        paper = opened[side:-side, side:-side].astype(np.float32)
        ink = _without_noise((picture - paper) / np.maximum(255 - paper, np.float32(64)))
        if ink.max() * 255 >= FAINT:
            break
    return ink


def _without_noise(ink: Levels) -> Levels:
    """The ink above the level and the noise of the paper, which most of the lighter half is."""
    low = ink[ink <= ink.max() / 2]
    if not low.size:  # one level everywhere
        return np.zeros_like(ink)
    level = np.median(low)
    rest: Levels = (ink - level - NOISE * np.median(np.abs(low - level))).clip(0)
    return rest


def _drawn(ink: Levels, level: int = EDGE) -> Mask:
    drawn: Mask = ink > ink.max() * level / 255
    return drawn


def _without_lines(ink: Levels) -> Levels:
    """The ink without straight lines that span the picture, however often they repeat."""
    rest = ink.copy()
    lines = sum(_erase_lines(turned) for turned in (rest, rest.T) for _ in range(3))
    drawn = _drawn(rest)
    cut = drawn[[0, -1]].any() or drawn[:, [0, -1]].any()
    # One or two lines in a picture that ends where the ink ends are strokes of the digit.
    return rest if drawn.any() and (lines > 2 or not cut) else ink


def _erase_lines(ink: Levels) -> int:
    """Erase, in place, the nearly horizontal lines of the slope that most have; their number."""
    drawn = _drawn(ink, FAINT)
    is_line = _lines(drawn)
    columns, _ = ndimage.label(drawn, [[0, 1, 0]] * 3)
    runs = np.bincount(columns.ravel())[columns] * drawn  # how long each pixel's vertical run is
    lengths = runs[is_line & drawn]
    if not lengths.size or np.median(lengths) > max(3, THICK * max(ink.shape)):
        return 0
    longest = int(1.5 * np.median(lengths)) + 1  # what is longer is a stroke that crosses the line
    beside = ndimage.maximum_filter1d(is_line, 2 * longest + 1, axis=0, mode="constant")
    ink[beside & (runs <= longest)] = 0
    _, count = ndimage.label(beside[:, ink.shape[1] // 2])
    return int(count)


def _lines(drawn: Mask) -> Mask:
    """Where lines of the best slope run, one pixel thin or more; all False if there is none."""
    height, width = drawn.shape
    thick = Image.fromarray(grow(drawn * np.uint8(255), 3))
    strips = np.asarray(thick.resize((STRIPS, height), Image.Resampling.BOX)).T
    slides = SLOPES[:, None] * (MIDDLES * width - width // 2)  # slope, strip
    inside = _slide(np.ones_like(strips), slides).sum(axis=1)
    share = _slide(strips, slides).sum(axis=1) / 255 / np.maximum(inside, STRIPS / 2)  # slope, row
    spans = share > SPAN
    best = np.where(spans, share**2, 0).sum(axis=1).argmax()
    level = np.broadcast_to(spans[best], (width, height))
    return _slide(level, -SLOPES[best] * (np.arange(width) - width // 2)).T


def _slide(columns: NDArray[Any], rows: Levels) -> NDArray[Any]:
    """Columns of a picture, each moved up by its number of `rows`; 0 comes from outside."""
    count, height = columns.shape
    at = np.arange(height) + np.rint(rows)[..., None].astype(int)
    inside = (at >= 0) & (at < height)
    slid: NDArray[Any] = inside * columns[np.arange(count)[:, None], at.clip(0, height - 1)]
    return slid


def _digit(drawn: Mask) -> Mask:
    """Where the digit is, with some margin: the tallest part and what belongs to it. Left out are
    a frame, what touches the edge of the picture beside a digit that does not, and specks."""
    _, first, last = _parts(drawn, drawn)
    wider = grow(drawn.astype(np.uint8), 1 + 2 * round(JOINED * (last - first).max() / 2)) > 0
    labels, first, last = _parts(wider, drawn)
    sizes = last - first
    height = sizes[:, 0]
    around = ((first[:, None] < first) & (last < last[:, None])).all(axis=2)
    kept = ~(around & (height >= FRAMED * height[:, None])).any(axis=1)  # no frames
    inner = kept & (first > 0).all(axis=1) & (last < drawn.shape).all(axis=1)
    if (height[inner] >= TALL * height[kept].max()).any():
        kept = inner
    main = np.where(kept, height, 0).argmax()
    if np.count_nonzero(height[kept] >= TALL * height[main]) > 1:
        raise _several("Two parts of it are as tall as a digit and do not touch.")
    longest = sizes[main].max()
    gaps = (np.maximum(first, first[main]) - np.minimum(last, last[main])).max(axis=1)
    kept &= (gaps <= NEAR * longest) & (sizes.max(axis=1) > SMALL * longest)
    rows, columns = last[kept].max(axis=0) - first[kept].min(axis=0)
    if columns > WIDEST * rows:
        raise _several("What is drawn is wider than any digit.")
    return np.isin(labels, np.flatnonzero(kept) + 1)


def _parts(connected: Mask, drawn: Mask) -> list[NDArray[Any]]:
    """Connected parts (of 8 neighbors): the number of each pixel's, from 1; and of what is drawn
    of each part, the first row and column and those after the last."""
    labels, _ = ndimage.label(connected, np.ones((3, 3)))
    boxes = ndimage.find_objects(np.where(drawn, labels, 0))
    ends = np.array([[(side.start, side.stop) for side in box] for box in boxes])
    return [labels, *np.moveaxis(ends, 2, 0)]


def _several(why: str) -> KitError:
    return KitError(
        "There is more than one digit in the picture.",
        why,
        "Crop the picture to one digit; if there is one, close the gaps between its strokes.",
    )
