"""What an engine made of a model: the one result type of every engine."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kit.errors import KitError

FILE = "network.json"


@dataclass(frozen=True)
class TensorInfo:
    """A tensor as the chip holds it: real value = scale * (stored value - zero_point)."""

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int
    bytes: int


@dataclass(frozen=True)
class Layer:
    """One step of the network. Sizes in bytes."""

    name: str
    operator: str
    macs: int
    weights_bytes: int
    output: TensorInfo


@dataclass(frozen=True)
class Generated:
    """A folder of C that computes a network behind `firmware/engine/engine.h`.

    `weights_bytes` are constants in flash; `arena_bytes` hold every tensor in RAM.
    """

    folder: Path
    engine: str
    model: str
    input: TensorInfo
    output: TensorInfo
    layers: tuple[Layer, ...]
    weights_bytes: int
    arena_bytes: int

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations in one inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def sources(self) -> list[Path]:
        """The C files to compile."""
        return sorted(self.folder.glob("*.c"))

    def save(self) -> None:
        """Write `network.json` into the folder."""
        content = asdict(self) | {"macs": self.macs}
        del content["folder"]
        (self.folder / FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def load(folder: str | Path) -> Generated:
    """Read what an engine left in a folder.

    Raises:
        KitError: the folder holds no generated network, or one of another version of the kit.
    """
    folder = Path(folder)
    next_step = "Run `kit generate MODEL.tflite --out DIR`, or notebook 03-generate."
    if not (folder / FILE).is_file():
        raise KitError(f"There is no generated network in {folder}.", next_step=next_step)
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return _generated(folder, content)
    except (ValueError, KeyError, TypeError) as error:
        raise KitError(
            f"{folder / FILE} cannot be read.", f"It is damaged: {error!r}.", next_step
        ) from error


def _tensor(content: dict[str, Any]) -> TensorInfo:
    return TensorInfo(**content | {"shape": tuple(content["shape"])})


def _generated(folder: Path, content: dict[str, Any]) -> Generated:
    layers = (layer | {"output": _tensor(layer["output"])} for layer in content["layers"])
    return Generated(
        folder,
        content["engine"],
        content["model"],
        _tensor(content["input"]),
        _tensor(content["output"]),
        tuple(Layer(**layer) for layer in layers),
        content["weights_bytes"],
        content["arena_bytes"],
    )
