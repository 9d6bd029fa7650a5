"""Which models are taken, and what ST's tool says when it fails: what it means, and what to do.

Its exit code is not enough: some versions end with 0 after an error.
"""

import json
import re
import zipfile
from importlib import import_module
from pathlib import Path

from kit.errors import KitError
from kit.generate.xcubeai.description import check_port
from kit.model import Model, read_model

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
_LOADING = re.compile(r"E010|LOAD ERROR|TOOL ERROR|INTERNAL ERROR")
_KERAS = re.compile(
    r"quantization_config|[Uu]nrecognized keyword|[Uu]nknown layer|DTypePolicy|batch_shape|"
    r"deserializ|Keras|keras"
)
_MEANINGS = (
    (
        r"Invalid firmware|Unable to bind",
        "The board answers, but its program is not ST's validation program (aiValidation), which "
        "`validate --mode target` talks to.",
        "Make it with STM32CubeMX (X-CUBE-AI, application Validation), flash it, and try again; "
        "or validate with the kit's own program: `kit validate MODEL --board PORT`.",
    ),
    (
        r"No SERIAL COM port|not connected",
        "No board was found on a serial port.",
        "Plug the board in with a cable that carries data, or name its port with --board.",
    ),
    (
        r"could not open port|[Pp]ermission|[Bb]usy",
        "The serial port is not there, is used by another program, or may not be opened.",
        "Close terminals and debuggers that use it, check its name with `kit doctor`, and try "
        "again.",
    ),
    (
        r"E801",
        "It cannot talk to the board.",
        "Check the cable and the port's name (`kit doctor` lists it), then try again.",
    ),
    (
        r"E103",
        "Something that the command needs is missing or failed: a file, or another program that "
        "it starts, as its compiler for another target.",
        "Its line says which. `kit doctor` shows the installation that is used; if a part of it is "
        "missing, install it again.",
    ),
    (
        r"E10[0-9]",
        "This version does not accept one of the options it was given.",
        "Choose another --compression or --optimization, or update ST Edge AI Core.",
    ),
    (
        r"NOT IMPLEMENTED",
        "The model uses an operator, or a way of quantizing it, that this version does not have.",
        f"{HAND_OVER} `stedgeai supported-ops --type tflite` lists what it can do.",
    ),
    (
        r"E010|LOAD ERROR",
        "It cannot read the model.",
        HAND_OVER,
    ),
    (
        r"TOOL ERROR|INTERNAL ERROR",
        "The tool itself failed on this model.",
        f"{HAND_OVER} If it is one, try another --optimization or a newer version of the tool, "
        "or use the portable engine.",
    ),
    (
        "",
        "The kit does not know this error.",
        "Look it up in the documentation of the tool.",
    ),
)
"""What the tool may say, what it means, and what to do: the first row that is found counts."""


def described_model(path: Path) -> Model | None:
    """The description of a .tflite; None for a Keras file, which only the tool reads.

    Raises KitError: the file is missing, unusable, or of another kind, or the firmware does not
    take such a network.
    """
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


def failure(printed: str, code: int, model: Path) -> tuple[str, str] | None:
    """Cause and way out, from what the tool printed about `model` and its exit code; None when it
    neither said that it failed nor ended with a code other than 0."""
    printed = _COLOR.sub("", printed)
    said = " / ".join(found[0].strip() for found in _SAID.finditer(printed))
    if not said and code == 0:
        return None
    if not said:
        tail = printed.strip()[-1500:] or "nothing"
        why = f"It ended with exit code {code} and said: {tail}"
        return why, "Run `kit doctor`; try the same in a terminal, and read what it says."
    why, next_step = next(row[1:] for row in _MEANINGS if re.search(row[0], said))
    if model.suffix in KERAS and _LOADING.search(said) and _KERAS.search(printed):
        why, next_step = _keras_trap(model), HAND_OVER
    return f"It says: {said}\n{why}", next_step


def _keras_trap(model: Path) -> str:
    version = keras_version(model)
    by = f"was saved by Keras {version}" if version else "was saved by another version of Keras"
    return (
        f"{model.name} {by}, and ST's tool brings a Keras of its own, which cannot read it: Keras "
        "3.3 and later write settings that older ones do not know (quantization_config, "
        "batch_shape), in .keras files and in .h5 files alike."
    )


def keras_version(model: Path) -> str:
    """The Keras that saved a .keras or .h5 file; "" where the file does not say."""
    try:
        if zipfile.is_zipfile(model):
            with zipfile.ZipFile(model) as archive:
                return str(json.loads(archive.read("metadata.json")).get("keras_version", ""))
        with import_module("h5py").File(model) as file:  # Keras itself brings it
            return str(file.attrs.get("keras_version", ""))
    except (ImportError, OSError, KeyError, ValueError):
        return ""
