"""ST's X-CUBE-AI (ST Edge AI Core) as an engine, which a user has or not: found, driven, read.
The road: find → tool → figures → c_code → runtime → engine."""

from kit.generate.xcubeai.engine import Trial, compare_settings, generate_by_st
from kit.generate.xcubeai.find import look
from kit.generate.xcubeai.runtime import check_linkable, check_may_run_on
from kit.generate.xcubeai.tool import Settings, ask_tool
from kit.generate.xcubeai.validation import Metrics, validate_by_tool

__all__ = [
           "Metrics",
           "Settings",
           "Trial",
           "ask_tool",
           "check_linkable",
           "check_may_run_on",
           "compare_settings",
           "generate_by_st",
           "look",
           "validate_by_tool",
]  # fmt: skip
