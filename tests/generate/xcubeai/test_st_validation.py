"""kit.generate.xcubeai.validation: ST's own validation is started rightly, and its results read."""

import json

import numpy as np
import pytest
from depth import first
from stand_in.releases import RELEASES

from kit.checks import validate
from kit.cli import main
from kit.errors import KitError
from kit.generate import xcubeai
from kit.generate.xcubeai import Settings, tool, validation
from kit.model import Reference, read_model


@pytest.fixture(scope="module")
def inputs(model):
    return validate.random_inputs(model, 30)


@pytest.fixture(autouse=True)
def _gcc(monkeypatch):
    """Host mode needs one with ST's tool; the stand-in does not."""
    monkeypatch.setattr(
        validation.shutil, "which", lambda name, path="": f"/{name}" if name == "gcc" else None
    )


@pytest.mark.parametrize("name", first(3, reversed(RELEASES)))
def test_validation_with_each_version(installed, model, inputs, name):
    """The outputs that it writes are LiteRT's, row by row; its own metrics are read."""
    settings = Settings(tool=installed(name))
    done = validate.validate_by_st(model, inputs, "random", "host", None, settings)
    assert (done.comparison.rows, done.comparison.mismatches) == (30, 0)
    assert done.comparison.same_digit == 30 and done.remark == ""
    assert [row.name for row in done.metrics] == ["X-cross #1"]
    assert (done.metrics[0].values["acc"], done.metrics[0].values["rmse"]) == (1.0, 0.0)
    assert ("cos" in done.metrics[0].values) == RELEASES[name].is_core
    assert done.milliseconds == 0.309


@pytest.mark.parametrize(("outputs", "differ"), [("real", 0), ("off", 10)])
def test_differences_are_counted_in_steps(installed, model, inputs, outputs, differ):
    """A version that writes real values is compared as the chip stores them; a difference of one
    step in every third row is found."""
    settings = Settings(tool=installed("Core 4.0", outputs=outputs))
    found = validate.validate_by_st(model, inputs, "random", settings=settings).comparison
    assert (found.mismatches, found.largest) == (differ, float(differ > 0))


def test_what_cannot_be_compared(installed, model, inputs, keras_files):
    """A version that writes no outputs, and a Keras file, which LiteRT cannot read: the metrics
    stand alone, and the result says why."""
    settings = Settings(tool=installed("Core 4.0", outputs="none"))
    done = validate.validate_by_st(model, inputs, "random", settings=settings)
    assert done.comparison is None and "writes no outputs" in done.remark and done.metrics
    settings = Settings(tool=installed("Core 2.2", keras=str(keras_files["tflite"])))
    done = validate.validate_by_st(keras_files["h5"], 7, "7 random inputs", settings=settings)
    assert done.comparison is None and ".tflite" in done.remark and done.rows == 7


def test_outputs_that_are_none(model):
    """Too few, or no multiples of the scale: an error, not a comparison."""
    tensor = read_model(model).output
    for values, said in (
        (np.zeros((3, 9), np.int8), "27 values"),
        (np.full((3, 10), tensor.scale / 2, np.float32), "not multiples"),
        (np.full((3, 10), tensor.scale * 900, np.float32), "not multiples"),
    ):
        with pytest.raises(KitError, match=said):
            validation.as_stored(values, tensor, 3)


@pytest.mark.parametrize(
    ("port", "told"), [("COM6", "serial:COM6:115200"), (None, "serial:115200")]
)
def test_validation_on_a_board(installed, model, inputs, monkeypatch, port, told):
    """The port reaches the tool in its own form, or is left to it; never the virtual board."""
    lines, run = [], tool.run_program
    monkeypatch.setattr(
        tool, "run_program", lambda line, *more: lines.append(line) or run(line, *more)
    )
    settings = Settings(tool=installed("Core 4.0"))
    done = xcubeai.validate_by_tool(model, inputs, "target", port, settings)
    np.testing.assert_array_equal(done.outputs, Reference(model).run(inputs))
    assert told in lines[-1]
    with pytest.raises(KitError, match="emulator"):
        xcubeai.validate_by_tool(model, inputs, "target", "virtual://", settings)


@pytest.mark.parametrize(
    ("system", "machine", "said"),
    [("Darwin", "arm64", "Apple silicon"), ("Linux", "x86_64", "needs gcc")],
)
def test_host_mode_where_it_cannot_work(monkeypatch, system, machine, said):
    """Before minutes are spent."""
    monkeypatch.setattr(validation.shutil, "which", lambda name, path="": None)
    monkeypatch.setattr(validation.platform, "system", lambda: system)
    monkeypatch.setattr(validation.platform, "machine", lambda: machine)
    with pytest.raises(KitError, match=said):
        validation.check_mode("host", None)
    with pytest.raises(KitError, match="'x86' is not one of"):
        validation.check_mode("x86", None)


METRICS = """
Evaluation report (summary)
----------------------------------------------------------------
Output              acc       rmse          mae           l2r           mean   tensor
----------------------------------------------------------------
TARGET c-model #1   98.29%    0.080867730   0.011736452   0.163443178   0.0    'output', 5 x f32
original model #1   98.29%    0.080867730   0.011736450   0.163443163   -0.0   'output', 5 x f32
X-cross #1          n.a.      4.1e-08       0.000000012   0.000000082   0.0    'output', 5 x f32
----------------------------------------------------------------
  acc  : Accuracy (class, axis=-1)
"""


def test_metrics_with_several_rows():
    """With reference outputs there are three; what is not applicable is left out."""
    rows = validation.read_metrics(METRICS + METRICS)
    assert [row.name for row in rows] == ["TARGET c-model #1", "original model #1", "X-cross #1"]
    assert rows[0].values["acc"] == pytest.approx(0.9829)
    assert "acc" not in rows[2].values and rows[2].values["rmse"] == pytest.approx(4.1e-8)
    assert validation.read_metrics("nothing") == []


def test_the_command_line(installed, model, capsys, monkeypatch):
    """`kit validate --engine xcubeai`, as text and as JSON."""
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(installed("Core 4.0")))
    words = ["validate", str(model), "--engine", "xcubeai", "--random", "9"]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["comparison"]["mismatches"] == 0
    assert main(words) == 0
    assert "0 of 9 rows differ" in capsys.readouterr().out
    assert main([*words, "--mode", "target", "--board", "VIRTUAL://two"]) == 1
    said = capsys.readouterr().err
    assert "ST's license" in said and "--engine portable" in said
