"""What you can ask a board. It knows nothing but a pyserial URL."""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from kit.board import link
from kit.board.ports import open_port
from kit.digits import check_image
from kit.errors import KitError

DTYPES = {1: "int8", 2: "float32"}
Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class BoardTensor:
    """A tensor as the board describes it: real value = scale * (value - zero_point)."""

    dtype: str
    elements: int
    bytes: int
    scale: float
    zero_point: int


@dataclass(frozen=True)
class Hello:
    """Who answers: the firmware, its engine and its network. `core_hz` in Hz, sizes in bytes."""

    protocol: int
    build_id: str
    engine: str
    network: str
    core_hz: int
    weights_bytes: int
    arena_bytes: int
    macs: int
    layers: int
    input: BoardTensor
    output: BoardTensor


@dataclass(frozen=True)
class BoardLayer:
    """One layer as the board describes it."""

    name: str
    operator: str
    macs: int
    output: BoardTensor


@dataclass(frozen=True)
class Answer:
    """The board's answer to one image: the digit, and the ten scores as the network gives them
    (int8 or float32, shape (10,))."""

    digit: int
    scores: npt.NDArray[Any]


@dataclass(frozen=True)
class Measurement:
    """An answer, and what it took: `unit` is "cycles" on a chip; "instructions" on the virtual
    board, where the cycle counter counts executed instructions."""

    answer: Answer
    total: int
    layers: tuple[int, ...]
    unit: str


@dataclass(frozen=True)
class LayerProfile:
    """What one layer takes.

    `cycles` are measured on a chip and an estimate on the virtual board, which alone counts
    `instructions` (0 on a chip). `microseconds` are those cycles at the core's clock.
    """

    name: str
    operator: str
    macs: int
    instructions: int
    cycles: int
    microseconds: float


@dataclass(frozen=True)
class Profile:
    """What one inference takes, layer by layer.

    `estimated` says that `cycles` are an estimate: kit/board/virtual/timing.py has the model and
    its limits. `core_hz` is the clock of the core in Hz.
    """

    layers: tuple[LayerProfile, ...]
    estimated: bool
    core_hz: int

    @property
    def cycles(self) -> int:
        """Cycles of all layers."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def microseconds(self) -> float:
        """Time of all layers in microseconds."""
        return sum(layer.microseconds for layer in self.layers)


class _Fields:
    """Takes a reply apart, field by field, in the order of firmware/app/requests.c."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from("<" + form, self._payload, self._at)
        self._at += struct.calcsize("<" + form)
        return value

    def text(self) -> str:
        length = self.number("B")
        self._at += length
        return self._payload[self._at - length : self._at].decode("ascii", "replace")

    def tensor(self) -> BoardTensor:
        dtype = DTYPES[self.number("B")]
        elements, size = self.number("I"), self.number("I")
        return BoardTensor(dtype, elements, size, self.number("f"), self.number("i"))


class Board:
    """A board that runs the kit's firmware, real or virtual; use it in a `with` block.

    Args:
        url: any pyserial URL: `virtual://`, `COM5`, `/dev/ttyACM0`, `socket://…`.

    Raises:
        KitError: the port cannot be opened.
    """

    def __init__(self, url: str = "virtual://") -> None:
        self.url = url
        self.port = open_port(url)
        self.link = link.Link(self.port)
        self._hello: Hello | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.port.close()

    def hello(self) -> Hello:
        """Who answers.

        Raises:
            LinkError: nobody does, or it is not the kit's firmware.
        """
        payload = self.link.request(link.HELLO)
        try:
            self._hello = _hello(_Fields(payload))
        except (struct.error, KeyError) as error:
            raise link.LinkError(
                f"The board on {self.url} does not speak this kit's protocol.",
                f"Its answer to HELLO makes no sense ({error}).",
                f"Flash this kit's firmware: `kit flash --board {self.url}`.",
            ) from error
        return self._hello

    @property
    def described(self) -> Hello:
        """What `hello` said, asked once."""
        return self._hello or self.hello()

    def layer(self, number: int) -> BoardLayer:
        """The description of layer `number`, from 0."""
        fields = _Fields(self.link.request(link.LAYER, bytes([number])))
        return BoardLayer(fields.text(), fields.text(), fields.number("I"), fields.tensor())

    def recognize(self, image: npt.NDArray[np.uint8]) -> Answer:
        """Recognize one image.

        Args:
            image: uint8, shape (28, 28), light strokes on 0.

        Raises:
            KitError: another shape or dtype; the board does not answer.
        """
        pixels = check_image(image).tobytes()
        output = self.described.output
        return _answer(self.link.request(link.RECOGNIZE, pixels), output)

    def measure(self, image: npt.NDArray[np.uint8]) -> Measurement:
        """Recognize one image and count what it takes, in all and for each layer."""
        pixels = check_image(image).tobytes()
        hello = self.described
        payload = self.link.request(link.MEASURE, pixels)
        fields = _Fields(payload)
        layers = tuple(fields.number("I") for _ in range(hello.layers))
        answer = _answer(payload[4 * len(layers) :], hello.output)
        unit = "instructions" if self.url.startswith("virtual:") else "cycles"
        return Measurement(answer, sum(layers), layers, unit)

    def profile(self, image: npt.NDArray[np.uint8]) -> Profile:
        """Recognize one image and say what each layer takes, in cycles and microseconds.

        Raises:
            KitError: as `measure`.
        """
        estimates = getattr(self.port, "take_cycle_estimates", None)
        if estimates:
            estimates()  # what was read before does not belong to this image
        counts = self.measure(image).layers
        cycles = estimates()[-len(counts) :] if estimates else counts
        hz = self.described.core_hz
        layers = []
        for number, (count, spent) in enumerate(zip(counts, cycles, strict=True)):
            layer = self.layer(number)
            instructions = count if estimates else 0
            work = layer.name, layer.operator, layer.macs, instructions, spent
            layers.append(LayerProfile(*work, microseconds=spent / hz * 1e6))
        return Profile(tuple(layers), bool(estimates), hz)

    def scores(self, images: npt.NDArray[np.uint8], progress: Progress = iter) -> npt.NDArray[Any]:
        """The ten scores for each of many images.

        Args:
            images: uint8, shape (n, 28, 28).
            progress: wraps the iteration, for a progress bar.

        Returns:
            shape (n, 10), of the network's output dtype.
        """
        return np.stack([self.recognize(image).scores for image in progress(images)])

    def run(self, inputs: npt.NDArray[Any], progress: Progress = iter) -> npt.NDArray[Any]:
        """The outputs for inputs that are already as the network takes them.

        Args:
            inputs: shape (n, …), of the network's input dtype.
        """
        dtype = self.described.output.dtype
        rows = (self.link.request(link.RUN, one.tobytes()) for one in progress(inputs))
        return np.stack([np.frombuffer(row, dtype) for row in rows])

    def watch(self, layer: int, one: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The output of one layer, from 0, for one input as the network takes it."""
        payload = self.link.request(link.WATCH, bytes([layer]) + one.tobytes())
        return np.frombuffer(payload, self.layer(layer).output.dtype)

    def reset(self) -> None:
        """Restart the program on the board."""
        self.link.request(link.RESET)


def _answer(payload: bytes, output: BoardTensor) -> Answer:
    if len(payload) != output.bytes:
        raise KitError(
            f"The board sent {len(payload)} bytes of scores, not {output.bytes}.",
            "Another program is on the board now than when it said hello.",
            "Open the board again.",
        )
    scores = np.frombuffer(payload, output.dtype)
    return Answer(int(scores.argmax()), scores)


def _hello(fields: _Fields) -> Hello:
    return Hello(
        protocol=fields.number("B"),
        build_id=fields.text(),
        engine=fields.text(),
        network=fields.text(),
        core_hz=fields.number("I"),
        weights_bytes=fields.number("I"),
        arena_bytes=fields.number("I"),
        macs=fields.number("I"),
        layers=fields.number("I"),
        input=fields.tensor(),
        output=fields.tensor(),
    )
