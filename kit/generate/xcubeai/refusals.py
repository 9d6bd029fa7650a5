"""Which models are taken, and what ST's tool says when it fails: what it means, and what to do."""

import json
import re
import zipfile
from importlib import import_module
from pathlib import Path

from kit.errors import KitError, Pattern, explain
from kit.generate.xcubeai.figures import check_port
from kit.model import Model, read_model
from kit.programs import Done

KERAS = (".keras", ".h5")
HAND_OVER = (
    "Hand over the int8 .tflite of notebook 02-quantize (build/digits_int8.tflite): a .tflite does "
    "not depend on a version of Keras."
)
_COLOR = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
_SAID = re.compile(
    r"^\s*(?:\[(?i:error)\].*|(?:E\d{3}(?:\s*\(\w+\))?|NOT IMPLEMENTED|INTERNAL ERROR|TOOL ERROR|"
    r"LOAD ERROR)\s*:.*)$",
    re.M,
)
_KERAS = re.compile(
    r"keras|quantization_config|unrecognized keyword|unknown layer|dtypepolicy|batch_shape|"
    r"deserializ",
    re.I,
)
MEANINGS = [
    Pattern(
        "Invalid firmware|Unable to bind",
        why="The board answers, but its program is not ST's validation program (aiValidation), "
        "which `validate --mode target` talks to.",
        next="Make it with STM32CubeMX (X-CUBE-AI, application Validation), flash it, and try "
        "again; or validate with the kit's own program: `kit validate MODEL --board PORT`.",
    ),
    Pattern(
        "No SERIAL COM port|not connected",
        why="No board was found on a serial port.",
        next="Plug the board in with a cable that carries data, or name its port with --board.",
    ),
    Pattern(
        "could not open port|permission|busy",
        why="The serial port is not there, is used by another program, or may not be opened.",
        next="Close terminals and debuggers that use it, check its name with `kit doctor`, and try "
        "again.",
    ),
    Pattern(
        "E801",
        why="It cannot talk to the board.",
        next="Check the cable and the port's name (`kit doctor` lists it), then try again.",
    ),
    Pattern(
        "E103",
        why="A file or a program that the command needs, such as a compiler, is missing or failed.",
        next="Its line says which. `kit doctor` shows the installation that is used; if a part of "
        "it is missing, install it again.",
    ),
    Pattern(
        "E10[0-9]",
        why="This version does not accept one of the options it was given.",
        next="Choose another --compression or --optimization, or update ST Edge AI Core.",
    ),
    Pattern(
        "NOT IMPLEMENTED",
        why="The model uses an operator, or a way of quantizing it, that this version lacks.",
        next=f"{HAND_OVER} `stedgeai supported-ops --type tflite` lists what it can do.",
    ),
    Pattern("E010|LOAD ERROR", why="It cannot read the model.", next=HAND_OVER),
    Pattern(
        "TOOL ERROR|INTERNAL ERROR",
        why="The tool itself failed on this model.",
        next=f"{HAND_OVER} If it is one, try another --optimization or a newer version of the "
        "tool, or use the portable engine.",
    ),
    Pattern("", why="The kit does not know this error.", next="See the documentation of the tool."),
]
KERAS_TRAP = Pattern(
    "E010|LOAD ERROR|TOOL ERROR|INTERNAL ERROR",
    why="$model was saved by $keras, and ST's tool brings a Keras of its own, which cannot read "
    "it: Keras 3.3 and later write settings that older ones do not know (quantization_config, "
    "batch_shape), in .keras files and in .h5 files alike.",
    next=HAND_OVER,
)


def described_model(path: Path) -> Model | None:
    """The description of a .tflite; None for a Keras file, which only the tool reads. Raises
    KitError: it is missing, unusable or of another kind, or the firmware does not take it."""
    if path.suffix.lower() == ".onnx":
        raise KitError(
            f"{path.name} is an ONNX file.",
            "The kit takes .tflite, .keras and .h5 files: it compares ST's result with LiteRT, "
            "which does not read ONNX.",
            "Convert it to a .tflite (the Python package onnx2tf does), or train the network in "
            "notebook 01-train.",
        )
    if path.suffix.lower() not in KERAS:
        model = read_model(path)
        check_port("input", [tensor.dtype for tensor in model.inputs])
        check_port("output", [tensor.dtype for tensor in model.outputs])
        return model
    if not path.is_file():
        raise KitError(
            f"There is no file {path}.",
            next_step="Check the name, or make the model with notebook 01-train.",
        )
    return None


def check_done(what: str, done: Done, model: Path) -> None:
    """Raise KitError where the tool says that it failed, even when it ended with 0 then, or ended
    with another code; `what` says what happened."""
    printed = _COLOR.sub("", done.printed)
    said = " / ".join(found[0].strip() for found in _SAID.finditer(printed))
    if not said and done.code == 0:
        return
    if not said:
        raise KitError(
            what,
            f"It ended with exit code {done.code} and said: {printed.strip()[-1500:] or 'nothing'}",
            "Run `kit doctor`; try the same in a terminal, and read what it says.",
        )
    trap = [KERAS_TRAP] if model.suffix in KERAS and _KERAS.search(printed) else []
    meaning = explain(said, [*trap, *MEANINGS], model=model.name, keras=keras_version(model))
    raise KitError(what, f"It says: {said}\n{meaning.why}", meaning.next_step)


def keras_version(model: Path) -> str:
    """The Keras that saved a .keras or .h5 file, such as "Keras 3.3.0"."""
    try:
        if zipfile.is_zipfile(model):
            with zipfile.ZipFile(model) as archive:
                return f"Keras {json.loads(archive.read('metadata.json'))['keras_version']}"
        with import_module("h5py").File(model) as file:  # Keras itself brings it
            return f"Keras {file.attrs['keras_version']}"
    except (ImportError, OSError, KeyError, ValueError):
        return "another version of Keras"
