"""pyproject.toml, requirements.lock and environment.yml name the same packages, and the code's."""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT_TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(PROJECT_TEXT)
LOCK_TEXT = (ROOT / "requirements.lock").read_text(encoding="utf-8")
CONDA_TEXT = (ROOT / "environment.yml").read_text(encoding="utf-8")

# Direct dependencies that no Python file imports, and what uses them.
NOT_IMPORTED = {
    "clang-format": "the command, on firmware/",
    "cmake": "the command that builds the firmware",
    "flatbuffers": "imported by ai_edge_litert's reader of .tflite files",
    "ipykernel": "every notebook runs in it",
    "ipywidgets": "the notebooks' progress and buttons, also as ipycanvas's base",
    "jupyterlab": "kit lab starts it",
    "mypy": "the command",
    "nbval": "pytest's option --nbval",
    "ninja": "CMake's build tool",
    "playwright": "pytest.importorskip in tests/test_browser.py",
    "ruff": "the command",
    "setuptools": "builds this project for workshop.py",
    "tensorflow": "imported in silence by kit/silence.py, for the notebooks",
}
BROUGHT_ALONG = {"packaging"}  # imported here; pytest, which runs this file, requires it


def requirements(lines: list[str]) -> dict[str, Requirement]:
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


DIRECT = requirements(PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["test"])
LOCKED = requirements(re.findall(r"^(\S+==[^\\\n]+?) *\\$", LOCK_TEXT, re.MULTILINE))


def sources() -> Iterator[tuple[Path, str]]:
    """Every Python text of the project: files, and notebooks' code cells without magics."""
    places = ("workshop.py", "kit/**/*.py", "virtual_nucleo/**/*.py", "tests/**/*.py", "data/*.py")
    for place in places:
        for path in sorted(ROOT.glob(place)):
            yield path, path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                yield path, re.sub(r"^\s*[%!].*$", "", "".join(cell["source"]), flags=re.MULTILINE)


def imported(text: str) -> set[str]:
    """The top-level modules a text imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    return {name.split(".")[0] for name in names}


def third_party() -> dict[str, set[str]]:
    """Package name -> the files that import it; packages are found by what is installed. What a
    script of kit/checks/peers imports is in the peer's own environment."""
    owners = packages_distributions()
    own = {"kit", "virtual_nucleo", "workshop"}
    own |= {path.stem for folder in ("tests", "data") for path in (ROOT / folder).rglob("*.py")}
    own |= {path.parent.name for path in (ROOT / "tests").rglob("__init__.py")}
    found: dict[str, set[str]] = {}
    for path, text in sources():
        peers = {path.stem.removeprefix("run_"), "onnx"} if path.parent.name == "peers" else set()
        for module in imported(text) - sys.stdlib_module_names - own - peers:
            for owner in owners.get(module, [module]):
                found.setdefault(canonicalize_name(owner), set()).add(path.name)
    return found


def test_every_dependency_has_its_reason_beside_it():
    """A reader learns why each package is there; so does who wants to remove one."""
    lines = [line for line in PROJECT_TEXT.splitlines() if re.match(r'  "[\w-]+[><=~]', line)]
    assert len(lines) == len(DIRECT)
    assert [line for line in lines if not re.search(r'",\s+# \w.{5,}', line)] == []


def test_the_lock_pins_every_dependency_within_its_range():
    """What is installed is what pyproject.toml asks for, and the same versions on every system and
    Python: a lesson does not depend on either."""
    assert sorted(set(DIRECT) - set(LOCKED)) == []
    pins = {name: next(iter(LOCKED[name].specifier)).version for name in DIRECT}
    assert {n: v for n, v in pins.items() if not DIRECT[n].specifier.contains(v)} == {}
    assert len(LOCKED) == len(re.findall(r"^\S+==", LOCK_TEXT, re.MULTILINE)) > len(DIRECT)


def test_every_entry_of_the_lock_has_hashes_and_no_host():
    """pip refuses any file but those that were locked; so any index or mirror will do."""
    entries = re.split(r"\n(?=\S)", LOCK_TEXT.strip())
    hashed = re.compile(r"[\w.-]+==\S+( ; [^\n]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+")
    assert [entry for entry in entries if not hashed.fullmatch(entry)] == []
    assert re.findall(r"://|--\w*(?:index|find-links|trusted)\S*|\S+@ ", LOCK_TEXT) == []


def test_locked_packages_accept_this_python():
    """pip refuses a package whose upper bound excludes this Python; uv's lock overlooks it."""
    refusing = []
    for name, requirement in LOCKED.items():
        if requirement.marker and not requirement.marker.evaluate(default_environment()):
            continue
        try:
            needs = distribution(name).metadata["Requires-Python"] or ""
        except PackageNotFoundError:
            pytest.fail(f"{name} is locked and not installed")
        if not SpecifierSet(needs).contains("{}.{}.{}".format(*sys.version_info[:3])):
            refusing.append(f"{name}: {needs}")
    assert refusing == []


def test_conda_installs_the_same():
    """environment.yml, for conda and Binder, asks for the same packages in the same ranges."""
    below_pip = CONDA_TEXT.split("- pip:\n")[1]
    *lines, last = re.findall(r"^ +- (.+?)(?: +#.*)?$", below_pip, re.MULTILINE)
    assert last == "-e ."
    asked = {name: requirement.specifier for name, requirement in requirements(lines).items()}
    assert asked == {name: requirement.specifier for name, requirement in DIRECT.items()}


def test_conda_and_workshop_take_the_same_pythons():
    """3.11 to 3.13 everywhere: pyproject.toml, environment.yml, workshop.py, the workflow."""
    bounds = SpecifierSet(PROJECT["project"]["requires-python"])
    pythons = [f"3.{minor}" for minor in range(6, 30) if bounds.contains(f"3.{minor}")]
    assert f"- python {PROJECT['project']['requires-python']}" in CONDA_TEXT
    workshop = (ROOT / "workshop.py").read_text(encoding="utf-8")
    assert f"PYTHONS = {tuple(reversed(pythons))}".replace("'", '"') in workshop
    workflow = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    assert f"python: {json.dumps(pythons)}" in workflow


def test_what_is_imported_is_asked_for_and_what_is_asked_for_is_used():
    """Nothing is used that only happens to be installed along with something else; what nothing
    uses is not installed. workshop.py runs before anything is."""
    used = third_party()
    assert {n: sorted(used[n]) for n in set(used) - set(DIRECT) - BROUGHT_ALONG} == {}
    assert sorted(set(DIRECT) - set(used) - set(NOT_IMPORTED)) == []
    assert sorted(set(NOT_IMPORTED) - set(DIRECT)) == []
    workshop = (ROOT / "workshop.py").read_text(encoding="utf-8")
    assert imported(workshop) - sys.stdlib_module_names == set()
