"""What a network takes on a chip: instructions and cycles of each layer, flash and RAM."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.board import Board, LayerProfile, Profile, flash
from kit.compile import Footprint, build_firmware
from kit.compile.firmware import PIXELS
from kit.digits import load_mnist
from kit.generate import Generated, generate_network
from kit.model import Range, input_range, read_model
from kit.paths import build_folder
from kit.tables import Table, table

DEPENDS = (
    "Its time depends on the data: groups of zeros among the inputs are skipped, so that a mostly "
    "black image takes less. The worst case is an image without zeros, and who can measure the "
    "time learns something of the image."
)
COLUMNS = {"name": "layer", "macs": "MACs", "instructions": "instructions", "per_mac": "per MAC"}
COLUMNS |= {"most": "at most", "cycles": "cycles", "waits": "of these waiting"}


@dataclass(frozen=True)
class Cost:
    """Of a layer, or of all: mean instructions and cycles of an inference, how many of the cycles
    the core waits for the flash, instructions for each MAC (0 where there are none), and the most
    instructions that an inference took."""

    name: str
    operator: str
    macs: int
    instructions: float
    per_mac: float
    most: int
    cycles: float
    waits: float


@dataclass(frozen=True)
class Costs:
    """What a network takes, over `images` inferences; only a virtual board counts instructions, and
    estimates cycles. `footprint` is None where only the board was asked."""

    network: str
    images: int
    layers: tuple[Cost, ...]
    all: Cost
    estimated: bool
    core_hz: int
    footprint: Footprint | None = None

    def shown(self) -> Iterator[Table | str]:
        """For people: a row a layer and one for all; flash and RAM."""
        title = f"{self.network}, mean of {self.images:,} images"
        formats = {"instructions": ",.0f", "cycles": ",.0f", "waits": ",.0f", "per_mac": ".2f"}
        yield table([*map(vars, self.layers), vars(self.all)], COLUMNS, title, formats)
        kind = "estimated" if self.estimated else "measured"
        time = self.all.cycles / self.core_hz * 1e3
        yield f"{kind}: {time:,.2f} ms an inference at {self.core_hz / 1e6:g} MHz"
        if self.footprint:
            yield str(self.footprint)


def profile_model(
    path: str | Path,
    count: int,
    board_url: str,
    progress: Any = iter,
    span: Range | None = None,
    optimize: str | None = None,
) -> Costs:
    """Build a model's firmware, flash the board at `board_url`, and profile `count` images there:
    of MNIST's test set, or random pixels where the model takes another number of values. `span` and
    `optimize` are as for `kit.generate_network`. Raises KitError as that, building and flashing do.
    """
    span = span or input_range(read_model(path).input) or (0.0, 255.0)  # any will do to be timed
    network = generate_network(path, build_folder() / "profile", "portable", span, optimize)
    return profile_network(network, "profile-firmware", count, board_url, progress)


def profile_network(
    network: Generated, out: str, count: int, url: str, progress: Any = iter
) -> Costs:
    """As `profile_model`, of a network by whichever engine; its programs go to `out` in build/."""
    bare = build_firmware(network, out, bare=True)
    flash(url, build_firmware(network, out).elf)
    return profile_board(url, count, progress, bare.footprint)


def profile_board(
    url: str, count: int, progress: Any = iter, footprint: Footprint | None = None
) -> Costs:
    """Profile `count` images, as `profile_model`, on a board that runs the firmware."""
    with Board(url) as board:
        images = _images(board.described.input.elements, count)
        profiles = [board.profile(image) for image in progress(images)]
        return costs_of(board.described.network, profiles, footprint)


def costs_of(
    network: str, profiles: Sequence[Profile], footprint: Footprint | None = None
) -> Costs:
    """The costs of a network, from profiles of at least one image."""
    layers = tuple(_cost(rows) for rows in zip(*(p.layers for p in profiles), strict=True))
    everything = _cost([_sum(profile.layers) for profile in profiles])
    known = profiles[0].estimated, profiles[0].core_hz
    return Costs(network, len(profiles), layers, everything, *known, footprint)


def _cost(rows: Sequence[LayerProfile]) -> Cost:
    """Of the same layer in many inferences."""
    first, counts = rows[0], [row.instructions for row in rows]
    mean, cycles, waits = (
        float(np.mean(each))
        for each in (counts, [row.cycles for row in rows], [row.waits for row in rows])
    )
    per_mac = mean / first.macs if first.macs else 0.0
    return Cost(first.name, first.operator, first.macs, mean, per_mac, max(counts), cycles, waits)


def _sum(layers: Sequence[LayerProfile]) -> LayerProfile:
    names = ("macs", "instructions", "cycles", "waits", "microseconds")
    return LayerProfile("all", "", *(sum(getattr(x, name) for x in layers) for name in names))


def _images(pixels: int, count: int) -> npt.NDArray[np.uint8]:
    if pixels == PIXELS:
        return load_mnist()[1][0][:count]
    return np.random.default_rng(1).integers(0, 256, (count, pixels), np.uint8)
