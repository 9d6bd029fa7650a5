"""The C that the stand-in writes: the names and macros that ST documents, our own code inside.

network.c holds the open engine's computation under names of its own (stand_in_run and so on), for
a test-only implementation of the two APIs to stand on.
"""

import re
import tempfile
from pathlib import Path

from kit.generate.portable import generate_portable
from kit.model import Tensor
from kit.paths import FIRMWARE
from stand_in.network import Network
from stand_in.releases import Release

OURS = "/* Written by the kit's stand-in for ST's tool, for tests. No line of it is ST's. */\n"
NAMES = ("describe", "start", "error", "input", "run", "output")
OTHER_NAME = """\
#if defined(STAND_IN_ST_AI_H)
#define stai_{name}_init(n) stand_in_init(n, __builtin_object_size(n, 0))
#define stai_{name}_set_activations(n, buffers, count) \\
    stand_in_set_activations(n, buffers, count, __builtin_object_size((buffers)[0], 0))
#define stai_{name}_get_inputs stai_network_get_inputs
#define stai_{name}_get_outputs stai_network_get_outputs
#define stai_{name}_run stai_network_run
#elif defined(STAND_IN_LEGACY_H)
#define ai_{name}_create_and_init(n, activations, weights) \\
    stand_in_create(n, activations, weights, __builtin_object_size((activations)[0], 0))
#define ai_{name}_get_error ai_network_get_error
#define ai_{name}_inputs_get ai_network_inputs_get
#define ai_{name}_outputs_get ai_network_outputs_get
#define ai_{name}_run ai_network_run
#endif
"""  # the stand-in's library knows one name
FORMATS = {"int8": "S8", "float32": "FLOAT32"}
LEGACY_FORMATS = {"int8": "S8", "float32": "FLOAT"}


def write(
    folder: Path, release: Release, api: str, network: Network, name: str = "network"
) -> list[str]:
    """Write all files of an API into a folder, of a network of that name. Returns their names."""
    with tempfile.TemporaryDirectory() as place:
        made = generate_portable(network.model.path, Path(place) / "made").folder
        texts = {path.name: path.read_text() for path in made.glob("*.[ch]")}
    files = (_st_ai if api == "st-ai" else _legacy)(release, network)
    files["network_data.h"] = files.get("network_data.h", "") + texts["network_data.h"]
    files["network.c"] = _computation(texts["network.c"], texts["engine_config.h"])
    head, _, arrays = texts["network_data.c"].partition("\n\n")
    if api == "legacy":  # it ends in a macro word, as every real one does
        arrays = f"AI_API_DECLARE_BEGIN\n{arrays}\n\nAI_API_DECLARE_END\n"
    include = "stai.h" if api == "st-ai" else "ai_platform.h"
    files["network_data.c"] = f'{head}\n#include "{include}"\n\n{arrays}'
    for file, text in files.items():
        text = text.replace("AI_NETWORK", f"AI_{name.upper()}").replace('"network', f'"{name}')
        more = OTHER_NAME.format(name=name) if file == "network.h" and name != "network" else ""
        path = folder / file.replace("network", name)
        path.write_text(OURS + text + more, encoding="ascii", newline="\n")
    return sorted(file.replace("network", name) for file in files)


def _computation(network: str, config: str) -> str:
    """The open engine's network.c, with its own sizes and other names, in need of no engine.h."""
    engine = (FIRMWARE / "engine" / "engine.h").read_text(encoding="utf-8")
    inside = re.sub(r'#include "engine_config.h".*|#pragma once', "", engine)
    renamed = "".join(f"#define engine_{name} stand_in_{name}\n" for name in NAMES)
    return f'#include "network.h"\n{config}{renamed}{inside}' + network.replace(
        '#include "engine.h"\n', ""
    )


def _header(guard: str, include: str, macros: str, rest: str = "") -> str:
    """A header that defines `macros`, a line each."""
    lines = "".join(f"#define {line}\n" for line in macros.splitlines())
    return f'#ifndef {guard}\n#define {guard}\n#include "{include}"\n{lines}\n{rest}#endif\n'


def _st_ai(release: Release, network: Network) -> dict[str, str]:
    p = "STAI_NETWORK"
    macros = f"""\
{p}_ORIGIN_MODEL_SIGNATURE "0x{network.md5}"
{p}_CONTEXT_ALIGNMENT 8
{p}_CONTEXT_SIZE 64
{_st_ai_port(f"{p}_IN", network.model.input)}
{_st_ai_port(f"{p}_OUT", network.model.output)}
{p}_ACTIVATIONS_NUM (1)
{p}_ACTIVATIONS_SIZE_BYTES ({network.activations})
{p}_WEIGHTS_SIZE_BYTES ({network.weights})"""
    words = "STAI_API_DECLARE_BEGIN\nSTAI_API_DECLARE_END\n"
    files = {"network.h": _header(f"{p}_H", "stai.h", macros, words)}
    if release.name == "Core 4.0":
        files["network_details.h"] = _header("NETWORK_DETAILS_H", "stai.h", "")
    return files


def _st_ai_port(p: str, tensor: Tensor) -> str:
    size = f"({tensor.elements})" if p.endswith("_IN") else f"(({tensor.elements}))"
    linear = f"{p}_1_SCALE ({tensor.scale!r}f)\n{p}_1_ZERO_POINT ({tensor.zero_point})"
    return f"""\
{p}_NUM (1)
{p}_1_FORMAT (STAI_FORMAT_{FORMATS[tensor.dtype]})
{p}_1_SIZE {size}
{p}_1_SIZE_BYTES ({tensor.bytes})
{linear if tensor.scale else ""}""".rstrip()


def _legacy(release: Release, network: Network) -> dict[str, str]:
    parts = zip(("MAJOR", "MINOR", "MICRO"), release.config.split("."), strict=True)
    version = "\n".join(f"AI_TOOLS_VERSION_{part} {number}" for part, number in parts)
    macros = f"""\
{_legacy_port("AI_NETWORK_IN", network.model.input)}
{_legacy_port("AI_NETWORK_OUT", network.model.output)}"""
    if release.name.startswith("7."):
        macros = re.sub(r"\w+_FORMAT .*\n", "", macros)
    params = f"""\
AI_NETWORK_DATA_ACTIVATIONS_SIZE ({network.activations})
AI_NETWORK_DATA_ACTIVATIONS_COUNT (1)
AI_NETWORK_DATA_WEIGHTS_SIZE ({network.weights})"""
    words = "AI_API_DECLARE_BEGIN\nAI_API_DECLARE_END\n"
    files = {
        "network.h": _header("AI_NETWORK_H", "network_config.h", macros, words),
        "network_config.h": _header("AI_NETWORK_CONFIG_H", "ai_platform.h", version),
    }
    if release.name == "7.1":  # in which the parameters had no files of their own
        data = _header("NETWORK_DATA_MACROS_H", "network_config.h", params)
        return files | {"network_data.h": data}
    return files | {
        "network_data_params.h": _header("NETWORK_DATA_PARAMS_H", "ai_platform.h", params),
        "network_data_params.c": '#include "network_data_params.h"\n',
        "network_data.h": '#include "network_data_params.h"\n',
    }


def _legacy_port(p: str, tensor: Tensor) -> str:
    return f"""\
{p}_NUM (1)
{p}_1_FORMAT (AI_BUFFER_FORMAT_{LEGACY_FORMATS[tensor.dtype]})
{p}_1_SIZE ({" *  ".join(map(str, tensor.shape[1:]))})
{p}_1_SIZE_BYTES ({tensor.bytes})"""
