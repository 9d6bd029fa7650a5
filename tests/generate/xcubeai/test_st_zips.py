"""kit.generate.xcubeai.engine and c_code: zips as projects and ST Edge AI Developer Cloud have them
are taken, or refused in words that help; C that is not whole is found.

The stand-in (tests/stand_in) makes what is in them, and says that it is of a Keras file.
"""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from stand_in.network import describe
from stand_in.use import by_st, cloud_files, spoil

from kit.cli import main
from kit.errors import KitError
from kit.generate import load_network
from kit.generate.xcubeai import c_code, engine

WEIGHTS = b"a Keras file, which only ST's tool reads: nothing but its digest is compared"
OWN, OTHER = hashlib.md5(WEIGHTS).hexdigest(), "1" * 32


@pytest.fixture
def keras(tmp_path):
    path = tmp_path / "digits.h5"
    path.write_bytes(WEIGHTS)
    return path


@pytest.fixture
def zipped(roots, model, keras, tmp_path):
    """`zipped(release, behavior, files)`: a zip of what it made, whose `files` are spoiled."""

    def pack(release, behavior, files, name="network", inside=False):
        folder = tmp_path / "code"
        cloud_files(folder, roots(release), release, describe(model, keras), name, **behavior)
        spoil(folder, files)
        where = (tmp_path, folder.name) if inside else (folder, None)
        path = shutil.make_archive(str(tmp_path / "code"), "zip", *where)
        shutil.rmtree(folder)
        return path

    return pack


LIBRARY = {"Core 4.0": "Lib/NetworkRuntime1201_CM4_GCC.a", "8.1": "Lib/NetworkRuntime810_CM4_GCC.a"}
OLD_DATA = "int own_data;\n"  # without the macro word
INPUT = ["IN_1_SIZE_BYTES (784)", "IN_1_SIZE_BYTES (785)"]
BUFFER = [["buffers", 0, "size_bytes"], 785]
TAKEN = {  # release, behavior, files, and more
    "good": ("Core 4.0", {}, {"LICENSE": "terms"}),
    "legacy": ("Core 2.2", {}, {}),
    "legacy, as before its macro word": ("Core 1.0", {}, {"network_data.c": OLD_DATA}),
    "five files of 7.1": ("7.1", {}, {}),
    "in a folder of its own": ("Core 4.0", {}, {}, "network", True),
    "padded": ("Core 4.0", {"header": [INPUT], "info": [BUFFER]}, {}),
    "another name": ("Core 4.0", {}, {}, "mnist_2"),
    "another name, legacy": ("8.1", {}, {}, "mnist_2"),
    "weights apart": ("Core 4.0", {}, {"network_weights.c": "int w;\n",
                                       "network_weights.h": "#define W\n"}),
    "unknown Core": ("Core 4.1", {}, {"Inc/stai.h": "#define OWN 1\n"}),
    **{f"{release}, library in a folder": (  # as STM32Cube AI Studio leaves it
        release, {}, {path: Path(path.replace("Lib/", "Lib/x/")), "Lib/x": Path(path)})
       for release, path in LIBRARY.items()},
}  # fmt: skip


@pytest.mark.parametrize("kind", TAKEN)
def test_what_is_taken(zipped, keras, model, tmp_path, kind, capsys, monkeypatch):
    """As real files are, and the user sees where it was not compared with the model: before 9.0
    what the report calls a hash is not the MD5 of the file."""
    monkeypatch.setenv("PATH", "")  # no installation is needed
    path = zipped(*TAKEN[kind])
    capsys.readouterr()
    words = ["generate", str(keras), "--engine", "xcubeai", "--from-zip", str(path)]
    assert main([*words, "--out", str(tmp_path / "made"), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    told = (made["macs"], made["input"]["bytes"], made["input"]["dtype"])
    assert told == (describe(model).macc, 784, "int8")
    old = not TAKEN[kind][0].startswith("Core")
    assert ("not compared" in made["runtime"]["remark"]) == bool(made["runtime"]["remark"]) == old
    assert main([*words, "--out", str(tmp_path / "made")]) == 0
    said = "not compared whether code.zip was made from digits.h5"
    assert (said in capsys.readouterr().out) == old
    names = (tmp_path / "made" / c_code.NAMES).read_text()
    assert "#define NETWORK_INPUT_TYPE ENGINE_INT8" in names
    assert ("NETWORK_IN_1_SIZE STAI_MNIST_2_IN_1_SIZE\n" in names) == (kind == "another name")
    moved = (tmp_path / "made").rename(tmp_path / "moved")  # headers and library lie in it
    runtime = load_network(moved).runtime
    assert all(path.is_relative_to(moved) for path in (runtime.include, runtime.library))
    assert (moved / "LICENSE").is_file() == (kind == "good")


U8 = "STAI_FORMAT_U8"
NO_JSON, NO_REPORT = {"network_c_info.json": None}, {"network_generate_report.txt": None}
CM7 = {LIBRARY["Core 4.0"]: Path("Lib/NetworkRuntime1201_CM7_GCC.a")}
OF_11 = {LIBRARY["Core 4.0"]: Path("Lib/NetworkRuntime1100_CM4_GCC.a")}
POOLS = "#define AI_NETWORK_DATA_ACTIVATIONS_COUNT (2)\n"
CUT = "OWN\nint data[] = { 1,\n 2"


def in_header(old, new):
    return {"header": [[old, new]]}


def in_json(value, *path):
    return {"info": [[path, value]]}


REFUSED = {
    "five files": ("Core 2.2", {}, {f"network_data_params.{end}": None for end in "ch"},
                   "2.2.0-20266 2adc00962 writes 7 files; missing: network_data_params.c"),
    "no headers": ("Core 4.0", {}, {"Inc/stai.h": None}, "no stai.h"),
    "no library": ("Core 4.0", {}, {"Lib": None}, "no library at all"),
    "no description": ("Core 4.0", {}, NO_JSON | NO_REPORT, "no description"),
    "uint8 output": ("Core 2.2", in_json(U8, "buffers", -1, "format"), {}, "output is uint8"),
    "uint8 header": ("Core 4.0", in_header("STAI_FORMAT_S8", U8), {}, "input is uint8"),
    "float header": ("Core 4.0", in_header("STAI_FORMAT_S8", "STAI_FORMAT_FLOAT32"), {},
                     "of float32 in 784 bytes"),
    "fewer bytes": ("Core 4.0", in_header("IN_1_SIZE_BYTES (784)", "IN_1_SIZE_BYTES (783)"), {},
                    "784 values of int8 in 783 bytes"),
    "npu": ("Core 4.0", in_json([], "graphs"), {}, "choose your board"),
    "input elsewhere": ("Core 4.0", in_json([784, 0], "memory_footprint", "io"), NO_REPORT,
                        "outside the activations"),
    "two pools": ("Core 4.0", in_header("ACTIVATIONS_NUM (1)", "ACTIVATIONS_NUM (2)"), {},
                  "into 2 pools"),
    "two pools, legacy": ("Core 2.2", {}, {"network_data_params.h": POOLS}, "into 2 pools"),
    "Cortex-M7": ("Core 4.0", {}, CM7, "choose your board"),
    "two networks": ("Core 4.0", {}, {"other.h": "#define STAI_OTHER_IN_NUM (1)\n"},
                     "networks: network, other"),
    "no network": ("Core 4.0", {}, {"network.h": None}, "no network.h"),
    "cut off": ("Core 2.2", {}, {"network_data.c": CUT}, "is cut off"),
    "another Core's library": ("Core 4.0", {}, OF_11, "two versions"),
    "no version": ("8.1", {"report": [["stm.ai v8.1.0", "something"]]}, {},
                   "does not say a version"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused(zipped, keras, tmp_path, kind):
    """In words, and nothing is left behind."""
    *given, said = REFUSED[kind]
    with pytest.raises(KitError) as error:
        by_st(keras, tmp_path / "made", from_zip=zipped(*given))
    assert said in str(error.value) and error.value.next_step
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("release", "behavior", "right"),
    [
        ("Core 2.2", {"report": [[OWN, OWN.upper()]]}, True),
        ("Core 2.2", {"report": [[OWN, OTHER]]}, False),
        ("Core 4.0", {"report": [[OWN, OTHER]]}, True),
        ("Core 4.0", {"header": [[OWN, OTHER]]}, False),
    ],
)
def test_a_zip_of_another_model(zipped, keras, tmp_path, release, behavior, right):
    """By the MD5 in the report or the C, of Keras files too; that of the C counts more."""
    path = zipped(release, behavior, NO_JSON)
    if right:
        assert by_st(keras, tmp_path / "made", from_zip=path).runtime.remark == ""
    else:
        with pytest.raises(KitError, match=r"code\.zip was not made from digits\.h5"):
            by_st(keras, tmp_path / "made", from_zip=path)


def test_settings_do_not_change_a_zip(keras, tmp_path):
    """They would be ignored, so they are refused; as are ONNX, and files that are no zip."""
    (tmp_path / "text.zip").write_text("no")
    for path, zip_file, more, said in (
        (keras, "x.zip", {"compression": "high"}, "already made"),
        (keras, "x.zip", {"mcu": "stm32l476rg"}, "already made"),
        (tmp_path / "x.onnx", "x.zip", {}, r"(?s)ONNX.*onnx2tf"),
        (keras, "gone.zip", {}, "not a usable zip"),
        (keras, "text.zip", {}, "not a usable zip"),
    ):
        with pytest.raises(KitError, match=said):
            by_st(path, tmp_path / "made", from_zip=tmp_path / zip_file, **more)


def test_a_zip_cannot_write_elsewhere_or_fill_the_disk(tmp_path, monkeypatch):
    """Names with .. stay inside, and the whole size is known before anything is unpacked."""
    path, inside = tmp_path / "evil.zip", tmp_path / "a" / "b"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside.c", "x" * 100)
    inside.mkdir(parents=True)
    engine.unpack_zip(path, inside)
    assert list(tmp_path.rglob("outside.c")) == [inside / "outside.c"]
    monkeypatch.setattr(engine, "LARGEST", 99)
    with pytest.raises(KitError, match="more than 99 bytes"):
        engine.unpack_zip(path, inside)


@pytest.mark.parametrize(
    ("text", "value"), [("784", 784), ("(784)", 784), ("((10))", 10), ("(28 *  28 *  1)", 784)]
)
def test_macros_in_each_form(text, value):
    """The versions write the same number differently."""
    lines = f"#define AI_X_SIZE  {text}\n#define AI_X_SIZE_BYTES (1)\n#define AI_X_Y (sizeof(int))"
    code = c_code.Code(None, Path(), "legacy", "x", lines)
    assert code.number("SIZE") == value
    for name in ("Y", "Z"):
        with pytest.raises(KitError, match=f"does not define AI_X_{name}"):
            code.number(name)


ROW = "static const int a[] = { 1, 2 };\n"
END = "OWN_BEGIN\nint own_data;\n\nAI_API_DECLARE_END\n"  # how every real legacy *_data.c ends
WHOLE = [
    ROW, ROW + "AI_API_DECLARE_END\n", "#ifndef A\n#define A\n#endif /* A */\n", "AI_STATIC (x)\n",
    "#ifdef X\nint f(int a) {\n#else\nint f(void) {\n#endif\n return '{' + \"}{\"[0]; } // (\n",
    "#define BEGIN {\\\n {\nint a;\n", "/* it's { */ int a;\n", ROW + "\n\n\r\n",
    '#ifdef __cplusplus\nextern "C" {\n#endif\nint a;\n#ifdef __cplusplus\n}\n#endif\n',
]  # fmt: skip
BROKEN = [
    "", "\n", ROW[:-6], "int a; /* why", 'char *a = "x', "#if A\nint a;\n", "int a;\n#endif\n",
    "AI_API_DECLARE_BEGIN\nint a;\n", "int a;\nstatic int", "int a;\nint f(int", "#if A\n#else\n",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "whole"), [*((text, True) for text in WHOLE), *((text, False) for text in BROKEN)]
)
def test_c_that_is_whole_or_cut_off(text, whole):
    """Comments, strings, branches and macro words, as a compiler takes them; what it would miss is
    named."""
    assert (c_code.open_end(text) == "") == whole


@pytest.mark.parametrize("end", range(1, len(END + ROW) - 1))
def test_c_that_is_cut_off_anywhere(end):
    """Wherever a file of real form breaks off."""
    text = f"#include <a.h>\nAI_API_DECLARE_BEGIN\n{ROW}{END}"
    assert c_code.open_end(text[:-end].rstrip("\n")) or not text[-end:].strip()
