"""ST's X-CUBE-AI (ST Edge AI Core) as an engine: found, driven, its results read.

A user has it or not; nothing here needs it until it is asked for. The road: find → tool → figures
(info, report) → c_code → runtime → engine; zipped is its other entrance.
"""

from kit.generate.xcubeai.engine import Trial, compare_settings, generate_by_st
from kit.generate.xcubeai.find import look
from kit.generate.xcubeai.license import check_may_run_on
from kit.generate.xcubeai.runtime import check_linkable
from kit.generate.xcubeai.tool import Settings, version_of
from kit.generate.xcubeai.validation import Metrics, validate_by_tool

__all__ = [
    "Metrics",
    "Settings",
    "Trial",
    "check_linkable",
    "check_may_run_on",
    "compare_settings",
    "generate_by_st",
    "look",
    "validate_by_tool",
    "version_of",
]
