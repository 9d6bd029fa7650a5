"""kit/lesson/results.py: the report holds what JSON can, and never half of it."""

import numpy as np
import pytest

from kit.errors import KitError
from kit.lesson.results import read_report, report, report_table
from kit.paths import build_folder


@pytest.fixture(autouse=True)
def _own_build(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_BUILD", str(tmp_path))


def test_the_report_merges_sections_and_turns_numpy_into_python():
    """Notebooks add to it one after the other, straight from numpy; people see it as a table."""
    report("int8", bytes=np.int64(129008), accuracy=np.float32(0.5), ok=np.bool_(True))
    report("board", base_url="virtual://")
    report("int8", accuracy=0.97)
    assert read_report() == {
        "int8": {"bytes": 129008, "accuracy": 0.97, "ok": True},
        "board": {"base_url": "virtual://"},
    }
    assert report_table(read_report()).cells == [
        ["int8", "bytes", "129,008"],
        ["", "accuracy", "97.00%"],
        ["", "ok", "yes"],
        ["board", "base url", "virtual://"],
    ]


@pytest.mark.parametrize("figure", [float("nan"), np.zeros(3), object()])
def test_the_report_refuses_what_json_cannot_hold_and_keeps_the_old(figure):
    """A figure that went wrong does not spoil the file for every reader."""
    report("int8", bytes=1)
    with pytest.raises(KitError, match="int8"):
        report("int8", accuracy=figure)
    assert read_report() == {"int8": {"bytes": 1}}


def test_a_spoiled_report_is_named():
    """Half a file is an error a learner can act on."""
    (build_folder() / "report.json").write_text("{")
    with pytest.raises(KitError, match="Delete it"):
        read_report()
