"""What tests of xcubeai do with the stand-in: generate by it, be refused in words, and have what ST
Edge AI Developer Cloud gives."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.errors import KitError
from kit.generate import Generated, generate_network
from stand_in import installation, network, run
from stand_in.releases import RELEASES


def by_st(model: Path, out: Path, root: Path | None = None, **settings: Any) -> Generated:
    """A network of the stand-in in `root`, or of a zip (`from_zip`)."""
    return generate_network(model, out, "xcubeai", **{"tool": root} | settings)


@contextmanager
def refused(out: Path, *said: str) -> Iterator[None]:
    """A KitError with these words and a way out, and the earlier network in `out` untouched."""
    with pytest.raises(KitError) as error:
        yield
    text = str(error.value)
    assert [word for word in said if word not in text] == [], text
    assert error.value.next_step
    assert [path.name for path in out.iterdir()] == ["network.json"]
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def cloud_files(
    folder: Path, root: Path, release: str, model: network.Network, name: str, **behavior: Any
) -> None:
    """Fill a folder as the cloud fills its zip: C of a network called `name`, the description, and
    the headers and libraries of the installation in `root`."""
    folder.mkdir()
    job = run.Job(RELEASES[release], behavior, {"--name": name}, "", folder, folder, model)
    run.generate(job, "generate")
    shutil.copytree(root / installation.INC, folder / "Inc")
    shutil.copytree(root / installation.LIB, folder / "Lib")


def spoil(folder: Path, changes: dict[Any, Any]) -> None:
    """Leave files or folders out (None), move them (a Path), rewrite them (text), or put a library
    in their place (the arguments of `installation.compiled`)."""
    for name, change in changes.items():
        path = folder / name
        if isinstance(change, Path):
            (folder / change).parent.mkdir(exist_ok=True)
            path.rename(folder / change)
        elif isinstance(change, tuple):
            path.write_bytes(installation.archive(installation.compiled(*change)))
        elif change is not None:
            path.write_text(change)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
