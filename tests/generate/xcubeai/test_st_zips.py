"""kit.generate.xcubeai.engine and c_code: zips as projects and ST Edge AI Developer Cloud have them
are taken, or refused in words that help; C that is not whole is found.

They are of our own making, the smallest that look so, with invented numbers; no line is ST's.
"""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from stand_in import installation

from kit.cli import main
from kit.errors import KitError
from kit.generate import generate_network, load_network
from kit.generate.xcubeai import c_code, engine

END = "OWN_BEGIN\nint own_data;\n\nAI_API_DECLARE_END\n"  # how every real legacy *_data.c ends
ST_AI, LEGACY = "4.0.0-00001 000000000", "2.2.0-00001 000000000"
COUNT = "AI_NETWORK_DATA_ACTIVATIONS_COUNT"
SHAPES = {"IN": 12, "OUT": 3}


def header(api, **changes):
    """network.h: `changes` to its macros; None leaves one out."""
    prefix, include = ("STAI", "stai.h") if api == "st-ai" else ("AI", "ai_platform.h")
    format = "STAI_FORMAT_S8" if api == "st-ai" else "AI_BUFFER_FORMAT_S8"
    macros = {f"{way}_{part}": value for way, size in SHAPES.items() for part, value in {
        "NUM": 1, "1_SIZE": size, "1_SIZE_BYTES": size, "1_FORMAT": format}.items()}  # fmt: skip
    lines = [
        f"#define {prefix}_NETWORK_{name} ({value})"
        for name, value in (macros | changes).items()
        if value is not None
    ]
    return "\n".join(["#ifndef N_H", "#define N_H", f'#include "{include}"', *lines, "#endif\n"])


def buffer(number, flag, size, scale):
    return {"id": number, "name": flag.lower(), "flags": f"STAI_FLAG_{flag}", "shape": [size],
            "format": "STAI_FORMAT_S8", "size_bytes": size,
            "intq": {"axis": -1, "scales": [scale], "offsets": [-128]}}  # fmt: skip


def info(version):
    """network_c_info.json as a dictionary, to be changed."""
    return {
        "json_schema_version": "2.0",
        "environment": {"tools": [{"name": "ST.EdgeAI.Core", "version": version}]},
        "memory_footprint": {"weights": 4, "activations": 32, "io": [0, 0], "kernel_flash": 100,
                             "kernel_ram": 50, "series": "stm32f4", "toolchain": "gcc"},
        "buffers": [buffer(0, "INPUTS", 12, 0.0039215686), buffer(1, "OUTPUTS", 3, 0.00390625),
                    {"id": 2, "name": "w", "flags": "STAI_FLAG_WEIGHTS", "size_bytes": 4},
                    buffer(3, "INPUTS", 2, 0.5)],
        "graphs": [{"inputs": [0], "outputs": [1], "nodes": [{"name": "gemm_0", "type": "Dense",
                    "macc": 39, "inputs": [0, 2], "outputs": [1]}]}],
    }  # fmt: skip


def parts(api, version=None, digest="0" * 32):
    """The files of a good zip; the JSON as a dictionary still."""
    version = version or (ST_AI if api == "st-ai" else LEGACY)
    files = {
        "network.h": header(api),
        "network.c": "int own_network;\n",
        "network_data.h": "#define OWN 1\n",
        "network_data.c": "int own_data;\n",
        "network_c_info.json": info(version),
        "network_generate_report.txt": f"ST Edge AI Core v{version}\nmodel_hash : 0x{digest}\n",
    }
    if api == "st-ai":
        versions = zip(("MAJOR", "MINOR"), version.split("."), strict=False)
        lines = "".join(
            f"#define STAI_TOOLS_VERSION_{name} ({number})\n" for name, number in versions
        )
        return files | {"Inc/stai.h": lines, "Lib/NetworkRuntime1200_CM4_GCC.a": None}
    config = "#define AI_TOOLS_VERSION_MAJOR 2\n#define AI_TOOLS_VERSION_MINOR 2\n"
    return files | {
        "network_data.c": END, "network_config.h": config,
        "network_data_params.c": "int own_params;\n",
        "network_data_params.h": f"#define {COUNT} (1)\n",
        "Inc/ai_platform.h": "#define OWN 1\n", "Lib/NetworkRuntime1020_CM4_GCC.a": None,
    }  # fmt: skip


@pytest.fixture
def zipped(tmp_path):
    """`zipped(files)`: a zip of them; a name's text None is the library, a dictionary JSON."""
    runtime = installation.archive(installation.compiled("cortex_m4", "eabihf"))

    def pack(files):
        with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
            for name, text in files.items():
                archive.writestr(name, runtime if text is None else
                                 json.dumps(text) if isinstance(text, dict) else text)  # fmt: skip
        return tmp_path / "code.zip"

    return pack


@pytest.fixture
def keras(tmp_path):
    """A file that only ST's tool reads: nothing but its digest is compared."""
    path = tmp_path / "digits.h5"
    path.write_bytes(b"weights")
    return path


def renamed(files, name):
    """The same network of another name: in its files, macros and functions."""
    kept = {file: text for file, text in files.items() if "/" in file or "network" not in file}
    for file, text in files.items():
        if file not in kept:
            text = (
                text.replace("AI_NETWORK", f"AI_{name.upper()}") if isinstance(text, str) else text
            )
            kept[file.replace("network", name)] = text
    return kept


def changed(files, *path_and_value):
    """With one value of the JSON changed."""
    *path, last, value = path_and_value
    inner = files["network_c_info.json"]
    for place in path:
        inner = inner[place]
    inner[last] = value
    return files


def without(files, *names):
    return {name: text for name, text in files.items() if name not in names}


def with_header(**changes):
    return parts("st-ai") | {"network.h": header("st-ai", **changes)}


def in_a_folder(files):
    """The library as STM32Cube AI Studio leaves it."""
    (library,) = [name for name in files if name.startswith("Lib/")]
    return without(files, library) | {f"{library}/{Path(library).name}": None}


PARAMS = ("network_data_params.c", "network_data_params.h")
SEVEN_ONE = (
    "Neural Network Tools for STM32AI v1.5.1 (STM.ai v7.1.0-RC3)\nmodel_hash : 0x" + "1" * 32 + """
input 1/1 : 'x'
                    12 items, 12 B, ai_i8, s=0.00392157, zp=-128, (1, 1, 12)
output 1/1 : 'y'
                    3 items, 3 B, ai_i8, s=0.00390625, zp=-128, (1, 1, 3)
macc : 39
weights (ro) : 4 B
activations (rw) : 32 B
ram (total) : 32 B = 32 + 0 + 0
C-Layers (1)
0      gemm_0           0    Dense           39   4   I: x
"""
)  # fmt: skip
LIBRARY = {
    "st-ai": "Lib/NetworkRuntime1200_CM4_GCC.a",
    "legacy": "Lib/NetworkRuntime1020_CM4_GCC.a",
}
FIVE = without(parts("legacy"), *PARAMS, "network_c_info.json", LIBRARY["legacy"]) | {
    "network_config.h": "#define AI_TOOLS_VERSION_MAJOR 7\n#define AI_TOOLS_VERSION_MINOR 1\n",
    "network.h": header("legacy", **{"IN_1_FORMAT": None, "OUT_1_FORMAT": None}),
    "network_generate_report.txt": SEVEN_ONE, "Lib/NetworkRuntime710_CM4_GCC.a": None,
}  # fmt: skip
TAKEN = {
    "good": parts("st-ai") | {"LICENSE": "terms"},
    "legacy": parts("legacy"),
    "legacy, as before its macro word": parts("legacy") | {"network_data.c": "int own_data;\n"},
    "five files of 7.1": FIVE,
    "library in a folder": in_a_folder(parts("st-ai")),
    "library in a folder, legacy": in_a_folder(parts("legacy")),
    "in a folder of its own": {f"digits-code/{n}": t for n, t in parts("st-ai").items()},
    "padded": changed(with_header(IN_1_SIZE_BYTES=13), "buffers", 0, "size_bytes", 13),
    "another name": renamed(parts("st-ai"), "mnist_2"),
    "another name, legacy": renamed(parts("legacy"), "mnist_2"),
    "weights apart": parts("st-ai") | {"network_weights.c": "int w;\n",
                                       "network_weights.h": "#define W\n"},
    "unknown Core": parts("st-ai", "4.1.0-1") | {"Inc/stai.h": "#define OWN 1\n"},
}  # fmt: skip


@pytest.mark.parametrize("kind", TAKEN)
def test_what_is_taken(zipped, keras, tmp_path, kind, capsys, monkeypatch):
    """As real files are, and the user sees that it was not compared with the model."""
    monkeypatch.setenv("PATH", "")  # no installation is needed
    path = zipped(TAKEN[kind])
    words = ["generate", str(keras), "--engine", "xcubeai", "--from-zip", str(path)]
    assert main([*words, "--out", str(tmp_path / "made"), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["macs"], made["input"]["bytes"], made["input"]["dtype"]) == (39, 12, "int8")
    assert "not compared" in made["runtime"]["remark"]
    assert main([*words, "--out", str(tmp_path / "made")]) == 0
    assert "not compared whether code.zip was made from digits.h5" in capsys.readouterr().out
    names = (tmp_path / "made" / c_code.NAMES).read_text()
    assert "#define NETWORK_INPUT_TYPE ENGINE_INT8" in names
    assert ("NETWORK_IN_1_SIZE STAI_MNIST_2_IN_1_SIZE\n" in names) == (kind == "another name")
    moved = (tmp_path / "made").rename(tmp_path / "moved")  # headers and library lie in it
    runtime = load_network(moved).runtime
    assert all(path.is_relative_to(moved) for path in (runtime.include, runtime.library))
    assert (moved / "LICENSE").is_file() == (kind == "good")


ORIGIN = "ORIGIN_MODEL_SIGNATURE"
REFUSED = {
    "five files": (without(parts("legacy"), *PARAMS),
                   "2.2.0-00001 000000000 writes 7 files; missing: network_data_params.c"),
    "no headers": (without(parts("st-ai"), "Inc/stai.h"), "no stai.h"),
    "no library": (without(parts("st-ai"), LIBRARY["st-ai"]), "no library at all"),
    "no description": (without(parts("st-ai"), "network_c_info.json",
                               "network_generate_report.txt"), "no description"),
    "uint8": (changed(parts("st-ai"), "buffers", 0, "format", "STAI_FORMAT_U8"), "input is uint8"),
    "uint8 output": (changed(parts("legacy"), "buffers", 1, "format", "STAI_FORMAT_U8"),
                     "output is uint8"),
    "uint8 header": (with_header(IN_1_FORMAT="STAI_FORMAT_U8"), "input is uint8"),
    "float header": (with_header(IN_1_FORMAT="STAI_FORMAT_FLOAT32"), "of float32 in 12 bytes"),
    "fewer bytes": (with_header(IN_1_SIZE_BYTES=11), "12 values of int8 in 11 bytes"),
    "npu": (changed(parts("st-ai"), "graphs", []), "choose your board"),
    "two inputs": (changed(parts("st-ai"), "graphs", 0, "inputs", [0, 3]), "has 2 inputs"),
    "input elsewhere": (changed(parts("st-ai"), "memory_footprint", "io", [12, 0]),
                        "outside the activations"),
    "two pools": (with_header(ACTIVATIONS_NUM=2), "into 2 pools"),
    "two pools, legacy": (parts("legacy") | {PARAMS[1]: f"#define {COUNT} (2)\n"}, "into 2 pools"),
    "Cortex-M7": (without(parts("st-ai"), LIBRARY["st-ai"])
                  | {"Lib/NetworkRuntime1200_CM7_GCC.a": None}, "choose your board"),
    "two networks": (parts("st-ai") | renamed(parts("st-ai"), "other"), "networks: network, other"),
    "no network": (without(parts("st-ai"), "network.h"), "no network.h"),
    "6.0": (FIVE | {"network_generate_report.txt":
                    "Neural Network Tools for STM32AI v1.4.1 (STM.ai v6.0.0-RC6)\nmacc : what\n"},
            "too old"),
    "cut off": (parts("legacy") | {"network_data.c": "OWN\nint data[] = { 1,\n 2"}, "is cut off"),
    "another Core's library": (parts("st-ai", "3.0.0-1"), "two versions"),
    "no version": (without(changed(parts("st-ai") | {"network_generate_report.txt": SEVEN_ONE[70:]},
                   "environment", "tools", []), "network_c_info.json"), "does not say a version"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused(zipped, keras, tmp_path, kind):
    """In words, and nothing is left behind."""
    files, said = REFUSED[kind]
    with pytest.raises(KitError) as error:
        generate_network(keras, tmp_path / "made", "xcubeai", from_zip=zipped(files))
    text = str(error.value)
    assert said in text and error.value.next_step
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("api", ["st-ai", "legacy"])
def test_a_zip_of_another_model(zipped, keras, tmp_path, api):
    """By the MD5 in the report or the C, of Keras files too; that of the C counts more."""
    own, other = hashlib.md5(keras.read_bytes()).hexdigest(), "1" * 32

    def made(report, code):
        files = parts(api, digest=report)
        signature = {ORIGIN: f'"0x{code}"'} if code else {}
        files["network.h"] = header(api, **signature).replace('("', '"').replace('")', '"')
        return generate_network(keras, tmp_path / "made", "xcubeai", from_zip=zipped(files))

    assert made(own.upper(), None).runtime.remark == ""
    with pytest.raises(KitError, match=r"code\.zip was not made from digits\.h5"):
        made(other, None)
    if api == "st-ai":
        assert made(other, own).runtime.remark == ""
        with pytest.raises(KitError, match="not made from"):
            made(own, other)


def test_a_hash_of_another_kind(zipped, keras, tmp_path):
    """Before 9.0 what the report calls a hash is not the MD5 of the file."""
    made = generate_network(keras, tmp_path / "made", "xcubeai", from_zip=zipped(FIVE))
    assert "not compared" in made.runtime.remark and made.runtime.version == "7.1.0-RC3"


def test_settings_do_not_change_a_zip(keras, tmp_path):
    """They would be ignored, so they are refused; as are ONNX, and files that are no zip."""
    (tmp_path / "text.zip").write_text("no")
    for path, zip_file, more, said in (
        (keras, "x.zip", {"compression": "high"}, "already made"),
        (tmp_path / "x.onnx", "x.zip", {}, r"(?s)ONNX.*onnx2tf"),
        (keras, "gone.zip", {}, "not a usable zip"),
        (keras, "text.zip", {}, "not a usable zip"),
    ):
        with pytest.raises(KitError, match=said):
            generate_network(
                path, tmp_path / "made", "xcubeai", from_zip=tmp_path / zip_file, **more
            )


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
    lines = (
        f"#define AI_X_SIZE  {text}\n#define AI_X_SIZE_BYTES (1)\n#define AI_X_Y (sizeof(int))\n"
    )
    code = c_code.Code(None, Path(), "legacy", "x", lines)
    assert code.number("SIZE") == value
    for name in ("Y", "Z"):
        with pytest.raises(KitError, match=f"does not define AI_X_{name}"):
            code.number(name)


ROW = "static const int a[] = { 1, 2 };\n"
WHOLE = [
    ROW, ROW + "AI_API_DECLARE_END\n", "#ifndef A\n#define A\n#endif /* A */\n", "AI_STATIC (x)\n",
    "#ifdef X\nint f(int a) {\n#else\nint f(void) {\n#endif\n return '{' + \"}{\"[0]; } // (\n",
    "#define BEGIN {\\\n {\nint a;\n", "/* it's { */ int a;\n", ROW + "\n\n\r\n",
    '#ifdef __cplusplus\nextern "C" {\n#endif\nint a;\n#ifdef __cplusplus\n}\n#endif\n',
]  # fmt: skip
CUT = [
    "", "\n", ROW[:-6], "int a; /* why", 'char *a = "x', "#if A\nint a;\n", "int a;\n#endif\n",
    "AI_API_DECLARE_BEGIN\nint a;\n", "int a;\nstatic int", "int a;\nint f(int", "#if A\n#else\n",
]  # fmt: skip


@pytest.mark.parametrize("text", WHOLE)
def test_whole_c(text):
    """Comments, strings, branches and macro words, as a compiler takes them."""
    assert c_code.open_end(text) == ""


@pytest.mark.parametrize("text", CUT)
def test_c_that_is_cut_off(text):
    """What a compiler would miss is named."""
    assert c_code.open_end(text)


@pytest.mark.parametrize("end", range(1, len(END + ROW) - 1))
def test_c_that_is_cut_off_anywhere(end):
    """Wherever a file of real form breaks off."""
    text = f"#include <a.h>\nAI_API_DECLARE_BEGIN\n{ROW}{END}"
    assert c_code.open_end(text[:-end].rstrip("\n")) or not text[-end:].strip()
