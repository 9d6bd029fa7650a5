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
BEGIN, END = "_API_DECLARE_BEGIN\n", "_API_DECLARE_END\n"  # after STAI or AI, as every real file
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
    make, prefix = (_st_ai, "STAI") if api == "st-ai" else (_legacy, "AI")
    files = make(release, network)
    ends = f"\n{prefix}{BEGIN}{prefix}{END}#endif\n"
    files["network.h"] = files["network.h"].replace("#endif\n", ends)
    files["network_data.h"] = files.get("network_data.h", "") + texts["network_data.h"]
    files["network.c"] = _computation(texts["network.c"], texts["engine_config.h"])
    files["network_data.c"] = _data(texts["network_data.c"], api, prefix)
    for file, text in files.items():
        more = OTHER_NAME.format(name=name) if file == "network.h" and name != "network" else ""
        path = folder / file.replace("network", name)
        path.write_text(OURS + _renamed(text, name) + more, encoding="ascii", newline="\n")
    return sorted(file.replace("network", name) for file in files)


def _data(text: str, api: str, prefix: str) -> str:
    """The constants; in the legacy API they end in a macro word, as every real file does."""
    head, _, arrays = text.partition("\n\n")
    header = "stai.h" if api == "st-ai" else "ai_platform.h"
    begin, end = (f"{prefix}{BEGIN}", f"\n\n{prefix}{END}") if api == "legacy" else ("", "")
    return f'{head}\n#include "{header}"\n\n{begin}{arrays}{end}'


def _renamed(text: str, name: str) -> str:
    """C of "network" as that of another name: macros and names of files."""
    return text.replace("AI_NETWORK", f"AI_{name.upper()}").replace('"network', f'"{name}')


def _computation(network: str, config: str) -> str:
    """The open engine's network.c, with its own sizes and other names, in need of no engine.h."""
    engine = (FIRMWARE / "engine" / "engine.h").read_text(encoding="utf-8")
    inside = re.sub(r'#include "engine_config.h".*', "", engine)
    renamed = "".join(f"#define engine_{name} stand_in_{name}\n" for name in NAMES)
    return f'#include "network.h"\n{config}{renamed}{inside}' + network.replace(
        '#include "engine.h"\n', ""
    )


def _macros(lines: dict[str, object], guard: str, header: str) -> str:
    body = "\n".join(f"#define {name} {value}" for name, value in lines.items())
    return f'#ifndef {guard}\n#define {guard}\n#include "{header}"\n{body}\n#endif\n'


def _st_ai(release: Release, network: Network) -> dict[str, str]:
    p = "STAI_NETWORK"
    lines: dict[str, object] = {
        f"{p}_ORIGIN_MODEL_SIGNATURE": f'"0x{network.md5}"',
        f"{p}_MODEL_NAME": '"network"',
        f"{p}_CONTEXT_ALIGNMENT": 8,
        f"{p}_CONTEXT_SIZE": 64,
        f"{p}_NODES_NUM": f"({len(network.nodes)})",
        f"{p}_MACC_NUM": f"({network.macc})",
        **_st_ai_port("IN", network.model.input),
        **_st_ai_port("OUT", network.model.output),
        f"{p}_ACTIVATIONS_NUM": "(1)",
        f"{p}_ACTIVATIONS_SIZE": f"({network.activations})",
        f"{p}_ACTIVATIONS_SIZE_BYTES": f"({network.activations})",
        f"{p}_ACTIVATION_1_SIZE_BYTES": f"({network.activations})",
        f"{p}_WEIGHTS_SIZE_BYTES": f"({network.weights})",
    }
    details = "#ifndef NETWORK_DETAILS_H\n#define NETWORK_DETAILS_H\n#endif\n"
    return {"network.h": _macros(lines, "STAI_NETWORK_H", "stai.h")} | (
        {"network_details.h": details} if release.name == "Core 4.0" else {}
    )


def _st_ai_port(way: str, tensor: Tensor) -> dict[str, object]:
    p = f"STAI_NETWORK_{way}"
    lines: dict[str, object] = {
        f"{p}_NUM": "(1)",
        f"{p}_1_NAME": "(NULL)",
        f"{p}_1_FORMAT": f"(STAI_FORMAT_{FORMATS[tensor.dtype]})",
        f"{p}_1_SHAPE": "{" + ",".join(map(str, tensor.shape)) + "}",
        f"{p}_1_SIZE": f"({tensor.elements})" if way == "IN" else f"(({tensor.elements}))",
        f"{p}_1_SIZE_BYTES": f"({tensor.bytes})",
    }
    if tensor.scale:
        lines |= {f"{p}_1_SCALE": f"({tensor.scale!r}f)",
                  f"{p}_1_ZERO_POINT": f"({tensor.zero_point})"}  # fmt: skip
    return lines


def _legacy(release: Release, network: Network) -> dict[str, str]:
    major, minor, micro = release.config.split(".")
    version = {"AI_TOOLS_VERSION_MAJOR": major, "AI_TOOLS_VERSION_MINOR": minor,
               "AI_TOOLS_VERSION_MICRO": micro}  # fmt: skip
    lines = {
        "AI_NETWORK_MODEL_NAME": '"network"',
        "AI_NETWORK_ACTIVATIONS_ALIGNMENT": "(4)",
        **_legacy_port("IN", network.model.input),
        **_legacy_port("OUT", network.model.output),
        "AI_NETWORK_N_NODES": f"({len(network.nodes)})",
    }
    if not release.says_formats:
        lines = {macro: value for macro, value in lines.items() if not macro.endswith("_FORMAT")}
    params = {
        "AI_NETWORK_DATA_ACTIVATIONS_SIZE": f"({network.activations})",
        "AI_NETWORK_DATA_ACTIVATIONS_COUNT": "(1)",
        "AI_NETWORK_DATA_WEIGHTS_SIZE": f"({network.weights})",
    }
    files = {
        "network.h": _macros(lines, "AI_NETWORK_H", "network_config.h"),
        "network_config.h": _macros(version, "AI_NETWORK_CONFIG_H", "ai_platform.h"),
        "network_data.h": _macros(params, "NETWORK_DATA_MACROS_H", "network_config.h"),
    }
    return (
        files
        if not release.has_params
        else files
        | {
            "network_data_params.h": _macros(params, "NETWORK_DATA_PARAMS_H", "ai_platform.h"),
            "network_data_params.c": '#include "network_data_params.h"\n',
            "network_data.h": '#include "network_data_params.h"\n',
        }
    )


def _legacy_port(way: str, tensor: Tensor) -> dict[str, object]:
    product = " *  ".join(map(str, tensor.shape[1:]))
    return {
        f"AI_NETWORK_{way}_NUM": "(1)",
        f"AI_NETWORK_{way}_1_FORMAT": f"(AI_BUFFER_FORMAT_{LEGACY_FORMATS[tensor.dtype]})",
        f"AI_NETWORK_{way}_1_SIZE": f"({product})",
        f"AI_NETWORK_{way}_1_SIZE_BYTES": f"({tensor.bytes})",
    }
