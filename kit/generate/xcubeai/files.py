"""The runtime that generated C is linked with: headers and library of the same installation."""

import re
from io import BytesIO
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from kit.errors import KitError
from kit.generate.result import Generated, Runtime
from kit.generate.xcubeai import c_code
from kit.generate.xcubeai.c_code import ST_AI, Api
from kit.generate.xcubeai.find import HOW_TO_GET, Tool
from kit.generate.xcubeai.versions import (
    SAME_ROOT,
    Version,
    library_version,
    of,
    two_versions,
)

LIBRARIES = Path("Middlewares/ST/AI/Lib/GCC/ARMCortexM4")
HEADERS = Path("Middlewares/ST/AI/Inc")
CORTEX_M4 = "_CM4_"
ARCH, FPU, HARD_FLOAT = "TAG_CPU_ARCH", "TAG_FP_ARCH", "TAG_ABI_VFP_ARGS"
IN_A_ZIP = (
    "In ST Edge AI Developer Cloud choose NUCLEO-F446RE, generate, and download the code again."
)


def version_of(runtime: Runtime) -> Version:
    """The version of the tool that made what is linked with a runtime."""
    return of(runtime.tool, runtime.version, runtime.cube)


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
    library = pick_library(tool.root / LIBRARIES, measured)
    return checked(api, version, tool.root / HEADERS, library, measured)


def checked(
    api: Api, version: Version, include: Path, library: Path, measured: str | None, remark: str = ""
) -> Runtime:
    """Headers and a library as the runtime of what `version` generated.

    Raises:
        KitError: they are not there, of another version, or for another core.
    """
    found = Runtime(api.name, version.tool, version.text, include, library, version.cube, remark)
    check_runtime(found, api, version, measured)
    return found


def pick_library(folder: Path, measured: str | None = None, zipped: bool = False) -> Path:
    """The runtime library for the Cortex-M4 in a folder, or further in, as STM32Cube AI Studio
    leaves it; not the position-independent one.

    Raises:
        KitError: there is none, or there are several and the report names none of them.
    """
    inside = {path.name: path for path in sorted(folder.rglob("*.a")) if path.is_file()}
    fitting = [name for name in inside if CORTEX_M4 in name and "_PIC" not in name]
    if len(fitting) == 1 or measured in fitting:
        return inside[fitting[0] if len(fitting) == 1 else str(measured)]
    advice = IN_A_ZIP if zipped else SAME_ROOT
    raise KitError(
        "The runtime library for the Cortex-M4 was not found.",
        f"In {'the zip' if zipped else folder} there is {', '.join(inside) or 'no library at all'}"
        "; wanted is NetworkRuntime..._CM4_GCC.a.",
        advice if inside or zipped else f"{advice} {HOW_TO_GET}",
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
        raise two_versions(version, other)
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
    if not (made.folder / c_code.NAMES).is_file():
        raise KitError(
            f"{made.folder} is not complete.",
            f"{c_code.NAMES}, which the kit writes beside ST's files, is not there.",
            "Generate the network again.",
        )
    version = version_of(runtime)
    code = c_code.read(made.folder, version)
    if not runtime.library.is_file():
        raise KitError(
            f"{runtime.library} is gone.",
            f"{made.model} was generated with {version}, whose library it needs.",
            "Install that version again, or generate the network again with the one there is.",
        )
    c_code.check(code, version, (made.input, made.output))
    check_runtime(runtime, code.api, version)


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
