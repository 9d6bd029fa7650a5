"""What the kit makes appears whole or not at all, and what was there before is never lost."""

import os

import pytest

from kit.errors import KitError
from kit.paths import making


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_complete(tmp_path):
    with making(tmp_path / "a" / "model.keras") as path:
        path.write_text("half")
        assert path.suffix == ".keras"  # Keras chooses a format by it
        assert not (tmp_path / "a" / "model.keras").exists()
    assert names(tmp_path / "a") == ["model.keras"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_after_an_error_the_earlier_one_is_there(tmp_path, kind):
    target = tmp_path / "thing"

    def write(path, text):
        if kind == "folder":
            path.mkdir()
            path = path / "inside"
        path.write_text(text)

    with making(target) as path:
        write(path, "good")
    with pytest.raises(RuntimeError), making(target) as path:
        write(path, "bad")
        raise RuntimeError
    assert names(tmp_path) == ["thing"]
    assert (target / "inside" if kind == "folder" else target).read_text() == "good"


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    for name in ("first", "second"):
        with making(tmp_path / "network") as path:
            path.mkdir()
            (path / name).write_text("")
    assert names(tmp_path / "network") == ["second"]


def test_a_file_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "network").write_text("mine")
    with pytest.raises(KitError, match="cannot be written"), making(tmp_path / "network") as path:
        path.mkdir()
    assert names(tmp_path) == ["network"] and (tmp_path / "network").read_text() == "mine"


def test_a_place_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KitError), making(tmp_path / "file" / "model.tflite"):
        raise AssertionError("nothing may be written")


def test_what_a_killed_program_left_is_not_in_the_way(tmp_path):
    (tmp_path / ".network.old").mkdir()
    (tmp_path / ".network.old" / "x").write_text("")
    for _ in range(2):
        with making(tmp_path / "network") as path:
            path.mkdir()
    assert (tmp_path / "network").is_dir()


def test_a_rename_that_fails_puts_the_old_folder_back(tmp_path, monkeypatch):
    """As on Windows, where a file that is open cannot be replaced."""
    with making(tmp_path / "network") as path:
        path.mkdir()
        (path / "old").write_text("")
    rename = os.replace

    def refuse(source, target):
        if (os.fspath(target).endswith("network")) and not os.fspath(source).endswith(".old"):
            raise PermissionError(13, "The file is in use")
        rename(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(KitError, match="in use"), making(tmp_path / "network") as path:
        path.mkdir()
    assert names(tmp_path) == ["network"] and names(tmp_path / "network") == ["old"]
