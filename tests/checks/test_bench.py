"""kit/checks/bench.py and kit/checks/peers: everybody is counted alike, and nobody is missed."""

import json
import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import made
import pytest
from networks import Spec, make_course
from real_board import line  # noqa: F401

from kit.board import flashing
from kit.checks import bench, measure
from kit.checks.bench import Row, counted, run_bench
from kit.checks.peers import Peer, generate_by, own_python, python_of, read_table
from kit.checks.validate import Comparison
from kit.cli import main
from kit.errors import KitError
from kit.generate import load_network
from kit.paths import ROOT
from kit.programs import Done

SPEC = Spec(784, (10,), None, False, True, True, True, 0.05, 1)
ABSENT = Peer("absent", "MIT", ("a-package==1.0",), "none.py", ("MLP int8",))
FAR = Peer("far", "MIT", left_out="It is too far.")
STAND_IN = Peer("stand-in", "MIT", ("stand-in==1.0",), "")
GENERATOR = '''
"""A dense layer as a peer might write it, with double precision for the scale."""
import sys
import numpy as np

arrays = np.load(sys.argv[1])
weights, bias = arrays["0_weights"], arrays["0_bias"]
scale = arrays["0_input_scale"] * arrays["0_weights_scale"].astype(float) / arrays["0_output_scale"]
lists = [",".join(map(repr, array.ravel().tolist())) for array in (weights, bias, scale)]
zeros = [int(arrays[f"0_{name}_zero"][0]) for name in ("input", "output")]
code = """
#include <math.h>
#include <stdlib.h>
static const int8_t weights[] = {%s};
static const int32_t bias[] = {%s};
static const double scale[] = {%s};
static int unused; /* a warning, in what is not ours */
int peer_run(const void *inputs, void *outputs)
{
    const int8_t *x = inputs, *w = weights;
    for (int i = 0; i < 10; i++) {
        int32_t sum = bias[i];
        for (int j = 0; j < %d; j++) sum += (x[j] - (%d)) * *w++;
        long long y = llrint(sum * scale[i]) + (%d) + ERROR;
        ((int8_t *)outputs)[i] = y < -128 ? -128 : y > 127 ? 127 : y;
    }
    return 0;
}
""" % (*lists, weights.shape[1], *zeros)
open(sys.argv[2] + "/peer.c", "w").write(code.replace("ERROR", "0"))
'''


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A build folder, one small network for all, and one goal."""
    folder = made.own_build(monkeypatch, tmp_path / "build")
    monkeypatch.setattr(bench, "NETWORKS", {"MLP int8": "model.tflite"})
    monkeypatch.setattr(bench, "GOALS", ("time",))
    monkeypatch.setattr(bench, "model_of", lambda _name: made.model(SPEC))
    return folder


@pytest.fixture
def told(monkeypatch):
    """The peers are these, instead of those in peers.toml."""

    def say(*ours):
        _, table = read_table()
        monkeypatch.setattr(bench, "read_table", lambda: ([*ours], table))

    return say


@pytest.mark.deep
def test_it_goes_on_without_the_peers(home, told, monkeypatch, capsys):
    """Nothing can be downloaded: a word for each, the others' rows, exit code 0; ours is what
    `kit profile` says; bench.json holds what is told, and no half of an environment stays."""
    built, build = [], measure.build_firmware
    keep = lambda *given, **how: built.append(build(*given, **how)) or built[-1]  # noqa: E731
    monkeypatch.setattr(measure, "build_firmware", keep)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    told(ABSENT, FAR)
    assert main(["bench", "--images", "3", "--board", "virtual://"]) == 0
    text = capsys.readouterr().out
    assert "absent 1.0: absent 1.0 could not be installed. No matching distribution" in text
    assert "far: It is too far." in text and "No real board was measured" in text
    assert not (home / "peers" / "absent").exists()
    assert "a-package" in (home / "peers" / "absent.log").read_text()

    kept = json.loads((home / "bench.json").read_text())
    own, *others = kept["rows"]
    assert main(["profile", "--images", "3", "--board", bench.URL, "--json"]) == 0
    costs = json.loads(capsys.readouterr().out)["all"]
    for name in ("instructions", "per_mac", "cycles"):
        assert own[name] == costs[name]
    (bare,) = (made.footprint for made in built if made.footprint)
    assert (own["flash_bytes"], own["ram_bytes"]) == (bare.flash_bytes, bare.ram_bytes)
    assert (own["exact"], own["counted"], own["images"]) == ("exact", "here", 3)
    assert [row["engine"] for row in others[:2]] == ["absent", "far"]
    assert f"{own['instructions']:,.0f}" in text and "quoted [a]" in text
    emulator = kept["emulator"]
    assert min(emulator[name] for name in ("bare_instructions", "instructions", "images")) > 0
    assert (home / "bench.png").read_bytes()[:4] == b"\x89PNG"


def stand_in(folder, error=0):
    """A peer whose generator is the one above, wrong by so many steps."""
    script = folder / f"generator_{error}.py"
    script.write_text(GENERATOR.replace('"0"', f'"{error}"'))
    return replace(STAND_IN, script=str(script))


@pytest.mark.deep
def test_a_wrong_peer_is_not_exact(home, tmp_path):
    """One step too much in every score."""
    path = made.model(SPEC)
    network = generate_by(stand_in(tmp_path, 1), Path(sys.executable), path, home / "peer")
    row = counted(Row("stand-in"), network, path, 3, "program")
    assert row.exact == "3 of 3 differ" and row.images == 3


@pytest.mark.deep
def test_a_peer_and_a_real_board(home, told, line, tmp_path, monkeypatch):  # noqa: F811
    """A peer's one function is run by the adapter, in the firmware and alone on a chip; a board's
    cycles stand beside; where it cannot be flashed, the row says why."""
    make = partial(generate_by, stand_in(tmp_path), Path(sys.executable))
    task = bench.Task(Row("it", "", "MLP", "int8"), make)
    row = bench._row(task, 3, "")
    assert (row.exact, row.remark, row.measured) == ("exact", "", None)
    assert row.per_mac > 1 and row.cycles > row.instructions
    assert 7840 + 10 * 12 < row.flash_bytes < 12_000 and 794 < row.ram_bytes < 2_000
    network = load_network(home / task.place)
    assert (network.engine, network.macs, len(network.layers)) == ("stand-in 1.0", 7840, 1)

    told()
    monkeypatch.setattr(bench, "_ours", lambda: [task])
    monkeypatch.setattr(bench, "counted", lambda *_: row)  # as before
    url = line(home / f"{task.place}-program" / "firmware.elf")
    monkeypatch.setitem(flashing.WAYS, "socket", flashing._behind_a_network)
    found = run_bench(url, 1)
    assert found.rows[0].measured and found.board == url
    assert "measured" in next(found.shown()).splitlines()[1]
    monkeypatch.setattr(bench, "flash", lambda *_: python_of(FAR))
    there = bench._row(task, 1, url)
    assert there.cycles and there.measured is None and there.remark == "It is too far."


def test_a_generator_that_makes_nothing(home, tmp_path):
    """Its last word is told, and no folder is left."""
    script = tmp_path / "none.py"
    script.write_text("raise SystemExit('I cannot')")
    with pytest.raises(KitError, match=r"made no C of model.tflite.*\n.*I cannot"):
        peer = replace(STAND_IN, script=str(script))
        generate_by(peer, Path(sys.executable), made.model(SPEC), home / "peer")
    assert not (home / "peer").exists()


def test_an_environment_is_whole_or_not_there(home, monkeypatch):
    """One without the note of what was installed, or with other pins, is made anew; one that fails
    says pip's last error and leaves what was there."""
    made_by, python = [], home / "peers" / "absent" / own_python.PYTHON

    def run(command, _seconds):
        made_by.append(command[-1])
        if command[2] == "venv":
            place = command[3] / own_python.PYTHON
            place.parent.mkdir(parents=True)
            place.write_text(str(len(made_by)))
        return Done(int("a-package==3" in command), "Looking\nERROR: No disk.\nbye\n")

    monkeypatch.setattr(own_python, "run_program", run)
    python.parent.mkdir(parents=True)
    python.write_text("half")
    assert python_of(ABSENT) == python and python.read_text() == "1"
    assert python_of(ABSENT) == python and len(made_by) == 2
    python_of(replace(ABSENT, pins=("a-package==2",)))
    assert python.read_text() == "3" and made_by[3] == "a-package==2"
    with pytest.raises(KitError, match=r"absent 3 could not be installed\.\nWhy: No disk\."):
        python_of(replace(ABSENT, pins=("a-package==3",)))
    assert python.read_text() == "3"


def test_what_is_quoted_has_a_source_and_is_marked():
    """Each figure stands under the letter of a text that says who counted or published it."""
    found, table = read_table()
    assert set(table["quoted"]) == set(table["sources"])
    for letter, rows in table["quoted"].items():
        assert re.search("counted|published", table["sources"][letter])
        for row in rows:
            assert bench._cell(Row(counted=letter, **row), "exact") == f"quoted [{letter}]"
    assert all(peer.license and (peer.left_out or peer.script) for peer in found)
    assert {name for peer in found for name in peer.networks} <= set(bench.NETWORKS)


def test_how_scores_are_told():
    """Exact or not, by how much, and whether it matters."""
    rows = (Comparison("", 100, 0, 0.0, 100), Comparison("", 100, 7, 3.0, 98))
    assert [bench._against(row, "int8") for row in rows] == [
        "exact", "7 of 100 differ, 2 other digits"]  # fmt: skip
    assert bench._against(Comparison("", 10, 0, 3.2e-7, 10), "float32") == "within 3e-07"


@pytest.mark.deep
@pytest.mark.parametrize(
    ("name", "dtype", "exact", "told"),
    [
        ("emlearn", "float32", "within", "6.11 by emlearn"),
        ("emx-onnx-cgen", "float32", "within", "4.37 by emx-onnx-cgen"),
        ("emx-onnx-cgen", "int8", "exact", "19.35 by emx-onnx-cgen"),
    ],
)
def test_the_real_ones(tmp_path, monkeypatch, name, dtype, exact, told):
    """What PyPI has, with the road's network: the scores are right, and the README's figures."""
    (peer,) = (one for one in read_table()[0] if one.name == name)
    path = make_course(tmp_path / "model.tflite", dtype == "int8")
    try:
        python = python_of(peer)
    except KitError as error:
        pytest.skip(str(error))
    network = generate_by(peer, python, path, tmp_path / "peer")
    row = counted(Row(name), network, path, 10, "bench-peer")
    assert row.exact.startswith(exact) and "digits" not in row.exact
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert told in text and f"{row.per_mac:.2f} by {name}" in text
    assert f"{name} {peer.version}" in text
