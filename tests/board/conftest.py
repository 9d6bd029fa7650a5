"""What the tests of kit.board share: boards that are plugged in, and a small network on one."""

import numpy as np
import pytest
from lines import SMALL, URL
from made import firmware

from kit.board import flash, ports, probes


@pytest.fixture(scope="session")
def program():
    """The ELF file of a program with a small network, which is on the board at URL."""
    elf = firmware(SMALL).elf
    flash(URL, elf)
    return elf


@pytest.fixture(scope="session")
def images():
    pixels = np.random.default_rng(1).integers(0, 256, (20, 24, 24), np.uint8)
    return np.pad(pixels, ((0, 0), (2, 2), (2, 2)))


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """`plugged(*ports)`: exactly these are there; drives are folders in `plugged.drives`."""
    folder = tmp_path / "drives"
    folder.mkdir()
    monkeypatch.setattr(probes, "places", lambda: sorted(folder.iterdir()))
    monkeypatch.setenv("KIT_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(probes.psutil, "disk_partitions", list)
    ports._chosen.cache_clear()

    def plug(*found):
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: list(found))

    plug.drives = folder
    plug()
    yield plug
    ports._chosen.cache_clear()
