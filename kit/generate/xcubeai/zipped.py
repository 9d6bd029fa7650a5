"""The zip that ST Edge AI Developer Cloud gives: generated C, headers and library in one."""

import hashlib
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from kit.errors import KitError
from kit.generate.result import Runtime
from kit.generate.xcubeai.c_code import MAIN_HEADERS, Code, headers_in, read_code
from kit.generate.xcubeai.figures import Figures, gather_figures
from kit.generate.xcubeai.refusals import described_model
from kit.generate.xcubeai.runtime import pick_library, runtime_of
from kit.generate.xcubeai.tool import Settings, work_folder

LARGEST = 256 * 1024 * 1024  # bytes unpacked; a real one has some 20 MB
KEPT = {".c", ".h", ".a", ".json", ".txt", ".md", ".pdf", ".html", ""}


@contextmanager
def open_zip(
    path: Path, zip_file: Path, settings: Settings
) -> Iterator[tuple[Figures, Code, Runtime]]:
    """What a zip made of the model at `path` holds, unpacked for as long as the block runs. Raises
    KitError: it is no such zip, not whole, or made from another model; or there are settings that
    cannot change what is in it."""
    model = described_model(path)
    if settings.compression or settings.optimization or settings.tool:
        raise KitError(
            "A zip is already made.",
            "--compression, --optimization and --tool cannot change what is in it.",
            "Choose them in ST Edge AI Developer Cloud, or leave out --from-zip.",
        )
    with work_folder() as work:
        unpack_zip(zip_file, work)
        beside = [header.parent for header in headers_in(work)][:1]
        figures = gather_figures([*beside, work], "generate", model)
        if (version := figures.version) is None:
            raise _not_usable(zip_file, "The report in it does not say a version that is known.")
        code = read_code(work, version, zip_file)
        headers = sorted(work.rglob(MAIN_HEADERS[code.api]), key=lambda header: len(header.parts))
        if not headers:
            raise _not_usable(zip_file, f"There is no {MAIN_HEADERS[code.api]} in it.")
        remark = _compared(path, zip_file, code, figures.model_hash if version.is_core else None)
        library = pick_library(work, figures.library, zip_file)
        yield figures, code, runtime_of(version, code.api, headers[0].parent, library, remark)


def unpack_zip(path: Path, folder: Path) -> None:
    """Unpack a zip into a folder, which must exist: only files of the kinds that belong there, only
    below it, and not endlessly. Raises KitError: it is not such a zip, is damaged, or is larger
    than any real one."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            kept = [one for one in members if PurePosixPath(one.filename).suffix.lower() in KEPT]
            if sum(member.file_size for member in kept) > LARGEST:
                raise ValueError(f"unpacked it would have more than {LARGEST:,} bytes")
            for member in kept:
                archive.extract(member, folder)  # which drops "..", drives and a leading slash
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise _not_usable(path, f"It is damaged or not a zip: {error}.") from error


def _not_usable(path: Path, why: str) -> KitError:
    return KitError(
        f"{path} is not a usable zip of ST Edge AI Developer Cloud.",
        why,
        "Upload the .tflite there, choose NUCLEO-F446RE, generate, and download the code again.",
    )


def _compared(path: Path, zip_file: Path, code: Code, model_hash: str | None) -> str:
    """A remark where a zip does not say from which model it was made, "" where it is this one.

    The st-ai API carries the MD5 of the model's file in the C, and from Core 9.0 on the report
    does. (What the older reports have under this name is not that.)
    """
    told = code.macro("ORIGIN_MODEL_SIGNATURE").strip('"') or model_hash or ""
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
