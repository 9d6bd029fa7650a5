"""kit/silence.py: what a library says behind Python's back is hidden, and only that."""

import os
import sys
import threading
import time

import nbformat
import pytest

from kit.lesson.execute import kernel
from kit.silence import quiet

LEAKING = """\
import os, sys
with quiet():
    os.write(1, b"C out")
    os.write(2, b"C err")
    print("Python")
    print("Python too", file=sys.stderr)
"""


def run_in_kernel(folder, *sources):
    """The outputs of each cell in a kernel that watches descriptors 1 and 2, as JupyterLab's."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_CURRENT_TEST")  # in which ipykernel does not watch them
        with kernel(notebook, folder / "quiet") as client:
            for index, cell in enumerate(cells):
                client.execute_cell(cell, index)
    return [cell.outputs for cell in cells]


def test_quiet_hides_c_and_python_in_a_kernel_and_nothing_after_it(tmp_path):
    """ipykernel replaces descriptors 1 and 2 itself; both replacements must come undone."""
    loud = "print('seen')\nimport os\n_ = os.system('echo C too')"
    outputs = run_in_kernel(tmp_path, "from kit.silence import quiet", LEAKING, LEAKING, loud)
    assert outputs[:3] == [[], [], []]
    assert "seen" in outputs[3][0].text
    if sys.platform != "win32":  # ipykernel does not watch descriptors on Windows
        assert "C too" in "".join(output.text for output in outputs[3])


@pytest.mark.deep
def test_tensorflow_and_its_converter_say_nothing(tmp_path):
    """Import, training and conversion: notebooks are compared by what they print."""
    outputs = run_in_kernel(
        tmp_path,
        "from kit.silence import quiet, tensorflow\ntf = tensorflow()",
        "model = tf.keras.Sequential([tf.keras.layers.Input((4,)), tf.keras.layers.Dense(2)])",
        "with quiet():\n    lite = tf.lite.TFLiteConverter.from_keras_model(model).convert()",
        "float(tf.reduce_sum(model.weights[0])), len(lite) > 500",
    )
    assert outputs[:3] == [[], [], []]
    assert "True" in outputs[3][0].data["text/plain"]


def test_quiet_shows_what_it_hid_when_the_block_fails(capfd):
    """The library's own words may be the only reason there is."""
    with pytest.raises(ZeroDivisionError), quiet():
        os.write(2, b"because")
        raise ZeroDivisionError
    assert "because" in capfd.readouterr().err


def test_a_logger_made_in_silence_still_works_afterwards(capfd):
    """absl and TensorFlow keep the stream they were born with."""
    with quiet():
        stream = sys.stderr
        print("hidden", file=stream)
    print("shown", file=stream, flush=True)
    assert "shown" in capfd.readouterr().err


def test_quiet_in_two_threads_gives_back_what_was_there(capfd):
    """One leaves its block while another is in one: what each replaced is put back all the same."""
    both = threading.Barrier(2, timeout=60)

    def library(seconds):
        both.wait()
        for _ in range(20):
            with quiet():
                os.write(2, b"C err")
                time.sleep(seconds)

    others = [threading.Thread(target=library, args=(0.001 * n,)) for n in (1, 2)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    os.write(2, b"seen")
    print("too", file=sys.stderr)
    assert capfd.readouterr().err == "seentoo\n"
