"""What is plugged in, as the tests of kit.board have it."""

import pytest

from kit.board import ports, probes


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """`plugged(*ports)`: exactly these are there; drives are folders in `plugged.drives`."""
    folder = tmp_path / "drives"
    folder.mkdir()
    monkeypatch.setattr(probes, "places", lambda: sorted(folder.iterdir()))
    monkeypatch.setenv("KIT_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(probes.psutil, "disk_partitions", list)
    ports._ask.cache_clear()
    ports._say_virtual.cache_clear()

    def plug(*found):
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: list(found))

    plug.drives = folder
    plug()
    yield plug
    ports._ask.cache_clear()
    ports._say_virtual.cache_clear()
