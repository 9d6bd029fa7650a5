"""The whole course, run once by `kit run`: it ends on a board that agrees bit for bit."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from courses import code_cells, shown

from kit import paths
from kit.compile import HostNetwork
from kit.digits import load_mnist
from kit.lesson.artifacts import CONVERSIONS, MAKERS
from kit.model import Reference, pixels_to_input, read_model


def test_the_road_reports_each_format_and_a_board_that_agrees(road):
    """Bytes and accuracy over the whole test set, as every reader of report.json expects; then
    10,000 images, no row that differs, inside the F446."""
    for name in CONVERSIONS:
        figures = road["report"][name]
        assert figures["bytes"] == (road["build"] / f"digits_{name}.tflite").stat().st_size
        assert figures["accuracy"] >= 0.97
    board = road["report"]["board"]
    assert (board["url"], board["images"], board["mismatches"]) == ("virtual://", 10_000, 0)
    assert board["accuracy"] >= 0.97
    assert 0 < board["flash_bytes"] <= 512 * 1024 and 0 < board["ram_bytes"] <= 128 * 1024
    assert board["instructions_per_inference"] > 0


def test_every_test_image_has_the_reference_scores(road):
    """Promise 1, on this computer: 10,000 images, ten scores each, no difference."""
    path = road["build"] / "digits_int8.tflite"
    inputs = pixels_to_input(load_mnist()[1][0], read_model(path).input)
    ours = HostNetwork(road["build"] / "network").run(inputs)
    np.testing.assert_array_equal(ours, Reference(path).run(inputs))


def test_a_fresh_training_reads_well(road):
    """Its figures differ between processors, so nbval does not compare them."""
    path = next(path for path in road["notebooks"] if "01-train" in path)
    said = "".join(map(shown, code_cells(path)))
    found = re.findall(r"fresh training: .* accuracy ([\d.]+) %", said)
    assert len(found) == 2 and min(map(float, found)) > 96


def test_the_road_makes_every_artifact_and_page(road):
    """Nothing that `kit.artifact` promises is missing, and no copy holds stderr."""
    assert [Path(path).name for path in road["artifacts"]] == list(MAKERS)
    assert all(Path(path).stat().st_size > 10_000 for path in road["html"])
    for path in road["notebooks"]:
        outputs = [output for cell in code_cells(path) for output in cell.outputs]
        assert not [output for output in outputs if output.get("name") == "stderr"], path


@pytest.mark.deep
def test_everything_after_training_repeats_with_one_thread(road, tmp_path):
    """From the same weights the same files come out, with one thread as with all that this
    computer has: this is why every learner sees the same numbers."""
    shutil.copy(road["build"] / "digits.keras", tmp_path)
    threads = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    environment = {**os.environ, "KIT_BUILD": str(tmp_path), **threads}
    command = [sys.executable, "-m", "kit", "run", "02"]
    subprocess.run(command, env=environment, check=True, capture_output=True, cwd=paths.ROOT)
    for name in CONVERSIONS:
        file = f"digits_{name}.tflite"
        assert (tmp_path / file).read_bytes() == (road["build"] / file).read_bytes(), name
