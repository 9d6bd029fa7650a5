"""What you can ask a board. It knows nothing but a pyserial URL."""

import contextlib
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from kit.board import link
from kit.board.address import VIRTUAL, how_to_flash
from kit.board.crash import CrashError
from kit.board.ports import open_port, resolve
from kit.board.requests import (
    BoardLayer,
    BoardTensor,
    Checksum,
    Hello,
    Layout,
    LinkError,
    Request,
    Status,
    take_apart,
)
from kit.digits import check_image
from kit.digits.prepare import SIDE
from kit.errors import KitError
from kit.model import output_to_scores
from virtual_nucleo.mcus import FlashSettings

Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class Answer:
    """The board's answer to one image: `scores` as the network gives them, int8 or float32, shape
    (outputs,), the index of the largest, which for digits is the digit, and the scores' tensor."""

    digit: int
    scores: npt.NDArray[Any]
    output: BoardTensor

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """The real numbers that the scores stand for: shares of 1 where the network ends in a
        softmax; float32, shape (outputs,)."""
        return output_to_scores(self.scores, self.output)


@dataclass(frozen=True)
class LayerProfile:
    """What one layer takes: `cycles` measured on a chip and an estimate on the virtual board, and
    the time of them at the core's clock. The virtual board alone counts `instructions`, and tells
    in how many of the cycles the core `waits` for its flash; on a chip both are 0."""

    name: str
    operator: str
    macs: int
    instructions: int
    cycles: int
    waits: int
    microseconds: float


@dataclass(frozen=True)
class Profile:
    """What one inference takes, layer by layer; with `estimated` its cycles are an estimate, of
    which virtual_nucleo/timing.py and flash.py have the model and its limits."""

    layers: tuple[LayerProfile, ...]
    estimated: bool
    core_hz: int

    @property
    def cycles(self) -> int:
        """Cycles of all layers."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def waits(self) -> int:
        """Of these, cycles in which the core waits for its flash."""
        return sum(layer.waits for layer in self.layers)

    @property
    def microseconds(self) -> float:
        """Time of all layers in microseconds."""
        return sum(layer.microseconds for layer in self.layers)


_boards: WeakValueDictionary[str, "Board"] = WeakValueDictionary()  # the last at each address


class Board(contextlib.AbstractContextManager["Board"]):
    """A board that runs the kit's firmware, real or virtual; use it in a `with` block.

    `url` is any pyserial URL: `virtual://`, `COM5`, `/dev/ttyACM0`, `socket://…`; `replay://FILE`,
    a recording; or "auto": the one board that is there (`kit.board.ports.resolve`). Opening it
    again closes the board that this process had opened there: a cell that opens a board can be run
    twice. A board that was unplugged is opened again by the next request. `fastest` is the highest
    baud rate to agree on after the first HELLO. KitError says why the port does not open, or the
    board does not answer.
    """

    def __init__(self, url: str = VIRTUAL, fastest: int = link.FASTER_BAUDS[0]) -> None:
        self.url = resolve(url)
        if earlier := _boards.get(self.url):
            earlier.close()
        self.fastest = fastest
        self.port = open_port(self.url)
        self.link = link.Link(self.port)
        self._hello: Hello
        _boards[self.url] = self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the board at the baud rate that the next program expects, and close the port."""
        self.link.close()

    def hello(self) -> Hello:
        """Who answers. The first time, the fastest baud rate that works is agreed on, too."""
        payload = self.link.request(Request.HELLO)
        self._hello = self._read(Hello, payload)
        self.link.expect_work(self._hello.macs, self._hello.core_hz)
        if self.link.unknown:
            self.link.unknown = False
            self.link.speed_up(self.fastest)
        return self._hello

    def _read(self, layout: type[Layout], payload: bytes) -> Layout:
        try:
            return take_apart(layout, payload)
        except ValueError as error:
            raise LinkError(
                f"The board on {self.url} does not speak this kit's protocol.",
                f"Its answer to {layout.__name__.upper()} makes no sense: {error}.",
                how_to_flash(self.url),
            ) from error

    @property
    def described(self) -> Hello:
        """What `hello` said, asked once."""
        return self.hello() if self.link.unknown else self._hello

    def _ask(self, kind: int, payload: bytes) -> bytes:
        """A request to the network that `described` tells of, and the payload of its reply."""
        before = self.described
        try:
            return self.link.request(kind, payload)
        finally:
            if self.link.unknown and self.hello() != before:
                raise LinkError(
                    f"Another board or program answers on {self.url} than before.",
                    f"It was plugged in anew, and says network {self.described.network}, build "
                    f"{self.described.build_id}.",
                    "If that is the one that is meant, run this again.",
                )

    def layer(self, number: int) -> BoardLayer:
        """The description of layer `number`, from 0; KitError where there is none."""
        layers = self.described.layers
        if not 0 <= number < layers:
            raise KitError(
                f"There is no layer {number}.",
                f"The network on the board has {layers}.",
                f"Layers are counted from 0: the last is {layers - 1}.",
            )
        return self._read(BoardLayer, self._ask(Request.LAYER, bytes([number])))

    def recognize(self, image: npt.NDArray[np.uint8]) -> Answer:
        """Recognize one image: uint8, light strokes on 0, shape (28, 28), or as many pixels as the
        network takes where that is another number; KitError for others."""
        hello = self.described
        payload = self._ask(Request.RECOGNIZE, _pixels(image, hello.input))
        scores = _outputs(payload, hello)[0]
        return Answer(int(scores.argmax()), scores, hello.output)

    def profile(self, image: npt.NDArray[np.uint8], flash: FlashSettings | None = None) -> Profile:
        """What each layer takes, in cycles and microseconds, for an image as for `recognize`. With
        `flash` a virtual board estimates the cycles for other settings of the flash than those of
        the program; KitError for another board."""
        hello = self.described
        with self._counting_waits(flash):
            payload = self._ask(Request.MEASURE, _pixels(image, hello.input))
        _outputs(payload[4 * hello.layers :], hello)  # the reply is one to this network
        counts, estimates = struct.unpack_from(f"<{hello.layers}I", payload), self.link.estimates
        pairs = [(c, 0) for c in counts] if estimates is None else estimates[-len(counts) :]
        layers = []
        for number, (count, (cycles, waits)) in enumerate(zip(counts, pairs, strict=True)):
            layer, instructions = self.layer(number), 0 if estimates is None else count
            work = layer.name, layer.operator, layer.macs, instructions, cycles, waits
            layers.append(LayerProfile(*work, microseconds=cycles / hello.core_hz * 1e6))
        return Profile(tuple(layers), estimates is not None, hello.core_hz)

    def _counting_waits(
        self, flash: FlashSettings | None
    ) -> contextlib.AbstractContextManager[None]:
        """The cycles that a virtual board's core waits for its flash are counted in the block."""
        counting = getattr(getattr(self.port, "inside", None), "counting_waits", None)
        if counting:
            return cast(contextlib.AbstractContextManager[None], counting(flash))
        if flash is None:
            return contextlib.nullcontext()
        raise KitError(
            f"The flash of the board at {self.url} is as its program sets it.",
            "Only a virtual board can estimate its cycles as if it were set otherwise.",
            'Profile the program there: `kit.Board("virtual://")`.',
        )

    def scores(self, images: npt.NDArray[np.uint8], progress: Progress = iter) -> npt.NDArray[Any]:
        """The scores, shape (n, outputs), for n images, which may be none, each as `recognize`
        takes it; `progress` wraps the iteration, for a progress bar."""
        rows = [self.recognize(image).scores for image in progress(images)]
        return _table(rows, self.described.output)

    def run(self, inputs: npt.NDArray[Any], progress: Progress = iter) -> npt.NDArray[Any]:
        """The first output, shape (n, its elements), for inputs that are already as the network
        takes them: shape (n, …), of its input dtype; KitError for others."""
        return self.run_all(inputs, progress)[0]

    def run_all(
        self, inputs: npt.NDArray[Any], progress: Progress = iter
    ) -> list[npt.NDArray[Any]]:
        """As `run`, each of the network's outputs."""
        hello = self.described
        sent = (_stored(one, hello.input) for one in progress(inputs))
        rows = [_outputs(self._ask(Request.RUN, one), hello) for one in sent]
        return [_table([r[n] for r in rows], out) for n, out in enumerate(hello.outputs)]

    def watch(self, layer: int, one: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The output of one layer, from 0, for one input as the network takes it; KitError where
        there is no such layer, or for another shape or dtype."""
        output = self.layer(layer).output
        request = bytes([layer]) + _stored(one, self.described.input)
        return _values(self._ask(Request.WATCH, request), output)

    def status(self) -> Status:
        """How the board is: clocks, stack, and what went wrong on the line."""
        return self._read(Status, self.link.request(Request.STATUS))

    def checksum(self) -> Checksum:
        """The length and CRC-32 of the program in flash, which the board works out itself."""
        return self._read(Checksum, self.link.request(Request.CHECKSUM))

    def reset(self) -> None:
        """Restart the program, a crashed one too; it says hello before the next request."""
        try:
            self.link.request(Request.RESET)
        except CrashError:  # the reply of a crashed program, which restarts
            if hasattr(self.port, "reset"):  # a virtual board has stopped it: the black button
                self.port.reset()
        self.link.fall_back()
        self.link.unknown = True


def _pixels(image: Any, tensor: BoardTensor) -> bytes:
    """An image as it is sent; 784 pixels must be those of a digit of MNIST."""
    if tensor.elements == SIDE * SIDE:
        return check_image(image).tobytes()
    return _sent(image, "uint8", tensor, "an image of this network has 0 to 255")


def _stored(one: Any, tensor: BoardTensor) -> bytes:
    """An input as it is sent; some engines have room behind the last value."""
    values = _sent(one, tensor.dtype, tensor, "kit.model.pixels_to_input prepares images")
    return values.ljust(tensor.bytes, b"\0")


def _sent(values: Any, dtype: str, tensor: BoardTensor, advice: str) -> bytes:
    """As many values of this dtype as the tensor has."""
    if not isinstance(values, np.ndarray):
        given = f"a {type(values).__name__}"
    elif values.dtype == dtype and values.size == tensor.elements:
        return values.tobytes()
    else:
        given = f"{values.size:,} of {values.dtype} (shape {values.shape})"
    raise KitError(
        f"The network on the board takes {tensor.elements:,} values of {dtype}, and this is "
        f"{given}.",
        "Each input has the network's own number and kind of values.",
        f"Pass a NumPy array of them: {advice}.",
    )


def _table(rows: list[npt.NDArray[Any]], output: BoardTensor) -> npt.NDArray[Any]:
    return np.array(rows, output.dtype).reshape(-1, output.elements)


def _outputs(payload: bytes, hello: Hello) -> list[npt.NDArray[Any]]:
    """The outputs as they were sent, one after the other."""
    *before, last = hello.outputs
    found = []
    for output in before:
        found.append(_values(payload[: output.bytes], output))
        payload = payload[output.bytes :]
    return [*found, _values(payload, last)]


def _values(payload: bytes, output: BoardTensor) -> npt.NDArray[Any]:
    """An output as it was sent."""
    if len(payload) != output.bytes:
        raise LinkError(
            f"The board sent {len(payload)} bytes of output, not {output.bytes}.",
            "Another program is on the board now than when it said hello.",
            "Open the board again.",
        )
    return np.frombuffer(payload, output.dtype)[: output.elements]
