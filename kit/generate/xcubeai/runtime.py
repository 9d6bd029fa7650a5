"""The runtime that generated C is linked with: headers and library of the same installation."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from kit.errors import KitError
from kit.generate.result import Generated, Runtime, TensorInfo
from kit.generate.xcubeai.c_code import MAIN_HEADERS, NAMES, Code, check_code, read_code
from kit.generate.xcubeai.versions import SAME_ROOT, Version, library_version

LIBRARIES = Path("Middlewares/ST/AI/Lib/GCC/ARMCortexM4")
HEADERS = Path("Middlewares/ST/AI/Inc")
ELF = b"\x7fELF"  # how each object in an archive begins
ATTRIBUTES, TAGS = ".ARM.attributes", ("TAG_CPU_ARCH", "TAG_FP_ARCH", "TAG_ABI_VFP_ARGS")


def pick_library(folder: Path, measured: str | None, where: Path | None = None) -> Path:
    """The runtime library for the Cortex-M4 in a folder (for errors, `where`) or further in, as
    STM32Cube AI Studio leaves it; not the position-independent one. Raises KitError: there is none,
    or there are several and the report, which may have `measured` one, names none of them."""
    inside = {path.name: path for path in sorted(folder.rglob("*.a")) if path.is_file()}
    fitting = [name for name in inside if "_CM4_" in name and "_PIC" not in name]
    if len(fitting) == 1 or measured in fitting:
        return inside[fitting[0] if len(fitting) == 1 else str(measured)]
    raise KitError(
        "The runtime library for the Cortex-M4 was not found.",
        f"In {where or folder} there is {', '.join(inside) or 'no library at all'}; wanted is "
        "NetworkRuntime..._CM4_GCC.a.",
        SAME_ROOT,
    )


def runtime_of(
    version: Version, api: str, include: Path, library: Path, remark: str = ""
) -> Runtime:
    """Headers and a library as the runtime of what `version` generated with an API."""
    return Runtime(api, version.tool, version.text, include, library, version.cube, remark)


def version_of_runtime(runtime: Runtime) -> Version:
    """The version of the tool that made what is linked with a runtime."""
    return Version(runtime.tool, runtime.version, runtime.cube)


def check_linkable(made: Generated) -> None:
    """Check once more, before compiling, what `generate` checked: files may have changed since.
    Raises KitError: the network was not made by this engine; its C is not whole; or headers and
    library are gone, or of another version or core."""
    runtime = made.runtime
    if runtime is None:
        raise KitError(
            f"{made.folder} was not made by X-CUBE-AI.",
            f"It was made by the {made.engine} engine, and needs no runtime of ST.",
            "Generate it with --engine xcubeai.",
        )
    version = version_of_runtime(runtime)
    code = read_code(made.folder, version, and_ours=NAMES)
    if not runtime.library.is_file():
        raise KitError(
            f"{runtime.library} is gone.",
            f"{made.model} was generated with {version}, whose library it needs.",
            "Install that version again, or generate the network again with the one there is.",
        )
    check_parts(code, replace(runtime, api=code.api), (made.input, made.output))


def check_parts(
    code: Code, runtime: Runtime, ports: tuple[TensorInfo, TensorInfo], measured: str | None = None
) -> None:
    """Raise KitError unless C has the input and output `ports`, and headers and library are there,
    of its version, and for this core; the report may name the library that it `measured`."""
    version, name = version_of_runtime(runtime), runtime.library.name
    check_code(code, version, ports)
    header = runtime.include / MAIN_HEADERS[runtime.api]
    if not header.is_file():
        raise KitError(
            f"The header {header.name} was not found.",
            f"The generated C has the {runtime.api} API and needs it from {runtime.include}.",
            SAME_ROOT,
        )
    carried = library_version(name)
    if measured not in (None, name) or (version.cube and carried not in (None, version.cube)):
        raise version.differs(name)
    if runtime.api == "st-ai":
        text = header.read_text(encoding="utf-8", errors="replace")
        version.check_header(text, header.name, may_be_silent=True)
    if problem := wrong_core(runtime.library):
        raise KitError(
            f"{name} is not for the Cortex-M4 with its FPU.",
            problem,
            "Take the library of the folder ARMCortexM4, or a zip made for the NUCLEO-F446RE.",
        )


def wrong_core(library: Path) -> str:
    """Why a library does not fit, from the attributes of its objects; "" when it fits.

    Source: Addenda to the ABI for the Arm Architecture (ADDENDA32), public "aeabi" attributes:
    Tag_CPU_arch 13 is v7E-M, Tag_FP_arch 6 is VFPv4-D16 (the FPU of the Cortex-M4; 8 is that of
    the Cortex-M7), Tag_ABI_VFP_args 1 is hard float. An object without a float says less.
    """
    try:
        head, *objects = library.read_bytes().split(ELF)
        if not head.startswith(b"!<arch>\n") or not objects:
            raise ValueError("it does not begin with !<arch>, or holds no object")
        sections = [ELFFile(BytesIO(ELF + one)).get_section_by_name(ATTRIBUTES) for one in objects]
        found = [
            (attribute.tag, attribute.value)
            for section in filter(None, sections)
            for subsection in section.iter_subsections()
            for group in subsection.iter_subsubsections()
            for attribute in group.iter_attributes()
        ]
    except (ELFError, OSError, ValueError, KeyError) as error:
        return f"It cannot be read as an archive of objects for Arm: {error}."
    arch, fpu, hard_float = (max([0, *(n for tag, n in found if tag == name)]) for name in TAGS)
    if arch != 13 or fpu > 6:
        return "Its objects are for another core."
    return "" if hard_float == 1 else "It was built without hard float."
