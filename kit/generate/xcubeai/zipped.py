"""The zip that ST Edge AI Developer Cloud gives: generated C, headers and library in one."""

import zipfile
from pathlib import Path, PurePosixPath

from kit.errors import KitError
from kit.generate.xcubeai.files import LEGACY, ST_AI

LARGEST = 256 * 1024 * 1024  # bytes unpacked; a real one has some 20 MB
KEPT = {".c", ".h", ".a", ".json", ".txt", ".md", ".pdf", ".html", ""}
RUNTIME = "runtime"


def unpack(path: Path, folder: Path) -> tuple[Path, Path, Path]:
    """Unpack a zip.

    Args:
        path: the zip.
        folder: where to; it must exist.

    Returns:
        the folder with network.h, that with ST's headers, and that with its library.

    Raises:
        KitError: it is not such a zip, is damaged, or is larger than any real one.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _extract(archive, folder)
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError,
            zipfile.BadZipFile) as error:  # fmt: skip
        raise _not_usable(path, f"It is damaged or not a zip: {error}.") from error
    return (
        _holder(path, folder, "network.h"),
        _holder(path, folder, ST_AI.header, LEGACY.header),
        _holder(path, folder, "NetworkRuntime*.a"),
    )


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    """Only files of the kinds that belong there, only below `folder`, and not endlessly."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    kept = [m for m in members if PurePosixPath(m.filename).suffix.lower() in KEPT]
    if sum(member.file_size for member in kept) > LARGEST:
        raise ValueError(f"unpacked it would have more than {LARGEST:,} bytes")
    for member in kept:
        archive.extract(member, folder)  # which drops "..", drives and a leading slash


def _holder(path: Path, folder: Path, *names: str) -> Path:
    """The folder inside that holds a file of one of these names; the outermost, where several."""
    for name in names:
        if found := sorted(folder.rglob(name), key=lambda place: (len(place.parts), place)):
            return found[0].parent
    raise _not_usable(path, f"There is no {' or '.join(names)} in it.")


def _not_usable(path: Path, why: str) -> KitError:
    return KitError(
        f"{path} is not a usable zip of ST Edge AI Developer Cloud.",
        why,
        "Upload the .tflite there, choose NUCLEO-F446RE, generate, and download the code.",
    )
