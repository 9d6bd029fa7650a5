"""The engine xcubeai: a model becomes C by ST's tool, in a folder like those of the open engine."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kit.errors import KitError
from kit.generate import result
from kit.generate.result import Generated, Runtime
from kit.generate.xcubeai import c_code, files, license, zipped
from kit.generate.xcubeai.drive import (
    Driven,
    Job,
    Watch,
    ask,
    perform,
    unwatched,
    work_folder,
)
from kit.generate.xcubeai.figures import Figures, check_version, gather
from kit.generate.xcubeai.find import find_tool
from kit.generate.xcubeai.refusals import check_port
from kit.generate.xcubeai.versions import Version
from kit.model import Model, Range, input_range, read_model
from kit.paths import replacing
from kit.provenance import digest

NAME = "xcubeai"
KERAS = (".keras", ".h5")


@dataclass(frozen=True)
class Settings:
    """What can be chosen for this engine; None leaves the tool's own choice.

    `compression` is none, lossless, low, medium or high, `optimization` time, ram or balanced, as
    far as the version has them. `tool` is the program or its installation, `from_zip` a zip of ST
    Edge AI Developer Cloud instead. `watch` is called with each line that the tool prints.
    `input_range` is what a pixel of 0 and one of 255 are to the network; None: as its input tells.
    """

    compression: str | None = None
    optimization: str | None = None
    tool: str | Path | None = None
    from_zip: str | Path | None = None
    watch: Watch = unwatched
    input_range: Range | None = None


def generate_by_st(path: Path, out: Path, settings: Settings | None = None) -> Generated:
    """Write the C of a model into the folder `out`, by ST's tool or from a zip it made.

    Args:
        path: a .tflite, .keras or .h5 file.
        out: the folder to make.
        settings: what to choose.

    Raises:
        KitError: no tool, an unusable model, a failure of the tool, or files that do not belong
            together; nothing is written then.
    """
    chosen = settings or Settings()
    model = described(path)
    if chosen.from_zip:
        return _from_zip(path, model, out, chosen)
    driven = ask(find_tool(chosen.tool))
    more = options(driven, chosen)
    with prepared(path) as (copy, folder):
        job = perform(driven, "generate", copy, folder, more, chosen.watch)
        figures = figures_of(job, "generate", driven, model)
        code = c_code.read(job.output, driven.version)
        runtime = files.runtime_of(driven.tool, driven.version, code.api, figures.library)
        return _keep(path, out, code, figures, runtime, chosen.input_range)


def analyze(path: Path, settings: Settings | None = None) -> Figures:
    """What the tool says about a model, without C.

    Raises:
        KitError: as `generate`.
    """
    chosen = settings or Settings()
    driven = ask(find_tool(chosen.tool))
    more = options(driven, chosen)
    with prepared(path) as (copy, folder):
        job = perform(driven, "analyze", copy, folder, more, chosen.watch)
        return figures_of(job, "analyze", driven, described(path))


def figures_of(job: Job, verb: str, driven: Driven, model: Model | None) -> Figures:
    """The figures that a command left, of the version that was run."""
    figures = gather([job.output, job.workspace], verb, model)
    check_version(figures, driven)
    return figures


def described(path: Path) -> Model | None:
    """The description of a .tflite; None for a Keras file, which only the tool reads.

    Raises:
        KitError: the file is missing, unusable, or of another kind, or the firmware does not take
            such a network.
    """
    if path.suffix.lower() == ".onnx":
        raise KitError(
            f"{path.name} is an ONNX file.",
            "The kit takes .tflite, .keras and .h5 files: it compares ST's result with LiteRT, "
            "which does not read ONNX.",
            "Convert it to a .tflite (the Python package onnx2tf does), or train the network in "
            "notebook 01-train.",
        )
    if path.suffix.lower() not in KERAS:
        model = read_model(path)
        for way, tensors in (("input", model.inputs), ("output", model.outputs)):
            check_port(way, [tensor.dtype for tensor in tensors])
        return model
    if not path.is_file():
        raise KitError(
            f"There is no file {path}.",
            next_step="Check the name, or make the model with notebook 01-train.",
        )
    return None


@contextmanager
def prepared(path: Path) -> Iterator[tuple[Path, Path]]:
    """A copy of the model under a plain name in a work folder, and that folder."""
    with work_folder() as folder:
        copy = folder / f"{safe(path.stem)}{path.suffix.lower()}"
        shutil.copyfile(path, copy)
        yield copy, folder


def safe(name: str) -> str:
    """A name that every tool takes: ASCII letters, digits, dot, dash and underscore."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name) or "model"


def options(driven: Driven, settings: Settings) -> list[str]:
    """The options for what was chosen.

    Raises:
        KitError: this version does not have them.
    """
    words: list[str] = []
    chosen = {"--compression": settings.compression, "--optimization": settings.optimization}
    for option, value in chosen.items():
        if value is None:
            continue
        allowed = driven.choices.get(option, (value,))
        if option not in driven.options or value not in allowed:
            offers = f"It offers {', '.join(allowed)}." if option in driven.options else ""
            raise KitError(
                f"{driven.version} has no {option} {value}.",
                offers or "It does not have this option at all.",
                f"Leave {option} out, or choose what it offers.",
            )
        words += [option, value]
    return words


def _keep(
    path: Path,
    out: Path,
    code: c_code.Code,
    figures: Figures,
    runtime: Runtime,
    span: Range | None = None,
    brought: bool = False,
) -> Generated:
    """The result as a folder, whole or not at all; `brought` when the runtime came in a zip."""
    assert figures.input is not None and figures.output is not None  # gather saw to it
    if figures.io_bytes:
        raise KitError(
            "Input and output lie outside the activations.",
            f"The tool counts {figures.io_bytes:,} bytes for them, and the program on the board "
            "expects them within.",
            "Where it was generated, leave out --no-inputs-allocation and --no-outputs-allocation; "
            "before Core 2.0 add --allocate-inputs --allocate-outputs.",
        )
    ports = (figures.input, figures.output)
    c_code.check(code, files.version_of(runtime), ports)
    with replacing(out) as folder:
        folder.mkdir()
        for source in code.folder.glob(f"{code.name}*"):
            if source.is_file():
                shutil.copyfile(source, folder / source.name)
        if brought:
            runtime = _move_in(runtime, code.folder, folder)
        c_code.write_names(code, ports, folder)
        license.write_note(folder, f"{runtime.tool} {runtime.version}")
        generated(path, folder, figures, runtime, span).save()
    return result.load_network(out)


def _move_in(runtime: Runtime, made: Path, folder: Path) -> Runtime:
    """Headers, library and terms of a zip go into the folder; an installation's stay there."""
    for terms in filter(Path.is_file, made.glob("*LICENSE*")):
        shutil.copyfile(terms, folder / terms.name)
    inside = folder / zipped.RUNTIME
    shutil.copytree(runtime.include, inside / "Inc")
    (inside / "Lib").mkdir()
    shutil.copyfile(runtime.library, inside / "Lib" / runtime.library.name)
    library = inside / "Lib" / runtime.library.name
    return replace(runtime, include=inside / "Inc", library=library)


def generated(
    path: Path, folder: Path, figures: Figures, runtime: Runtime, span: Range | None = None
) -> Generated:
    """The tool's figures as the result type of every engine."""
    assert figures.input is not None and figures.output is not None
    assert figures.layers is not None and figures.weights_bytes is not None
    assert figures.activations_bytes is not None and figures.io_bytes is not None
    return Generated(
        folder,
        NAME,
        safe(path.name),
        figures.input,
        figures.output,
        figures.layers,
        figures.weights_bytes,
        figures.activations_bytes + figures.io_bytes,
        figures.kernel_flash_bytes,
        figures.kernel_ram_bytes,
        runtime,
        digest(path),
        span or input_range(figures.input),
    )


def _from_zip(path: Path, model: Model | None, out: Path, chosen: Settings) -> Generated:
    assert chosen.from_zip is not None
    if chosen.compression or chosen.optimization or chosen.tool:
        raise KitError(
            "A zip is already made.",
            "--compression, --optimization and --tool cannot change what is in it.",
            "Choose them in ST Edge AI Developer Cloud, or leave out --from-zip.",
        )
    zip_file = Path(chosen.from_zip)
    with work_folder() as work:
        zipped.unpack(zip_file, work)
        headers = c_code.headers_in(work, "**/*.h")
        beside = [header.parent for header in headers[:1]]
        figures = gather([*beside, work], "generate", model)
        version = _version(figures, zip_file)
        code = c_code.read(c_code.only(headers, str(zip_file)).parent, version)
        include = zipped.holder(zip_file, work, code.api.header)
        library = files.pick_library(work, figures.library, zipped=True)
        remark = _compared(path, zip_file, code.model_hash, figures, version)
        runtime = files.checked(code.api, version, include, library, figures.library, remark)
        return _keep(path, out, code, figures, runtime, chosen.input_range, brought=True)


def _compared(
    path: Path, zip_file: Path, signature: str, figures: Figures, version: Version
) -> str:
    """See to it that a zip was made from a model, where it says from which.

    The st-ai API carries the MD5 of the model's file in the C, and from Core 9.0 on the report
    does. (What the older reports have under this name is not that.)

    Returns:
        "", or that it was not compared.

    Raises:
        KitError: it was made from another model.
    """
    told = signature or (figures.model_hash if version.is_core else None) or ""
    if not re.fullmatch(r"0x(?!0+$)[\da-f]{32}", told, re.IGNORECASE):
        return (f"It was not compared whether {zip_file.name} was made from {path.name}: "
                "it does not say the MD5 of its model.")  # fmt: skip
    own = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    if told[2:].lower() != own:
        raise KitError(
            f"{zip_file.name} was not made from {path.name}.",
            f"The MD5 of its model is {told[2:].lower()}, and that of {path.name} is {own}.",
            "Name the very file that was uploaded, or upload this one and generate again.",
        )
    return ""


def _version(figures: Figures, path: Path) -> Version:
    if figures.version is None:
        raise KitError(
            f"{path} does not say which version of ST's tool made it.",
            "The report in it has no banner that is known.",
            "Download it again from ST Edge AI Developer Cloud.",
        )
    return figures.version
