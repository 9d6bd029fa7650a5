"""The zip that ST Edge AI Developer Cloud gives: generated C, headers and library in one."""

import zipfile
from pathlib import Path, PurePosixPath

from kit.errors import KitError
from kit.generate.xcubeai.files import IN_A_ZIP

LARGEST = 256 * 1024 * 1024  # bytes unpacked; a real one has some 20 MB
KEPT = {".c", ".h", ".a", ".json", ".txt", ".md", ".pdf", ".html", ""}
RUNTIME = "runtime"


def unpack(path: Path, folder: Path) -> None:
    """Unpack a zip into a folder, which must exist.

    Raises:
        KitError: it is not such a zip, is damaged, or is larger than any real one.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _extract(archive, folder)
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError,
            zipfile.BadZipFile) as error:  # fmt: skip
        raise _not_usable(path, f"It is damaged or not a zip: {error}.") from error


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    """Only files of the kinds that belong there, only below `folder`, and not endlessly."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    kept = [m for m in members if PurePosixPath(m.filename).suffix.lower() in KEPT]
    if sum(member.file_size for member in kept) > LARGEST:
        raise ValueError(f"unpacked it would have more than {LARGEST:,} bytes")
    for member in kept:
        archive.extract(member, folder)  # which drops "..", drives and a leading slash


def holder(path: Path, folder: Path, name: str) -> Path:
    """The folder in an unpacked zip that holds a file of this name; the outermost, where several.

    Raises:
        KitError: there is no such file.
    """
    found = [place for place in folder.rglob(name) if place.is_file()]
    if not found:
        raise _not_usable(path, f"There is no {name} in it.")
    return min(found, key=lambda place: (len(place.parts), place)).parent


def _not_usable(path: Path, why: str) -> KitError:
    return KitError(
        f"{path} is not a usable zip of ST Edge AI Developer Cloud.",
        why,
        f"Upload the .tflite there. {IN_A_ZIP}",
    )
