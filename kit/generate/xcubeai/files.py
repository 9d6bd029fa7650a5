"""The C that the tool wrote, which API it has, and the runtime of the same installation."""

import math
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from kit.errors import KitError
from kit.generate.result import Generated, Runtime, TensorInfo
from kit.generate.xcubeai.find import HOW_TO_GET, Tool
from kit.generate.xcubeai.versions import Version, library_version, numbers, of

LIBRARIES = Path("Middlewares/ST/AI/Lib/GCC/ARMCortexM4")
HEADERS = Path("Middlewares/ST/AI/Inc")
CORTEX_M4 = "_CM4_"
ARCH, FPU, HARD_FLOAT = "TAG_CPU_ARCH", "TAG_FP_ARCH", "TAG_ABI_VFP_ARGS"
SAME_ROOT = (
    "Install one version whole (its folder holds Utilities and Middlewares), and generate again: "
    "ST promises no compatibility between the files of two versions."
)


@dataclass(frozen=True)
class Api:
    """One of the two C APIs: how its network.h is known, its main header, and what is generated."""

    name: str
    prefix: str
    header: str
    files: tuple[str, ...]


ST_AI = Api("st-ai", "STAI", "stai.h", ("network.c", "network.h", "network_data.c",
                                        "network_data.h"))  # fmt: skip
LEGACY = Api("legacy", "AI", "ai_platform.h", ("network.c", "network.h", "network_config.h",
             "network_data.c", "network_data.h", "network_data_params.c",
             "network_data_params.h"))  # fmt: skip


def api_of(folder: Path) -> Api:
    """The API of the generated C in a folder; every file that belongs to it is there.

    Raises:
        KitError: a file is missing or cut off, or network.h has neither API.
    """
    path = folder / "network.h"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    api = next((a for a in (ST_AI, LEGACY) if f"#define {a.prefix}_NETWORK_IN_NUM" in text), None)
    if api is None:
        why = "it has neither of the two APIs" if text else "it is not there"
        raise _incomplete(f"network.h: {why}")
    missing = [name for name in api.files if not _whole(folder / name)]
    if missing:
        raise _incomplete(", ".join(missing))
    return api


def _whole(path: Path) -> bool:
    """Whether a C file is there and ends as one does, not in the middle of a list of numbers."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    last = (text.strip().splitlines() or [""])[-1]
    return last.startswith("#") or last.endswith(("}", ";", ")", "*/"))


def _incomplete(what: str) -> KitError:
    return KitError(
        "The tool did not write the network whole.",
        f"Missing or cut off: {what}.",
        "Check that the disk has space, and generate again.",
    )


def macro(text: str, name: str) -> int:
    """The value of a macro of a generated header: 784, (784), ((10)) or (28 * 28 * 1).

    Raises:
        KitError: the header does not define it so.
    """
    found = re.search(rf"^[ \t]*#define[ \t]+{name}[ \t]+([\d \t*()]+)$", text, re.MULTILINE)
    if not found or not (factors := numbers(found[1])):
        raise KitError(
            "A generated header cannot be read.",
            f"It does not define {name} as a number.",
            "Generate again; if it stays so, use ST Edge AI Core 1.0 to 4.0.",
        )
    product = 1
    for factor in factors:
        product *= factor
    return product


def check_generated(
    folder: Path, api: Api, version: Version, ports: tuple[TensorInfo, TensorInfo]
) -> None:
    """Raise KitError unless the C in a folder is of `version` and has the sizes of `ports`, the
    input and the output."""
    text = (folder / "network.h").read_text(encoding="utf-8", errors="replace")
    for way, tensor in zip(("IN", "OUT"), ports, strict=True):
        size = macro(text, f"{api.prefix}_NETWORK_{way}_1_SIZE")
        elements = math.prod(tensor.shape)
        if size != elements or macro(text, f"{api.prefix}_NETWORK_{way}_NUM") != 1:
            raise KitError(
                "network.h and the description of the network contradict each other.",
                f"{way}_1_SIZE is {size}, and the description says {elements}.",
                "Generate again into an empty folder: these files are not of one run.",
            )
    if api is LEGACY:
        config = (folder / "network_config.h").read_text(encoding="utf-8", errors="replace")
        told = tuple(macro(config, f"AI_TOOLS_VERSION_{part}") for part in ("MAJOR", "MINOR"))
        if told != version.number[:2]:
            raise _two_versions(version, f"network_config.h of {told[0]}.{told[1]}")


def _two_versions(version: Version, other: str) -> KitError:
    return KitError(
        f"Generated code and runtime are of two versions: {version} and {other}.",
        "Linked together they may give wrong answers without a word.",
        SAME_ROOT,
    )


def runtime_of(tool: Tool, version: Version, api: Api, measured: str | None) -> Runtime:
    """Headers and library from the installation of the tool.

    Args:
        tool: the tool that generated.
        version: its version.
        api: the API of what it generated.
        measured: the library that its report names, if it names one.

    Raises:
        KitError: the installation lacks them, or they are of another version or another core.
    """
    if tool.root is None:
        raise KitError(
            f"{tool.program} stands alone.",
            "No folder above it holds Middlewares, where ST's headers and library are.",
            SAME_ROOT,
        )
    found = Runtime(api.name, version.tool, version.text, tool.root / HEADERS,
                    pick_library(tool.root / LIBRARIES, measured))  # fmt: skip
    check_runtime(found, api, version, measured)
    return found


def pick_library(folder: Path, measured: str | None = None) -> Path:
    """The runtime library for the Cortex-M4 in a folder; not the position-independent one.

    Raises:
        KitError: there is none, or there are several and the report names none of them.
    """
    inside = sorted(folder.glob("*.a"))
    fitting = [path for path in inside if CORTEX_M4 in path.name and "_PIC" not in path.name]
    named = [path for path in fitting if path.name == measured]
    if len(fitting) == 1 or named:
        return (named or fitting)[0]
    there = ", ".join(path.name for path in inside) or "no library at all"
    raise KitError(
        "The runtime library for the Cortex-M4 was not found.",
        f"In {folder} there is {there}; wanted is NetworkRuntime..._CM4_GCC.a.",
        f"{SAME_ROOT} {HOW_TO_GET}" if not inside else SAME_ROOT,
    )


def check_runtime(
    runtime: Runtime, api: Api, version: Version, measured: str | None = None
) -> None:
    """Raise KitError unless headers and library are there, of one version, and for this core."""
    if not (runtime.include / api.header).is_file():
        raise KitError(
            f"The header {api.header} was not found.",
            f"The generated C has the {api.name} API and needs it from {runtime.include}.",
            SAME_ROOT,
        )
    other = _other_version(runtime, version, measured)
    if other:
        raise _two_versions(version, other)
    problem = wrong_core(runtime.library)
    if problem:
        raise KitError(
            f"{runtime.library.name} is not for the Cortex-M4 with its FPU.",
            problem,
            "Take the library of the folder ARMCortexM4, or a zip that was made for the "
            "NUCLEO-F446RE.",
        )


def _other_version(runtime: Runtime, version: Version, measured: str | None) -> str:
    """The library or header that is not of `version`; "" when all are."""
    name = runtime.library.name
    carried = library_version(name)
    if measured is not None and measured != name:
        return name
    if carried is not None and version.cube is not None and carried != version.cube:
        return name
    if runtime.api != ST_AI.name:
        return ""
    header = (runtime.include / ST_AI.header).read_text(encoding="utf-8", errors="replace")
    told = re.findall(r"#define\s+STAI_TOOLS_VERSION_(?:MAJOR|MINOR)\s+\(?(\d+)", header)
    same = not told or tuple(map(int, told)) == version.number[:2]
    return "" if same else f"{ST_AI.header} of {'.'.join(told)}"


def check_linkable(made: Generated) -> None:
    """Check once more, before compiling, what `generate` checked: files may have changed since.

    Raises:
        KitError: the network was not made by this engine; its C is not whole; or headers and
            library are gone, or of another version or core.
    """
    runtime = made.runtime
    if runtime is None:
        raise KitError(
            f"{made.folder} was not made by X-CUBE-AI.",
            f"It was made by the {made.engine} engine, and needs no runtime of ST.",
            "Generate it with --engine xcubeai.",
        )
    api = api_of(made.folder)
    version = of(runtime.tool, runtime.version)
    if not runtime.library.is_file():
        raise KitError(
            f"{runtime.library} is gone.",
            f"{made.model} was generated with {version}, whose library it needs.",
            "Install that version again, or generate the network again with the one there is.",
        )
    check_generated(made.folder, api, version, (made.input, made.output))
    check_runtime(runtime, api, version)


def wrong_core(library: Path) -> str:
    """Why a library does not fit, from the attributes of its objects; "" when it fits.

    Source: Addenda to the ABI for the Arm Architecture (ADDENDA32), public "aeabi" attributes:
    Tag_CPU_arch 13 is v7E-M, Tag_FP_arch 6 is VFPv4-D16 (the FPU of the Cortex-M4; 8 is that of
    the Cortex-M7), Tag_ABI_VFP_args 1 is hard float. An object without a float says less.
    """
    try:
        found = [_attributes(content) for content in objects(library.read_bytes())]
    except (ELFError, OSError, ValueError, KeyError) as error:
        return f"It cannot be read as an archive of objects for Arm: {error}."
    most = {tag: max(one.get(tag, 0) for one in found) for tag in (ARCH, FPU, HARD_FLOAT)}
    if most[ARCH] != 13 or most[FPU] > 6:
        return "Its objects are for another core."
    return "" if most[HARD_FLOAT] == 1 else "It was built without hard float."


def objects(archive: bytes) -> list[bytes]:
    """The ELF objects of an `ar` archive. Raises ValueError where there is none."""
    if archive[:8] != b"!<arch>\n":
        raise ValueError("it does not begin with !<arch>")
    found, position = [], 8
    while position + 60 <= len(archive):
        size = int(archive[position + 48 : position + 58])
        content = archive[position + 60 : position + 60 + size]
        if b"\x7fELF" in content[:64]:  # a long name may stand before it, as on BSD and macOS
            found.append(content[content.index(b"\x7fELF") :])
        position += 60 + size + size % 2
    if not found:
        raise ValueError("it holds no object")
    return found


def _attributes(content: bytes) -> dict[str, int]:
    section = ELFFile(BytesIO(content)).get_section_by_name(".ARM.attributes")
    found: dict[str, int] = {}
    for sub in section.iter_subsections() if section is not None else ():
        for subsub in sub.iter_subsubsections():
            found |= {attribute.tag: attribute.value for attribute in subsub.iter_attributes()}
    return found
