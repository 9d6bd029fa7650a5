"""The C that the tool wrote: which API, whole, and one that the firmware can use. In a zip its name
may be another than "network", and is then in the names of its files, macros and functions."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from kit.errors import KitError
from kit.generate.result import TensorInfo
from kit.generate.xcubeai.figures import check_port, dtype_of
from kit.generate.xcubeai.versions import AGAIN, FOR_BOARD, OLDEST, Version, numbers

NAMES = "engine_network.h"
PREFIXES = {"st-ai": "STAI", "legacy": "AI"}
MAIN_HEADERS = {"st-ai": "stai.h", "legacy": "ai_platform.h"}  # of ST's, which the C includes
ENDINGS = {  # of generated files, after the network's name
    "st-ai": [".c", ".h", "_data.c", "_data.h"],
    "legacy": [".c", ".h", "_data.c", "_data.h", "_config.h", "_data_params.c", "_data_params.h"],
}
_DEFINE = r"^[ \t]*#[ \t]*define[ \t]+"
_NO_CODE = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)


@dataclass(frozen=True)
class Code:
    """Generated C: which version made it, its folder, its API ("st-ai" or "legacy"), the network's
    name, and the text of its headers."""

    version: Version
    folder: Path
    api: str
    name: str
    headers: str

    def macro(self, name: str) -> str:
        """What a macro of this network stands for, such as "((10))"; "" where there is none."""
        line = rf"{_DEFINE}{PREFIXES[self.api]}_{self.name}_{name}[ \t]+(\S.*?)[ \t]*$"
        found = re.search(line, self.headers, re.M | re.I)
        return found[1] if found else ""

    def number(self, name: str) -> int:
        """The value of a macro of this network, written as 784, ((10)) or (28 * 28 * 1); raises
        KitError where it is not."""
        text = self.macro(name)
        if not re.fullmatch(r"[\d \t*()]+", text) or not numbers(text):
            raise KitError(
                "A generated header cannot be read.",
                f"It does not define {PREFIXES[self.api]}_{self.name.upper()}_{name} as a number.",
                AGAIN,
            )
        return math.prod(numbers(text))


def headers_in(folder: Path) -> dict[Path, str]:
    """The main headers of networks in a folder and further in, the outermost first, with their API.
    Each defines the number of inputs of the network that it is named after."""
    found: dict[Path, str] = {}
    headers = filter(Path.is_file, folder.rglob("*.h"))
    for path in sorted(headers, key=lambda path: (len(path.parts), path)):
        wanted = rf"{_DEFINE}(STAI|AI)_{re.escape(path.stem)}_IN_NUM\b"
        if prefix := re.search(wanted, path.read_text("utf-8", "replace"), re.M | re.I):
            found[path] = "st-ai" if prefix[1].upper() == "STAI" else "legacy"
    return found


def read_code(
    folder: Path, version: Version, where: Path | None = None, and_ours: str = ""
) -> Code:
    """The generated C in a folder (for errors, `where`), the outermost of several copies; KitError
    where it is no network, or several, or a file of it or `and_ours` is missing or cut off."""
    headers = headers_in(folder)
    if not headers:
        raise KitError(
            f"There is no network.h of a network in {where or folder}.",
            "No header there has one of ST's two APIs, under this or another name.",
            f"{FOR_BOARD} Keep all the files.",
        )
    if len(names := sorted({header.stem for header in headers})) > 1:
        raise KitError(
            f"{where or folder} holds several networks: {', '.join(names)}.",
            "The firmware takes one.",
            "Give it a folder or a zip with the files of one network only.",
        )
    name, (header, api) = names[0], next(iter(headers.items()))
    endings = [end for end in ENDINGS[api] if version.cube != OLDEST or "params" not in end]
    files = sorted(filter(Path.is_file, header.parent.glob(f"{name}*.[ch]")))
    sources = {path.name: path.read_text("utf-8", "replace") for path in files}
    wanted = {name + end for end in endings}
    for text in sources.values():
        wanted |= set(re.findall(rf'^[ \t]*#[ \t]*include[ \t]+"({name}\w*\.h)"', text, re.M))
    missing = sorted(wanted - set(sources))
    if and_ours and not (folder / and_ours).is_file():
        missing.append(f"{and_ours}, which the kit writes beside them")
    cut = {source: end for source, text in sources.items() if (end := open_end(text))}
    if missing or cut:
        told = [f"{version} writes {len(endings)} files; missing: {', '.join(missing)}"]
        told = told if missing else [f"{source} is cut off: {end}" for source, end in cut.items()]
        raise KitError(
            "The network's C is not whole.",
            f"{'; '.join(told)}.",
            "Generate (or download) it again, on a disk with space, and keep its files together.",
        )
    headers_text = "\n".join(text for source, text in sources.items() if source.endswith(".h"))
    return Code(version, header.parent, api, name, headers_text)


def open_end(text: str) -> str:
    """What a compiler would miss at the end of a C file that is cut off; "" for a whole one.

    Of an #if with an #else the first branch counts: each of them alone is balanced in whole C.
    """
    code = _NO_CODE.sub(" ", re.sub(r"\\\r?\n", "", text))
    if "/*" in code or '"' in code:
        return f"a {'comment' if '/*' in code else 'string'} is not closed"
    lines: list[str] = []
    first: list[bool] = []  # for each #if that is open: whether this is its first branch
    for line in code.splitlines():
        directive = re.match(r"\s*#\s*(if|el|endif)?", line)
        if directive is None:
            lines += [line] if all(first) else []
        elif directive[1] == "if":
            first.append(True)
        elif directive[1] and not first:
            return "an #endif or #else has no #if"
        elif directive[1]:
            first[-1:] = [False] if directive[1] == "el" else []
    kept = "\n".join(lines).rstrip()
    if first:
        return "an #if has no #endif"
    for one, other in ("()", "[]", "{}"):
        if kept.count(one) != kept.count(other):
            return f"there are {kept.count(one)} {one} and {kept.count(other)} {other}"
    if len(re.findall(r"_DECLARE_BEGIN\b", kept)) > len(re.findall(r"_DECLARE_END\b", kept)):
        return "the macro word ..._DECLARE_END is not there"
    last = kept.rpartition("\n")[2].strip()
    if last and not re.search(r"[;})]$|^[A-Z][A-Z0-9_]*$", last):
        return f"its last words are {last[-40:]!r}"
    return "" if code.strip() else "it is empty"


def check_code(code: Code, ports: tuple[TensorInfo, TensorInfo]) -> None:
    """Raise KitError unless C is of its version, has the input and output `ports`, and keeps its
    activations in one piece."""
    for way, name, tensor in zip(("IN", "OUT"), ("input", "output"), ports, strict=True):
        elements, size = code.number(f"{way}_1_SIZE"), code.number(f"{way}_1_SIZE_BYTES")
        dtype = dtype_of(code.macro(f"{way}_1_FORMAT").strip("() ")) or tensor.dtype  # from 7.3 on
        check_port(name, [dtype] * code.number(f"{way}_NUM"))
        wanted = math.prod(tensor.shape)  # a buffer may be larger: some kernels read beyond the end
        if (elements, dtype) != (wanted, tensor.dtype) or size < tensor.bytes:
            raise KitError(
                f"{code.name}.h and the description of the network contradict each other.",
                f"Its {name} has {elements:,} values of {dtype} in {size:,} bytes there, and the "
                f"description says {wanted:,} of {tensor.dtype}.",
                AGAIN,
            )
    for name in filter(code.macro, ("ACTIVATIONS_NUM", "DATA_ACTIVATIONS_COUNT")):
        if code.number(name) != 1:
            raise KitError(
                f"This network splits its activations into {code.number(name)} pools.",
                "The firmware gives it one: the chip's RAM is in one piece.",
                f"{FOR_BOARD} Leave out a file of memory pools.",
            )
    if code.api == "legacy":
        code.version.check_header(code.headers, f"{code.name}_config.h")


def write_names(code: Code, ports: tuple[TensorInfo, TensorInfo], folder: Path) -> None:
    """Write the header by which firmware/engine knows a network: its headers, the types of its
    input and output, and its names as if it were called "network"."""
    guard = NAMES.upper().replace(".", "_")
    lines = [
        "/* Written by the kit: what firmware/engine needs to know of this network. */",
        f"#ifndef {guard}",
        f"#define {guard}",
        f'#include "{code.name}.h"',
        *([f'#include "{code.name}_data.h"'] if code.api == "legacy" else []),
        f"#define NETWORK_INPUT_TYPE ENGINE_{ports[0].dtype.upper()}",
        f"#define NETWORK_OUTPUT_TYPE ENGINE_{ports[1].dtype.upper()}",
    ]
    begins = rf"\b({PREFIXES[code.api]}_{re.escape(code.name)}_)(\w+)"
    names = sorted(set(re.findall(begins, code.headers, re.IGNORECASE)))
    for begin, rest in names if code.name != "network" else ():
        ours = f"{PREFIXES[code.api]}_NETWORK_"
        lines.append(f"#define {ours if begin.isupper() else ours.lower()}{rest} {begin}{rest}")
    text = "\n".join([*lines, "#endif"]) + "\n"
    (folder / NAMES).write_text(text, encoding="utf-8", newline="\n")
