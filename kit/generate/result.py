"""What an engine made of a model: the one result type of every engine."""

import json
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from kit.errors import KitError
from kit.model import Tensor
from kit.paths import locked

FILE = "network.json"


@dataclass(frozen=True)
class TensorInfo:
    """A tensor as the chip holds it: real value = scale * (stored value - zero_point)."""

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int
    bytes: int

    @classmethod
    def of(cls, tensor: Tensor) -> "TensorInfo":
        """What a model says of a tensor."""
        return cls(tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point, tensor.bytes)


@dataclass(frozen=True)
class Layer:
    """One step of the network. Sizes in bytes; `output` is None where an engine does not say."""

    name: str
    operator: str
    macs: int
    weights_bytes: int
    output: TensorInfo | None


@dataclass(frozen=True)
class Held:
    """A place in the arena: what a layer leaves behind, by its shape such as "28x28x6", or the
    working memory of one ("scratch")."""

    layer: str
    what: str
    bytes: int


@dataclass(frozen=True)
class Runtime:
    """What a network of ST's tool is compiled and linked with, which is ST's and not in its folder.

    `api` is "st-ai" or "legacy", `tool` and `version` made the network, `include` is the folder of
    the headers, `library` the static library for the Cortex-M4 with hard float. `cube` is the
    X-CUBE-AI that the tool said it belongs to, such as (12, 0), or None; `remark` says what could
    not be checked, or is empty.
    """

    api: str
    tool: str
    version: str
    include: Path
    library: Path
    cube: tuple[int, ...] | None = None
    remark: str = ""


@dataclass(frozen=True)
class Generated:
    """A folder of C that computes a network behind `firmware/engine/engine.h`.

    `weights_bytes` are constants in flash; `arena_bytes` hold every tensor in RAM. The kernels'
    own code and data come on top: the engine says them here, or they are None and known after
    linking. `runtime` is None where everything that is needed is in `folder` and firmware/.
    `digest` is the `kit.provenance.file_digest` of the model's file, `input_range` what a pixel
    of 0 and one of 255 are to the network, or None where that is not known; `further` are the
    outputs behind the first, `peak` what lies in the arena when it is fullest.
    """

    folder: Path
    engine: str
    model: str
    input: TensorInfo
    output: TensorInfo
    layers: tuple[Layer, ...]
    weights_bytes: int
    arena_bytes: int
    kernel_flash_bytes: int | None = None
    kernel_ram_bytes: int | None = None
    runtime: Runtime | None = None
    digest: str = ""
    input_range: tuple[float, float] | None = None
    further: tuple[TensorInfo, ...] = ()
    peak: tuple[Held, ...] = ()

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """All of them, the first included."""
        return (self.output, *self.further)

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
        text = json.dumps(content, default=self._place, indent=2)
        (self.folder / FILE).write_text(text + "\n", encoding="utf-8")

    def _place(self, path: Path) -> str:
        """A path as it is kept: from `folder` where it lies inside, so that it may be moved."""
        inside = path.is_relative_to(self.folder)
        return (path.relative_to(self.folder) if inside else path.absolute()).as_posix()


def load_network(folder: str | Path) -> Generated:
    """Read what an engine left in a folder.

    Raises KitError: it holds no generated network, or one of another version of the kit.
    """
    folder = Path(folder)
    next_step = "Run `kit generate MODEL.tflite --out DIR`, or notebook 03-generate."
    try:
        with locked(folder.absolute()):
            text = (folder / FILE).read_text(encoding="utf-8")
        made: Generated = _made(Generated, {"folder": "."} | json.loads(text), folder)
        return made
    except (FileNotFoundError, NotADirectoryError):
        raise KitError(f"There is no generated network in {folder}.", next_step=next_step) from None
    except (ValueError, KeyError, TypeError) as error:
        raise KitError(
            f"{folder / FILE} cannot be read.", f"It is damaged: {error!r}.", next_step
        ) from error


def _made(kind: Any, content: Any, folder: Path) -> Any:
    """What was read from JSON as a value of this type; its paths are kept from `folder`."""
    if isinstance(kind, type) and is_dataclass(kind):
        types = {name: type_ for name, type_ in get_type_hints(kind).items() if name in content}
        return kind(**{name: _made(types[name], content[name], folder) for name in types})
    if kind is Path:
        return folder / content
    inner = [one for one in get_args(kind) if one not in (NoneType, ...)]
    if content is not None and get_origin(kind) is UnionType:
        return _made(inner[0], content, folder)
    if get_origin(kind) is tuple:
        return tuple(_made(inner[0], one, folder) for one in content)
    return content
