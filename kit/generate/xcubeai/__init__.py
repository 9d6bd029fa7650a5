"""ST's X-CUBE-AI (ST Edge AI Core) as an engine: found, driven, its results read.

A user has it or not; nothing here needs it until it is asked for. The road through this package:
find -> drive -> figures (info, report) -> c_code -> files -> engine; validation and settings
beside it.
"""

from kit.generate.xcubeai.drive import version_of
from kit.generate.xcubeai.engine import NAME, Settings, analyze, generate_by_st
from kit.generate.xcubeai.figures import Figures
from kit.generate.xcubeai.files import check_linkable
from kit.generate.xcubeai.find import Search, Tool, find_tool, look
from kit.generate.xcubeai.license import check_may_run_on
from kit.generate.xcubeai.settings import Trial, compare_settings
from kit.generate.xcubeai.validation import Metrics, Validated, validate_by_tool

__all__ = [
    "NAME",
    "Figures",
    "Metrics",
    "Search",
    "Settings",
    "Tool",
    "Trial",
    "Validated",
    "analyze",
    "check_linkable",
    "check_may_run_on",
    "compare_settings",
    "find_tool",
    "generate_by_st",
    "look",
    "validate_by_tool",
    "version_of",
]
