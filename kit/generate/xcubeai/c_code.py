"""The C that the tool wrote: which network, which of the two APIs, whole, and one that the firmware
can use.

The network is called "network" where the kit runs the tool; in a zip it may have another name,
which is then part of the names of its files, macros and functions.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.errors import KitError
from kit.generate.result import TensorInfo
from kit.generate.xcubeai.info import dtype_of
from kit.generate.xcubeai.refusals import check_port
from kit.generate.xcubeai.versions import OLDEST, Version, numbers, two_versions

NAMES = "engine_network.h"
AGAIN = (
    "Generate again into an empty folder, or download the zip again: these files are not of one "
    "run."
)
_SPLICED = re.compile(r"\\\r?\n")
_NO_CODE = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)


@dataclass(frozen=True)
class Api:
    """One of the two C APIs: how its macros begin, its main header, and how generated files end."""

    name: str
    prefix: str
    header: str
    endings: tuple[str, ...]


ST_AI = Api("st-ai", "STAI", "stai.h", (".c", ".h", "_data.c", "_data.h"))
LEGACY = Api("legacy", "AI", "ai_platform.h", (*ST_AI.endings, "_config.h", "_data_params.c",
                                               "_data_params.h"))  # fmt: skip


@dataclass(frozen=True)
class Code:
    """Generated C: its folder, its API, the network's name, and the text of its headers."""

    folder: Path
    api: Api
    name: str
    headers: str

    def macro(self, name: str) -> str:
        """What a macro of this network stands for, such as "((10))"; "" where there is none."""
        found = re.search(
            rf"^[ \t]*#[ \t]*define[ \t]+{self.api.prefix}_{self.name}_{name}[ \t]+(\S.*?)[ \t]*$",
            self.headers,
            re.MULTILINE | re.IGNORECASE,
        )
        return found[1] if found else ""

    def number(self, name: str) -> int:
        """The value of a macro of this network, written as 784, ((10)) or (28 * 28 * 1).

        Raises:
            KitError: it is not there, or written in another way.
        """
        text = self.macro(name)
        if not re.fullmatch(r"[\d \t*()]+", text) or not numbers(text):
            raise KitError(
                "A generated header cannot be read.",
                f"It does not define {self.api.prefix}_{self.name.upper()}_{name} as a number.",
                "Generate again; if it stays so, use ST Edge AI Core 1.0 to 4.0.",
            )
        return math.prod(numbers(text))

    @property
    def model_hash(self) -> str:
        """The MD5 of the model that it was made from, as the st-ai API has it; "" without."""
        return self.macro("ORIGIN_MODEL_SIGNATURE").strip('"')


def headers_in(folder: Path, pattern: str = "*.h") -> list[Path]:
    """The headers of networks in a folder, the outermost first; with "**/*.h" also further in."""
    found = [path for path in folder.glob(pattern) if path.is_file() and _api(path)]
    return sorted(found, key=lambda path: (len(path.parts), path))


def _api(header: Path) -> Api | None:
    """The API of a network's header, which defines the number of inputs of the network that it is
    named after."""
    for api in (ST_AI, LEGACY):
        wanted = rf"^[ \t]*#[ \t]*define[ \t]+{api.prefix}_{re.escape(header.stem)}_IN_NUM\b"
        if re.search(wanted, _text(header), re.MULTILINE | re.IGNORECASE):
            return api
    return None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def only(headers: list[Path], where: str) -> Path:
    """The header of the one network; the outermost of several copies.

    Raises:
        KitError: there is none, or there are several networks.
    """
    names = sorted({header.stem for header in headers})
    if len(names) == 1:
        return headers[0]
    if names:
        raise KitError(
            f"{where} holds several networks: {', '.join(names)}.",
            "The firmware takes one.",
            "Give it a folder or a zip with the files of one network only.",
        )
    raise KitError(
        f"There is no network.h of a network in {where}.",
        "No header there has one of ST's two APIs, under this or another name.",
        "Generate again for stm32f4, and keep all the files; in ST Edge AI Developer Cloud choose "
        "NUCLEO-F446RE.",
    )


def read(folder: Path, version: Version) -> Code:
    """The generated C in a folder; every file that belongs to it is there, to its end.

    Raises:
        KitError: a file is missing or cut off, or it is no network or several.
    """
    header = only(headers_in(folder), str(folder))
    api, name = _api(header), header.stem
    assert api is not None
    endings = [end for end in api.endings if version.cube != OLDEST or "params" not in end]
    sources = {path.name: _text(path) for path in sorted(folder.glob(f"{name}*.[ch]"))}
    wanted = {name + end for end in endings}
    for text in sources.values():
        wanted |= set(re.findall(rf'^[ \t]*#[ \t]*include[ \t]+"({name}\w*\.h)"', text, re.M))
    if missing := sorted(wanted - set(sources)):
        raise KitError(
            "The network's C is not complete.",
            f"{version} writes {len(endings)} files; missing: {', '.join(missing)}.",
            "Generate (or download) it again, and keep all its files together.",
        )
    for path, text in sources.items():
        if problem := open_end(text):
            raise KitError(
                "The network's C is cut off.",
                f"{path}: {problem}.",
                "Check that the disk has space, and generate (or download) it again.",
            )
    parts = (".h", "_config.h", "_data.h", "_data_params.h")
    return Code(folder, api, name, "\n".join(sources.get(name + end, "") for end in parts))


def open_end(text: str) -> str:
    """What a compiler would miss at the end of a C file that is cut off; "" for a whole one.

    Of an #if with an #else the first branch counts: each of them alone is balanced in whole C.
    """
    code = _NO_CODE.sub(" ", _SPLICED.sub("", text))
    if "/*" in code or '"' in code:
        return f"a {'comment' if '/*' in code else 'string'} is not closed"
    try:
        lines = list(_compiled(code))
    except ValueError as error:
        return str(error)
    kept = "\n".join(lines)
    for one, other in ("()", "[]", "{}"):
        if kept.count(one) != kept.count(other):
            return f"there are {kept.count(one)} {one} and {kept.count(other)} {other}"
    if len(re.findall(r"_DECLARE_BEGIN\b", kept)) > len(re.findall(r"_DECLARE_END\b", kept)):
        return "the macro word ..._DECLARE_END is not there"
    last = kept.rstrip().rpartition("\n")[2].strip()
    whole = last.endswith((";", "}", ")")) or re.fullmatch(r"[A-Z][A-Z0-9_]*", last)
    if last and not whole:
        return f"its last words are {last[-40:]!r}"
    return "" if code.strip() else "it is empty"


def _compiled(code: str) -> Iterator[str]:
    """The lines between preprocessor directives, of each #if those of the first branch."""
    first: list[bool] = []  # for each #if that is open: whether this is its first branch
    for line in code.splitlines():
        directive = re.match(r"\s*#\s*(if|el|endif)?", line)
        if directive is None and all(first):
            yield line
        elif directive and directive[1] == "if":
            first.append(True)
        elif directive and directive[1]:
            if not first:
                raise ValueError("an #endif or #else has no #if")
            first[-1:] = [False] if directive[1] == "el" else []
    if first:
        raise ValueError("an #if has no #endif")


def check(code: Code, version: Version, ports: tuple[TensorInfo, TensorInfo]) -> None:
    """Raise KitError unless C is of `version`, has the input and output `ports`, and keeps its
    activations in one piece."""
    for way, name, tensor in zip(("IN", "OUT"), ("input", "output"), ports, strict=True):
        _check_port(code, way, name, tensor)
    for name in filter(code.macro, ("ACTIVATIONS_NUM", "DATA_ACTIVATIONS_COUNT")):
        if code.number(name) != 1:
            raise KitError(
                f"This network splits its activations into {code.number(name)} pools.",
                "The firmware gives it one: the chip's RAM is in one piece.",
                "Generate for stm32f4 without a file of memory pools; in ST Edge AI Developer "
                "Cloud choose NUCLEO-F446RE.",
            )
    if code.api is LEGACY:
        found = re.findall(r"define\s+AI_TOOLS_VERSION_(?:MAJOR|MINOR)\s+\(?(\d+)", code.headers)
        if tuple(map(int, found)) != version.number[:2]:
            raise two_versions(version, f"{code.name}_config.h of {'.'.join(found) or 'none'}")


def _check_port(code: Code, way: str, name: str, tensor: TensorInfo) -> None:
    elements = math.prod(tensor.shape)
    check_port(name, [tensor.dtype] * code.number(f"{way}_NUM"))
    dtype = dtype_of(code.macro(f"{way}_1_FORMAT").strip("() ")) or tensor.dtype  # from 7.3 on
    check_port(name, [dtype])
    told = code.number(f"{way}_1_SIZE"), dtype
    size = code.number(f"{way}_1_SIZE_BYTES")  # may be more: some kernels read beyond the end
    if told != (elements, tensor.dtype) or size < tensor.bytes:
        raise KitError(
            f"{code.name}.h and the description of the network contradict each other.",
            f"Its {name} has {told[0]:,} values of {dtype} in {size:,} bytes there, and the "
            f"description says {elements:,} of {tensor.dtype}.",
            AGAIN,
        )


def write_names(code: Code, ports: tuple[TensorInfo, TensorInfo], folder: Path) -> None:
    """Write the header by which firmware/engine knows a network: its headers, the types of its
    input and output, and its names as if it were called "network"."""
    words = ["input", "output"]
    lines = [f'#include "{code.name}.h"']
    lines += [f'#include "{code.name}_data.h"'] if code.api is LEGACY else []
    lines += [
        f"#define NETWORK_{word.upper()}_TYPE ENGINE_{tensor.dtype.upper()}"
        for word, tensor in zip(words, ports, strict=True)
    ]
    begins = rf"{code.api.prefix}_{re.escape(code.name)}_"
    names = re.findall(rf"\b({begins})(\w+)", code.headers, re.IGNORECASE)
    for begin, rest in sorted(set(names)) if code.name != "network" else ():
        ours = f"{code.api.prefix}_NETWORK_"
        lines.append(f"#define {ours if begin.isupper() else ours.lower()}{rest} {begin}{rest}")
    head = "/* Written by the kit: what firmware/engine needs to know of this network. */\n"
    guard = NAMES.upper().replace(".", "_")
    text = f"{head}#ifndef {guard}\n#define {guard}\n" + "\n".join(lines) + "\n#endif\n"
    (folder / NAMES).write_text(text, encoding="utf-8", newline="\n")
