"""kit/cli.py, kit/commands/: right answers, clean JSON, and errors that help."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import made
import numpy as np
import pytest
from depth import first
from networks import Spec
from PIL import Image

from kit import cli, commands
from kit.checks import doctor, validate
from kit.digits import load_mnist
from kit.errors import KitError
from kit.generate import generate_network
from kit.model import Reference, pixels_to_input, read_model
from kit.pictures import read_image
from kit.provenance import digest
from kit.silence import quiet, tensorflow

SMALL = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 3)
LARGE = Spec(1200, (500,), None, False, True, False, True, 0.1, 1)
TWENTY = Spec(20, (5,), None, True, True, True, True, 0.3, 1)
NAMES = [work.__name__.lstrip("_") for work in commands.COMMANDS]
Done = namedtuple("Done", "code out err")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the user works: models, pictures and own notes, good and bad; build/ beside them."""
    folder = tmp_path_factory.mktemp("user") / "my [red] files"
    (folder / "notes").mkdir(parents=True)
    (folder / "notes" / "thesis.txt").write_text("years of work")
    small = made.model(SMALL).read_bytes()
    (folder / "small.tflite").write_bytes(small)
    (folder / "half.tflite").write_bytes(small[: len(small) // 2])
    shutil.copyfile(made.model(TWENTY), folder / "twenty.tflite")
    shutil.copytree(made.network(LARGE).folder, folder / "large")
    layers = tensorflow().keras.layers
    convert(folder / "dynamic.tflite", layers.Input((8, 8, 4)), layers.Conv2D(16, 5))
    convert(folder / "up.tflite", layers.Input((8, 8, 1)), layers.Conv2DTranspose(2, 3))
    Image.new("L", (28, 28)).save(folder / "png.tflite", format="PNG")
    digit = load_mnist()[1][0][0]
    drawing = np.full((200, 150), 240, np.uint8)
    drawing[30:170, 70:85] = 20
    pictures = {"digit": digit, "27": digit[1:], "light": 255 - digit, "drawing": drawing}
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
    np.save(folder / "digit.npy", digit)
    np.save(folder / "float.npy", digit / 255)
    made.share_caches(folder / "build")
    return folder


def convert(path, *layers):
    """A model with weights of 8 bits and arithmetic of 32, which the kit refuses."""
    tf = tensorflow()
    converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Sequential(layers))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with quiet():
        path.write_bytes(converter.convert())


def user(folder, **changes):
    """How to start a program as a user would: in the folder, and progress is shown."""
    kept = {name: value for name, value in os.environ.items() if name != "KIT_PROGRESS"}
    places = {"KIT_BUILD": str(folder / "build"), "PYTHONIOENCODING": "utf-8"}
    return {"cwd": folder, "env": kept | places | changes, "encoding": "utf-8"}


def shell(folder, *words, stdout=subprocess.PIPE, **changes):
    """`kit WORDS` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "kit", *words], **user(folder, **changes), timeout=300, check=False,
        stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def walked(folder):
    """What generate, build and flash said, each in its own process; virtual:// is flashed then."""
    generated = shell(folder, "generate", "small.tflite", "--out", "network", "--json")
    built = shell(folder, "build", "--network", "network")
    return {"generate": generated, "build": built, "flash": shell(folder, "flash", "--json")}


@pytest.fixture
def kit(folder, walked, monkeypatch, capsys):
    """`kit(*words)` in this process, after the road was walked."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KIT_BUILD", str(folder / "build"))

    def call(*words):
        capsys.readouterr()
        try:
            code = cli.main(words)
        except SystemExit as end:
            code = end.code
        return Done(code, *capsys.readouterr())

    return call


def reference(folder, images):
    """The scores that LiteRT's reference kernels give for images of 28 x 28 pixels."""
    path = folder / "small.tflite"
    return Reference(path).run(pixels_to_input(images.reshape(-1, 784), read_model(path).input))


# --- The road, with right results ----------------------------------------------------------------


def test_generate_build_and_flash(walked, folder):
    """Model to chip in three commands; relative paths are the user's, not those of build/."""
    assert [(done.code, done.err) for done in walked.values()] == [(0, "")] * 3
    generated = json.loads(walked["generate"].out)
    assert Path(generated["folder"]) == folder / "network"
    assert generated["macs"] == 784 * 12 + 12 * 10
    assert all(str(folder / "build" / f"firmware.{kind}") in walked["build"].out
               for kind in ("elf", "bin"))  # fmt: skip
    hello = json.loads(walked["flash"].out)["hello"]
    assert (hello["network"], hello["macs"]) == ("small.tflite", generated["macs"])


@pytest.mark.parametrize(
    ("broken", "clock", "full"),
    [("", "180,000,000 Hz (PLL from HSE)", True), ("?hse=off", "PLL from HSI", True),
     ("?pll=off", "16,000,000 Hz (HSI)", False)],
)  # fmt: skip
def test_flash_tells_the_clock_that_the_board_got(kit, broken, clock, full):
    """A chip that stayed slow does not pass for one at full speed."""
    done = kit("flash", "--board", f"virtual://{broken}")
    assert done.code == 0 and clock in done.out
    assert ("not its full 180,000,000 Hz" in done.out) is not full


@pytest.mark.parametrize("picture", ["digit.png", "digit.npy", "drawing.png", "light.png"])
def test_recognize_gives_the_reference_scores(kit, folder, picture):
    """A picture in any accepted form: the ten scores are LiteRT's, bit for bit. In text the digit
    stands alone on the first line, for people and for scripts."""
    prepare = ["--prepare"] if picture in ("drawing.png", "light.png") else []
    expected = reference(folder, read_image(folder / picture, prepare=bool(prepare)))[0]
    done = kit("recognize", picture, *prepare, "--json")
    assert (done.code, done.err) == (0, "")
    answer = json.loads(done.out)
    assert (answer["digit"], answer["scores"]) == (expected.argmax(), expected.tolist())
    assert answer["values"] == pytest.approx((expected + 128.0) / 256)
    shown = kit("recognize", picture, *prepare).out.splitlines()
    assert shown[0] == str(expected.argmax())
    assert shown[2:] == ["int8: the real number is 0.00390625 * (score - -128)"]


def test_recognize_reads_several_files_and_tells_the_bad_one(kit, folder):
    """One bad file among several costs neither the others nor the exit code."""
    digit = reference(folder, load_mnist()[1][0][:1]).argmax()
    words = ["recognize", "digit.png", "27.png", "digit.npy"]
    done = kit(*words)
    lines = [f"digit.png: {digit}", "27.png: not read", f"digit.npy: {digit}"]
    assert (done.code, done.out.splitlines()) == (1, lines)
    assert "27 x 28" in done.err and "Next: " in done.err
    done = kit(*words, "--json")
    digits = [answer.get("digit") for answer in json.loads(done.out)]
    assert (done.code, digits) == (1, [digit, None, digit])


def test_a_board_with_another_model_than_build_is_told_on_stderr(kit, folder):
    """It is asked all the same; stdout stays free for the answer."""
    words, model = ("recognize", "digit.png", "digit.npy"), folder / "build" / "digits_int8.tflite"
    first = kit(*words)
    model.write_bytes(b"weights")
    done = kit(*words)
    model.unlink()
    assert first == (0, done.out, "") and done.code == 0 and done.err.count("\n") == 1
    assert "virtual:// runs another model (small.tflite, digest " in done.err
    assert "than build/digits_int8.tflite" in done.err


def test_evaluate_counts_right_answers(walked, folder):
    """The count is the reference's. JSON alone on stdout; progress only on stderr."""
    done = shell(folder, "evaluate", "--images", "20", "--json")
    images, labels = (part[:20] for part in load_mnist()[1])
    scores = reference(folder, images)
    right = int((scores.argmax(1) == labels).sum())
    made = {"board": "virtual://", "images": 20, "right": right, "accuracy": right / 20,
            "digest": digest(scores), "outputs": 10, "input_range": [0, 1],
            "input_dtype": "int8"}  # fmt: skip
    assert (done.code, json.loads(done.out)) == (0, made) and "asking virtual://" in done.err
    out = shell(folder, "evaluate", "--images", "20").out
    assert f"{right} of 20 right" in out and "pixels 0 to 255 become 0 to 1" in out


@pytest.mark.parametrize("inputs", first(1, ["--images", "--random"]))
def test_validate_finds_no_difference(kit, inputs):
    """Host and board equal the reference in every row, and the verdict is in the JSON."""
    done = kit("validate", "small.tflite", inputs, "20", "--json")
    result = json.loads(done.out)
    assert (done.code, result["right"], result["rows"]) == (0, True, 20)
    rows = [(c["rows"], c["mismatches"], c["same_digit"]) for c in result["comparisons"]]
    assert len(rows) == 3 and rows[1:] == [(20, 0, 20)] * 2
    assert result["costs"]["all"]["instructions"] > 0 and result["footprint"]["stack_bytes"] > 0


def test_profile_and_a_bare_program(kit, folder):
    """What is built and asked, or only asked, has the same layers; the bare program gives the
    firmware's scores, and what it takes is told when the C is made."""
    words = ("--images", "2", "--json")
    built = json.loads(kit("profile", "small.tflite", "--optimize", "ram", *words).out)
    asked = json.loads(kit("profile", *words).out)
    assert [x["name"] for x in built["layers"]] == [x["name"] for x in asked["layers"]]
    assert built["all"]["macs"] == 784 * 12 + 12 * 10 and asked["footprint"] is None
    alone = json.loads(kit("validate", "small.tflite", "--images", "9", "--bare", "--json").out)
    assert alone["right"] and alone["comparisons"][2]["name"].startswith("the bare program")
    generated = kit("generate", "small.tflite", "--out", "network", "--optimize", "data").out
    told = kit("build", "--network", "network", "--bare").out
    assert "bare.elf" in told and "alone on a chip: flash " in told
    assert "depends on the data" in generated and "alone on a chip: flash " in generated
    flashed = kit("flash", "--board", "virtual://bare", "--elf", str(folder / "build/bare.elf"))
    assert (flashed.code, "It is a bare program" in flashed.out) == (0, True)


@pytest.mark.deep
def test_validate_finds_a_wrong_network(kit, monkeypatch):
    """The proof can fail: one byte of the C, the sign of a bias, and exit code and text say so."""

    def break_it(path, out, **chosen):
        network = generate_network(path, out, **chosen)
        data = network.folder / "network_data.c"
        text = data.read_text()
        bias = text.index("layer_1_bias")
        data.write_text(text[:bias] + text[bias:].replace("-", " ", 1))
        return network

    monkeypatch.setattr(validate, "generate_network", break_it)
    done = kit("validate", "small.tflite", "--random", "20")
    assert done.code == 1 and "DIFFERS" in done.out and "the C on virtual://validate" in done.out


# --- Help and JSON -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", NAMES)
def test_every_command_explains_itself(kit, command):
    """--help works for each, offers --json, and `kit --help` lists it."""
    done = kit(command, "--help")
    assert done.code == 0 and f"usage: kit {command}" in done.out and "--json" in done.out
    assert f"\n    {command} " in kit("--help").out.replace(f"{command}\n", f"{command} ")


def test_help_in_a_terminal_that_knows_ascii_only(folder):
    assert shell(folder, "evaluate", "--help", PYTHONIOENCODING="ascii")[::2] == (0, "")


def test_json_is_all_there_is_on_stdout(kit):
    """One object that any program can parse: no NaN, nothing before or after it."""
    for line in (
        "generate small.tflite --out network",
        "build --network network --out elsewhere",
        "flash --board virtual://other --elf build/firmware.elf",
        "doctor --board virtual://",
        "boards",
    ):
        done = kit(*line.split(), "--json")
        assert done.code == 0 and json.loads(done.out, parse_constant=pytest.fail).keys()


def test_commands_that_take_minutes(kit, monkeypatch):
    """run, refresh and lab pass on what they are given, and print one object for --json."""
    result = {"notebooks": ["02.ipynb"], "html": ["02.html"], "artifacts": ["x"], "report": {}}
    asked, own = [], 3 + len(commands.LAB)
    instead = {
        "kit.lesson.execute.run_notebooks": lambda names, board: asked.append(names) or result,
        "kit.lesson.execute.refresh_notebooks": lambda names: asked.append(names) or [Path("x")],
        "subprocess.call": lambda command, **_: asked.append(command[own:]) or 0,
    }
    for name, function in instead.items():
        monkeypatch.setattr(name, function)
    assert json.loads(kit("run", "02", "--json").out) == result
    assert json.loads(kit("refresh", "--json").out) == {"changed": ["x"]}
    options = ["--no-browser", "--port", "9999"]
    assert json.loads(kit("lab", "--json", *options).out) == {"exit_code": 0}
    assert json.loads(kit("lab", *options, "--json").out) == {"exit_code": 0}
    assert json.loads(kit("lab", "--json", "--", "--help").out) == {"exit_code": 0}
    assert asked == [["02"], None, options, options, ["--help"]]


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_failure_is_an_exit_code_with_and_without_json(kit, monkeypatch, form):
    """A script that asks for JSON learns of a failed JupyterLab and of a computer not ready."""
    monkeypatch.setattr(subprocess, "call", lambda command, **_: 3)
    missing = doctor.Check("CMake", False, "not on PATH", "required", "install it")
    monkeypatch.setattr(doctor, "examine", lambda board: doctor.Examination((missing,)))
    assert_helpful(kit("lab", *form), "exit code 3")
    done = kit("doctor", *form)
    assert done.code == 1 and "CMake" in done.out


def test_a_path_is_shown_as_it_is(kit, folder):
    """Brackets in the name of the user's folder are no markup, and a long path is not cut."""
    shown = kit("generate", "small.tflite", "--out", "network").out
    assert "".join(str(folder / "network").split()) in "".join(shown.split())


# --- What goes wrong -----------------------------------------------------------------------------


def files(folder):
    """Everything the user has, and build/ but for the compiler's caches: size and time of files."""
    found = [path for path in folder.rglob("*") if not {"zig-cache", "host"} & {*path.parts}]
    times = {path: path.stat() for path in found if path.is_file()}
    return found, {path: (stat.st_size, stat.st_mtime_ns) for path, stat in times.items()}


def assert_helpful(done, said):
    """What, and what next, on stderr; no stack; nothing on stdout; exit code 1."""
    assert (done.code, done.out) == (1, "")
    assert said in done.err and "Next: " in done.err and "Traceback" not in done.err


BAD = [
    ("generate missing.tflite --out new", "There is no file missing.tflite"),
    ("generate png.tflite --out network", "TFL3"),
    ("generate half.tflite --out network", "not a usable .tflite model"),
    ("generate up.tflite --out network", "TRANSPOSE_CONV"),
    ("generate dynamic.tflite --out network", "dynamic-range"),
    ("generate small.tflite --out network --engine cubeai", "no engine 'cubeai'"),
    ("validate small.tflite --engine xcubeai --bare", "no bare program"),
    ("profile --optimize ram", "go with a MODEL"),
    ("generate small.tflite --out digit.png", "digit.png cannot be written"),
    ("generate small.tflite --out digit.png/network", "digit.png cannot be written"),
    ("generate small.tflite --out notes", "is left alone"),
    ("generate small.tflite --out .", "is left alone"),
    ("validate up.tflite --random 5", "TRANSPOSE_CONV"),
    ("validate twenty.tflite --images 5", "shape (1, 20)"),
    ("build --network notes", "no generated network"),
    ("build --network large", "the STM32F446RE has 524,288"),
    ("build --network network --out digit.png", "digit.png cannot be written"),
    ("flash --elf missing.elf", "missing.elf is not a program"),
    ("flash --elf digit.png", "digit.png is not a program"),
    ("flash --board virtual://A?b", "not the address of a virtual board"),
    ("recognize missing.png", "There is no file missing.png"),
    ("recognize 27.png", "27 x 28"),
    ("recognize light.png", "--prepare"),
    ("recognize float.npy", "float64"),
    ("recognize digit.png --board no-such-port", "no-such-port cannot be opened"),
    ("recognize digit.png --board loop://", "did not answer"),
    ("evaluate --images 5 --board virtual://empty", "kit flash --board virtual://empty"),
    ("run 99", "no notebook called '99'"),
    ("run 05 --board /dev/nowhere", "/dev/nowhere cannot be opened"),
    ("record new.rec --board /dev/nowhere", "/dev/nowhere cannot be opened"),
    ("flash --board /dev/nowhere", "/dev/nowhere cannot be opened"),
    ("recognize digit.png --board virtual:/", 'Did you mean "virtual://"?'),
    ("flash --board=", 'Did you mean "virtual://"?'),
]


@pytest.mark.parametrize(("line", "said"), BAD)
def test_a_mistake_is_explained_and_harms_nothing(kit, folder, line, said):
    """Each says what and what next; every file is as it was and none is left half-written."""
    before = files(folder)
    assert_helpful(kit(*line.split()), said)
    assert files(folder) == before


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "COMMAND"),
        ("fly", "'fly'"),
        ("generate small.tflite", "--out"),
        ("evaluate --images 0", "1 to 10,000"),
        ("evaluate --images -1", "1 to 10,000"),
        ("evaluate --images 10001", "1 to 10,000"),
        ("evaluate --images many", "'many' is not a number"),
        ("validate small.tflite --random 100000000000000", "1 to 100,000"),
        ("validate small.tflite --images 5 --random 5", "not allowed with"),
    ],
)
def test_a_wrong_command_line(kit, line, said):
    """Exit code 2, the usage, and what is wrong with it in words of the command line."""
    done = kit(*line.split())
    assert (done.code, done.out) == (2, "")
    assert "usage: kit" in done.err and said in done.err.splitlines()[-1]


def test_a_full_disk(kit, folder, monkeypatch):
    """An error of the system is told like any other; the network made earlier is still whole. An
    EPIPE from the port is one of them: no word of the output's."""

    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    def broken(*_):
        raise BrokenPipeError(32, "Broken pipe")

    before = files(folder)
    monkeypatch.setattr(Path, "write_text", refuse)
    assert_helpful(kit("generate", "small.tflite", "--out", "network"), "No space left on device")
    assert files(folder) == before
    monkeypatch.setattr("kit.board.Board.recognize", broken)
    assert_helpful(kit("recognize", "digit.png"), "refused to read or write")


def test_a_folder_that_cannot_be_written(kit, tmp_path):
    """The user reads why, and nothing is left there."""
    tmp_path.chmod(0o555)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("this user may write anywhere")
    for words in (("generate", "small.tflite"), ("build", "--network", "network")):
        assert_helpful(kit(*words, "--out", str(tmp_path / "new")), "Permission denied")
    assert list(tmp_path.iterdir()) == []


def test_evaluate_refuses_a_network_of_another_size(kit):
    """In words about the network: another program would not help."""
    for line in ("generate twenty.tflite --out twenty", "build --network twenty --out twenty-built",
                 "flash --board virtual://twenty --elf twenty-built/firmware.elf"):  # fmt: skip
        assert kit(*line.split()).code == 0
    done = kit("evaluate", "--images", "5", "--board", "virtual://twenty")
    assert_helpful(done, "takes 20 values; MNIST's images have 784")
    assert "kit flash" not in done.err


@pytest.mark.skipif(os.name == "nt", reason="a shell's pipe")
@pytest.mark.parametrize("words", ["boards", "doctor --json", "recognize digit.png"])
def test_a_reader_that_has_seen_enough(walked, folder, words):
    """As behind `| head -1`: quietly, and nothing is said of a board's plug."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = shell(folder, *words.split(), stdout=closed)
    assert (done.code, done.err) == (141, "")


def test_a_notebook_names_the_command_as_it_can_be_typed_there():
    """`kit` is on no PATH in JupyterLab's terminal; a shell that has it may keep it."""
    error = KitError("What.", "Why.", "Run `kit boards`, then `kit flash --board COM5`; not kit.")
    shown = "\n".join(error._render_traceback_())
    program = "py" if os.name == "nt" else "python3"
    assert f"`{program} workshop.py boards`, then `{program} workshop.py flash --board" in shown
    assert "; not kit." in shown and "`kit boards`" in str(error)


def test_a_command_loads_no_more_than_it_needs():
    """`kit --help` waits for no emulator, no compiler and no picture library."""
    code = "import kit.cli, sys; print({'scipy', 'unicorn', 'serial', 'nbclient'} & {*sys.modules})"
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said.strip() == "set()"


@pytest.mark.parametrize(("package", "command"), [("jinja2", "doctor"), ("serial", "boards")])
def test_a_missing_package_is_words_and_no_stack(tmp_path, package, command):
    """In an environment of one's own, whichever it is: of every command, and of this one."""
    (tmp_path / f"{package}.py").write_text(f"raise ImportError('No module named {package}')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = shell(tmp_path, command, PYTHONPATH=path)
    assert (done.code, done.out) == (1, "") and "Traceback" not in done.err
    assert f"No module named {package}" in done.err and "environment.yml" in done.err


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to one process")
@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.6])
def test_ctrl_c_stops_at_once(walked, folder, seconds):
    """While the board works: exit code 130 and one word, however deep in the emulator it comes."""
    with subprocess.Popen(
        [sys.executable, "-m", "kit", "evaluate", "--json"],
        **user(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            assert "asking" in process.stderr.readline()
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (130, "", "\nStopped.\n")
