"""ST's X-CUBE-AI (ST Edge AI Core) as an engine, which a user has or not: found, driven, read.
The road: find → tool → figures → c_code → runtime → engine."""

from kit.generate.xcubeai.engine import Trial as Trial
from kit.generate.xcubeai.engine import compare_settings as compare_settings
from kit.generate.xcubeai.engine import generate_by_st as generate_by_st
from kit.generate.xcubeai.find import look as look
from kit.generate.xcubeai.runtime import check_linkable as check_linkable
from kit.generate.xcubeai.runtime import check_may_run_on as check_may_run_on
from kit.generate.xcubeai.tool import Settings as Settings
from kit.generate.xcubeai.tool import ask_tool as ask_tool
from kit.generate.xcubeai.validation import Metrics as Metrics
from kit.generate.xcubeai.validation import validate_by_tool as validate_by_tool
