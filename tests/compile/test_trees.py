"""kit/compile/trees.py: what a build finds of an earlier one is never what it must not use."""

import os
from pathlib import Path

import pytest

from kit.compile import trees
from kit.compile.trees import MOST, build_tree, mirror


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No trees but a test's own, which are gone at its end."""
    monkeypatch.setattr(trees, "_free", [])
    yield
    for _, tree in trees._free:
        tree.cleanup()


def built(purpose):
    with build_tree(purpose) as tree:
        (tree / "object").write_text(purpose)
    return tree


def test_a_tree_is_found_again_by_its_purpose_alone():
    tree = built("zig")
    assert built("gcc") != tree
    with build_tree("zig") as again:
        assert again == tree and (again / "object").read_text() == "zig"


def test_two_at_once_have_two_trees():
    tree = built("zig")
    with build_tree("zig") as one, build_tree("zig") as other:
        assert one == tree != other and not list(other.iterdir())


def test_what_failed_is_not_built_on():
    """Also what Ctrl-C ended."""
    with pytest.raises(KeyboardInterrupt), build_tree("zig") as tree:
        (tree / "object").write_text("half")
        raise KeyboardInterrupt
    assert not tree.exists()
    with build_tree("zig") as other:
        assert not list(other.iterdir())


def test_the_trees_of_the_last_purposes_are_kept():
    made = [built(str(purpose)) for purpose in range(MOST + 2)]
    assert [tree.exists() for tree in made] == [False] * 2 + [True] * MOST


def test_a_mirror_changes_only_what_differs(tmp_path):
    """Build tools go by time: what is older and other counts as changed, what is the same does not;
    a header that is gone is found no more."""
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.mkdir()
    for name in ("same", "other", "gone"):
        (source / name).write_text(name)
    before = {file.name: file.stat().st_mtime_ns for file in mirror(source, copy).iterdir()}
    (source / "gone").unlink()
    (source / "other").write_text("OTHER")
    os.utime(source / "other", (1, 1))
    (source / "new").write_text("new")
    mirror(source, copy)
    assert {file.name: file.read_text() for file in copy.iterdir()} == {
        "same": "same", "other": "OTHER", "new": "new"}  # fmt: skip
    assert Path(copy / "same").stat().st_mtime_ns == before["same"]
    assert Path(copy / "other").stat().st_mtime_ns > before["other"]
