"""The engine xcubeai: a model becomes C by ST's tool, in a folder like those of the open engine."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from kit.errors import KitError
from kit.generate.result import Generated, Runtime, load_network
from kit.generate.xcubeai.c_code import Code, read_code, write_names
from kit.generate.xcubeai.figures import Figures
from kit.generate.xcubeai.find import find_tool
from kit.generate.xcubeai.license import write_note
from kit.generate.xcubeai.runtime import HEADERS, LIBRARIES, check_parts, pick_library, runtime_of
from kit.generate.xcubeai.tool import Settings, ask_tool, open_job, safe_name
from kit.generate.xcubeai.versions import SAME_ROOT
from kit.generate.xcubeai.zipped import open_zip
from kit.model import input_range
from kit.paths import replacing
from kit.provenance import digest

COMPRESSIONS = ("none", "lossless", "low", "medium", "high")
OPTIMIZATIONS = ("time", "ram", "balanced")


def generate_by_st(path: Path, out: Path, settings: Settings | None = None) -> Generated:
    """Write the C of a .tflite, .keras or .h5 file into the folder `out`, which is made, by ST's
    tool or from a zip it made. Raises KitError, and nothing is written: no tool, an unusable model,
    a failure of the tool, or files that do not belong together."""
    chosen = settings or Settings()
    if chosen.from_zip:
        with open_zip(path, Path(chosen.from_zip), chosen) as (figures, code, runtime):
            return _keep(path, out, chosen, figures, code, runtime)
    with open_job(path, chosen) as job:
        figures = job.run("generate")
        code = read_code(job.output, job.version)
        if (root := job.tool.root) is None:
            raise KitError(
                f"{job.tool.program} stands alone.",
                "No folder above it holds Middlewares, where ST's headers and library are.",
                SAME_ROOT,
            )
        library = pick_library(root / LIBRARIES, figures.library)
        runtime = runtime_of(job.version, code.api, root / HEADERS, library)
        return _keep(path, out, chosen, figures, code, runtime)


def _keep(
    path: Path, out: Path, chosen: Settings, figures: Figures, code: Code, runtime: Runtime
) -> Generated:
    """The result as a folder, whole or not at all."""
    if figures.io_bytes:
        raise KitError(
            "Input and output lie outside the activations.",
            f"The tool counts {figures.io_bytes:,} bytes for them, and the program on the board "
            "expects them within.",
            "Where it was generated, leave out --no-inputs-allocation and --no-outputs-allocation; "
            "before Core 2.0 add --allocate-inputs --allocate-outputs.",
        )
    ports = (figures.input, figures.output)
    check_parts(code, runtime, ports, figures.library)
    with replacing(out) as folder:
        folder.mkdir()
        for source in filter(Path.is_file, code.folder.glob(f"{code.name}*")):
            shutil.copyfile(source, folder / source.name)
        if chosen.from_zip:
            runtime = _move_in(runtime, code.folder, folder)
        write_names(code, ports, folder)
        write_note(folder, f"{runtime.tool} {runtime.version}")
        Generated(
            folder,
            "xcubeai",
            safe_name(path.name),
            *ports,
            figures.layers,
            figures.weights_bytes,
            figures.activations_bytes,
            figures.kernel_flash_bytes,
            figures.kernel_ram_bytes,
            runtime,
            digest(path),
            chosen.input_range or input_range(figures.input),
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
    """What --compression and --optimization cost and save, as the tool itself says: it analyzes a
    model once for each pair of both. A value that the version does not have is a refusal in the
    result. Raises KitError: there is no tool, or it is too old."""
    base = settings or Settings()
    ask_tool(find_tool(base.tool))
    trials = []
    for pair in product(compressions, optimizations):
        try:
            chosen = replace(base, compression=pair[0], optimization=pair[1])
            with open_job(Path(path), chosen) as job:
                trials.append(Trial(*pair, job.run("analyze")))
        except KitError as error:
            trials.append(Trial(*pair, None, f"{error.what} {error.why}".strip()))
    return trials
