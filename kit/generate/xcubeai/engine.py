"""The engine xcubeai: a model becomes C by ST's tool, in a folder like those of the open engine."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from kit.errors import KitError
from kit.generate.result import Generated, Runtime, load_network
from kit.generate.xcubeai.c_code import Code, check_code, read_code, write_names
from kit.generate.xcubeai.figures import Figures
from kit.generate.xcubeai.find import find_tool
from kit.generate.xcubeai.license import write_note
from kit.generate.xcubeai.runtime import installed_runtime, version_of_runtime
from kit.generate.xcubeai.tool import Settings, ask_tool, open_job, safe_name
from kit.generate.xcubeai.zipped import open_zip
from kit.model import Range, input_range
from kit.paths import replacing
from kit.provenance import digest

NAME = "xcubeai"
COMPRESSIONS = ("none", "lossless", "low", "medium", "high")
OPTIMIZATIONS = ("time", "ram", "balanced")


def generate_by_st(path: Path, out: Path, settings: Settings | None = None) -> Generated:
    """Write the C of a .tflite, .keras or .h5 file into the folder `out`, which is made, by ST's
    tool or from a zip it made.

    Raises KitError: no tool, an unusable model, a failure of the tool, or files that do not belong
    together; nothing is written then.
    """
    chosen = settings or Settings()
    if chosen.from_zip:
        with open_zip(path, Path(chosen.from_zip), chosen) as (figures, code, runtime):
            return _keep(path, out, code, figures, runtime, chosen.input_range, brought=True)
    with open_job(path, chosen) as job:
        figures = job.run("generate")
        code = read_code(job.output, job.version)
        runtime = installed_runtime(job.tool, job.version, code.api.name, figures.library)
        return _keep(path, out, code, figures, runtime, chosen.input_range)


def analyze(path: Path, settings: Settings | None = None) -> Figures:
    """What the tool says about a model, without C; raises KitError as `generate_by_st`."""
    with open_job(path, settings or Settings()) as job:
        return job.run("analyze")


@dataclass(frozen=True)
class Trial:
    """One choice of settings: the figures, or why the tool refused it."""

    compression: str
    optimization: str
    figures: Figures | None
    refusal: str = ""


def compare_settings(
    path: str | Path,
    compressions: Sequence[str] = COMPRESSIONS,
    optimizations: Sequence[str] = OPTIMIZATIONS,
    settings: Settings | None = None,
) -> list[Trial]:
    """What --compression and --optimization cost and save, as the tool itself says: a model is
    analyzed once for each pair of both, in order.

    Values that the version does not have are refusals in the result; `settings` has the tool to
    use, and who watches it. Raises KitError: there is no tool, or it is too old.
    """
    base = settings or Settings()
    ask_tool(find_tool(base.tool))
    trials = []
    for pair in product(compressions, optimizations):
        try:
            chosen = replace(base, compression=pair[0], optimization=pair[1])
            trials.append(Trial(*pair, analyze(Path(path), chosen)))
        except KitError as error:
            trials.append(Trial(*pair, None, f"{error.what} {error.why}".strip()))
    return trials


def _keep(
    path: Path,
    out: Path,
    code: Code,
    figures: Figures,
    runtime: Runtime,
    span: Range | None,
    brought: bool = False,
) -> Generated:
    """The result as a folder, whole or not at all; `brought` when the runtime came in a zip."""
    if figures.io_bytes:
        raise KitError(
            "Input and output lie outside the activations.",
            f"The tool counts {figures.io_bytes:,} bytes for them, and the program on the board "
            "expects them within.",
            "Where it was generated, leave out --no-inputs-allocation and --no-outputs-allocation; "
            "before Core 2.0 add --allocate-inputs --allocate-outputs.",
        )
    ports = (figures.input, figures.output)
    check_code(code, version_of_runtime(runtime), ports)
    with replacing(out) as folder:
        folder.mkdir()
        for source in filter(Path.is_file, code.folder.glob(f"{code.name}*")):
            shutil.copyfile(source, folder / source.name)
        if brought:
            runtime = _move_in(runtime, code.folder, folder)
        write_names(code, ports, folder)
        write_note(folder, f"{runtime.tool} {runtime.version}")
        Generated(
            folder,
            NAME,
            safe_name(path.name),
            *ports,
            figures.layers,
            figures.weights_bytes,
            figures.activations_bytes,
            figures.kernel_flash_bytes,
            figures.kernel_ram_bytes,
            runtime,
            digest(path),
            span or input_range(ports[0].dtype, ports[0].scale, ports[0].zero_point),
        ).save()
    return load_network(out)


def _move_in(runtime: Runtime, made: Path, folder: Path) -> Runtime:
    """Headers, library and terms of a zip go into the folder; an installation's stay there."""
    for terms in filter(Path.is_file, made.glob("*LICENSE*")):
        shutil.copyfile(terms, folder / terms.name)
    include, library = folder / "runtime/Inc", folder / "runtime/Lib" / runtime.library.name
    shutil.copytree(runtime.include, include)
    library.parent.mkdir()
    shutil.copyfile(runtime.library, library)
    return replace(runtime, include=include, library=library)
