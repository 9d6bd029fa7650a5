"""The engine xcubeai: a model becomes C by ST's tool, or by the zip that ST Edge AI Developer Cloud
made of it, in a folder like those of the open engine."""

import hashlib
import re
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path, PurePosixPath

from kit.errors import KitError
from kit.generate.result import Generated, Runtime, load_network
from kit.generate.step import safe_name
from kit.generate.xcubeai.c_code import MAIN_HEADERS, Code, headers_in, read_code, write_names
from kit.generate.xcubeai.figures import Figures, gather_figures
from kit.generate.xcubeai.find import find_tool
from kit.generate.xcubeai.refusals import described_model
from kit.generate.xcubeai.runtime import NOTE, TEXT, check_parts, pick_library, runtime_of
from kit.generate.xcubeai.tool import Settings, ask_tool, open_job, work_folder
from kit.generate.xcubeai.versions import BOARDS, CORE
from kit.model import input_range
from kit.paths import replacing
from kit.provenance import file_digest

HEADERS = Path("Middlewares/ST/AI/Inc")  # within an installation
LIBRARIES = Path("Middlewares/ST/AI/Lib/GCC/ARMCortexM4")
LARGEST = 256 * 1024 * 1024  # bytes unpacked; a real one has some 20 MB
KEPT = {".c", ".h", ".a", ".json", ".txt", ".md", ".pdf", ".html", ""}
COMPRESSIONS = ("none", "lossless", "low", "medium", "high")
OPTIMIZATIONS = ("time", "ram", "balanced")


def generate_by_st(path: Path, out: Path, settings: Settings | None = None) -> Generated:
    """Write the C of a .tflite, .keras or .h5 file into the folder `out`, which is made, by ST's
    tool or from a zip it made; after an error, which is a KitError, nothing is written."""
    chosen = settings or Settings()
    if chosen.from_zip:
        with open_zip(path, Path(chosen.from_zip), chosen) as parts:
            return _keep(path, out, chosen, *parts)
    with open_job(path, chosen) as job:
        figures = job.run("generate")
        code = read_code(job.output, job.version)
        root = job.tool.root or job.tool.program.parent  # without Middlewares, which is then said
        library = pick_library(root / LIBRARIES, figures.library)
        return _keep(path, out, chosen, figures, code, runtime_of(code, root / HEADERS, library))


@contextmanager
def open_zip(
    path: Path, zip_file: Path, settings: Settings
) -> Iterator[tuple[Figures, Code, Runtime]]:
    """What a zip made of the model at `path` holds, unpacked for as long as the block runs. Raises
    KitError: it is no such zip, made from another model, or cannot follow the settings."""
    model = described_model(path)
    if settings.compression or settings.optimization or settings.tool or settings.mcu:
        raise KitError(
            "A zip is already made.",
            "--compression, --optimization, --mcu and --tool cannot change what is in it.",
            "Choose them in ST Edge AI Developer Cloud, or leave out --from-zip.",
        )
    with work_folder() as work:
        unpack_zip(zip_file, work)
        beside = [header.parent for header in headers_in(work)][:1]
        figures = gather_figures([*beside, work], "generate", model)
        if figures.version is None:
            raise _not_usable(zip_file, "The report in it does not say a version that is known.")
        code = read_code(work, figures.version, zip_file)
        headers = sorted(work.rglob(MAIN_HEADERS[code.api]), key=lambda header: len(header.parts))
        if not headers:
            raise _not_usable(zip_file, f"There is no {MAIN_HEADERS[code.api]} in it.")
        remark = _compared(path, zip_file, code, figures.model_hash or "")
        library = pick_library(work, figures.library, zip_file)
        yield figures, code, runtime_of(code, headers[0].parent, library, remark)


def unpack_zip(path: Path, folder: Path) -> None:
    """Unpack a zip into a folder, which must exist: only files of the kinds that belong there, only
    below it, and not endlessly. Raises KitError where that cannot be done."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            kept = [one for one in members if PurePosixPath(one.filename).suffix.lower() in KEPT]
            if sum(member.file_size for member in kept) > LARGEST:
                raise ValueError(f"unpacked it would have more than {LARGEST:,} bytes")
            archive.extractall(folder, kept)  # which drops "..", drives and a leading slash
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise _not_usable(path, f"It is damaged or not a zip: {error}.") from error


def _not_usable(path: Path, why: str) -> KitError:
    return KitError(
        f"{path} is not a usable zip of ST Edge AI Developer Cloud.",
        why,
        f"Upload the .tflite there, choose {BOARDS}, generate, and download the code again.",
    )


def _compared(path: Path, zip_file: Path, code: Code, hash_told: str) -> str:
    """A remark where a zip does not say from which model it was made, "" where it is this one. The
    st-ai API carries the MD5 of the model's file in the C, and from Core 9.0 on the report does.
    (What the older reports have under this name is not that.)"""
    told = code.macro("ORIGIN_MODEL_SIGNATURE").strip('"')
    told = told or (hash_told if code.version.tool == CORE else "")
    if not re.fullmatch(r"0x(?!0+$)[\da-f]{32}", told, re.IGNORECASE):
        return (
            f"It was not compared whether {zip_file.name} was made from {path.name}: it does not "
            "say the MD5 of its model."
        )
    own = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    if told[2:].lower() != own:
        raise KitError(
            f"{zip_file.name} was not made from {path.name}.",
            f"The MD5 of its model is {told[2:].lower()}, and that of {path.name} is {own}.",
            "Name the very file that was uploaded, or upload this one and generate again.",
        )
    return ""


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
        note = TEXT.format(tool=code.version)  # ST's terms, in words; and all is kept out of git
        (folder / NOTE).write_text(note, encoding="ascii", newline="\n")
        (folder / ".gitignore").write_text("*\n", encoding="ascii")
        told = ("layers", "weights_bytes", "kernel_flash_bytes", "kernel_ram_bytes")
        Generated(
            folder,
            "xcubeai",
            safe_name(path.name),
            *ports,
            arena_bytes=figures.activations_bytes,
            runtime=runtime,
            digest=file_digest(path),
            input_range=chosen.input_range or input_range(figures.input),
            **{name: getattr(figures, name) for name in told},
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
