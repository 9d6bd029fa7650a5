"""What a chip counts beside what the virtual board estimated for the same program and image."""

import json
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from kit.board import Board, Profile, flash
from kit.compile.firmware import PIXELS
from kit.digits import load_mnist
from kit.errors import KitError
from kit.paths import build_folder

WITHIN = 0.05  # of the measured cycles: how far the estimate may be off
KEYS = {"kit", "mcu", "revision", "core_hz", "wait_states", "network", "build_id", "layers"}
ASK = (
    f"The estimate is to be within {WITHIN:.0%} of what a chip counts; only its owner can tell.\n"
    "Please open a ticket with this page; its last line goes into data/boards.json:"
)
NO_CHIP = "A virtual board estimates; on a real one, cycles predicted and measured stand here."


@dataclass(frozen=True)
class LayerCycles:
    """Of one layer; `predicted` is None where there is no virtual board for the program."""

    name: str
    macs: int
    measured: int
    predicted: int | None

    def __str__(self) -> str:
        return f"{self.name}: {_beside(self.measured, self.predicted)} for {self.macs:,} MACs"


@dataclass(frozen=True)
class CycleComparison:
    """Of an inference: on which chip and clock, with which program, and its layers; `why` says why
    there is no prediction."""

    kit: str
    mcu: str
    revision: int
    core_hz: int
    wait_states: int
    network: str
    build_id: str
    layers: tuple[LayerCycles, ...]
    why: str = ""

    @property
    def measured(self) -> int:
        """Cycles of all layers."""
        return sum(layer.measured for layer in self.layers)

    @property
    def predicted(self) -> int | None:
        """The estimate of the same."""
        known = [layer.predicted for layer in self.layers if layer.predicted is not None]
        return sum(known) if known else None

    def __str__(self) -> str:
        time = f"{self.measured / self.core_hz * 1e6:,.0f} us at {self.core_hz:,} Hz"
        text = f"{_beside(self.measured, self.predicted)}, {time}"
        return f"{text}; no prediction: {self.why}" if self.why else text

    def block(self) -> str:
        """A line of JSON with the KEYS, for data/boards.json."""
        return json.dumps({key: value for key, value in asdict(self).items() if key in KEYS})


def _beside(measured: int, predicted: int | None) -> str:
    if predicted is None:
        return f"{measured:,} cycles"
    off = predicted / max(measured, 1) - 1
    verdict = "" if abs(off) <= WITHIN else f", more than {WITHIN:.0%}"
    return f"{measured:,} cycles, predicted {predicted:,} ({off:+.1%}{verdict})"


def an_image(pixels: int) -> npt.NDArray[np.uint8]:
    """The first test image of MNIST; black for a network that takes another number of pixels."""
    return load_mnist()[1][0][0] if pixels == PIXELS else np.zeros(pixels, np.uint8)


def compare_cycles(board: Board, measured: Profile, kit: str) -> CycleComparison:
    """What a real board has measured for `an_image`, beside the estimate of a virtual one that runs
    firmware.elf, which is taken to be the board's program. `kit` names the kit."""
    hello, status = board.described, board.status()
    try:
        predicted, why = predict(an_image(hello.input.elements)), ""
        estimates: list[int | None] = [layer.cycles for layer in predicted.layers]
    except KitError as error:
        estimates, why = [None] * len(measured.layers), error.args[0]
    layers = tuple(LayerCycles(layer.name, layer.macs, layer.cycles, estimate)
                   for layer, estimate in zip(measured.layers, estimates, strict=True))  # fmt: skip
    clock = status.core_hz, status.flash_wait_states
    program = hello.network, hello.build_id
    return CycleComparison(kit, hello.mcu, status.device_id >> 16, *clock, *program, layers, why)


def predict(image: npt.NDArray[np.uint8]) -> Profile:
    """What the virtual board estimates for an image with firmware.elf. Raises KitError where there
    is no such file, no virtual board of its chip, or the program has ST's library in it."""
    url = "virtual://prediction"
    flash(url, build_folder() / "firmware.elf")
    with Board(url) as board:
        return board.profile(image)
