"""The versions that the stand-in can be, and some of the options that each documents."""

from dataclasses import dataclass, field

VERBS = ("analyze", "generate", "validate", "supported-ops")
SERIES = ("stm32f3", "stm32f4", "stm32g4", "stm32l4", "stm32wb")  # those with a Cortex-M4
OBJECTIVES = "time|ram|balanced"  # which the help explains further down, not in its first lines
COMMON = {
    "--model": "FILE", "--type": "keras|onnx|tflite", "--name": "STR", "--output": "DIR",
    "--workspace": "DIR", "--compression": "none|lossless|low|medium|high",
    "--allocate-inputs": "", "--allocate-outputs": "", "--verbosity": "0|1|2|3", "--quiet": "",
}  # fmt: skip
GENERATE = {"--binary": "", "--lib": "DIR"}
VALIDATE = {"--batch-size": "INT", "--desc": "DESC", "--valinput": "FILE", "--full": ""}
OLD_MODES = {"--mode": "x86|stm32"}
MODES = {"--mode": "host|target|host-io-only|target-io-only", "--val-json": "FILE"}
SINCE_8 = {"--optimization": "OBJ", "--series": "SERIES"}
CORE = {"--target": "TARGET", "--device": "DEVICE", "--optimization": "OBJ"}
CORE_2 = CORE | {
    "--c-api": "st-ai|legacy", "--no-inputs-allocation": "", "--no-outputs-allocation": "",
}  # fmt: skip


@dataclass(frozen=True)
class Release:
    """One version: what --version prints, its X-CUBE-AI, the options that not all have, and its
    default C API."""

    name: str
    banner: str
    cube: str
    own_options: dict[str, str] = field(default_factory=dict)
    default_api: str = "legacy"
    more_lines: str = ""

    @property
    def is_core(self) -> bool:
        return "Edge AI" in self.banner

    @property
    def program(self) -> str:
        return "stedgeai" if self.is_core else "stm32ai"

    def options(self, verb: str) -> dict[str, str]:
        """The options of a command, and what each takes."""
        validate = VALIDATE | (MODES if self.is_core else OLD_MODES)
        more = {"generate": GENERATE, "validate": validate}.get(verb, {})
        return COMMON | self.own_options | more

    @property
    def number(self) -> str:
        """Without the family: "4.0.1-20581 7ed50de05"."""
        return self.banner.partition(" v")[2]

    @property
    def config(self) -> str:
        """The version in a generated network_config.h: that of Core, once there is one."""
        return self.number.partition("-")[0] if self.is_core else self.cube

    @property
    def library(self) -> str:
        return f"NetworkRuntime{self.cube.replace('.', '')}_CM4_GCC.a"


RELEASES = {release.name: release for release in [
    Release("7.1", "Neural Network Tools for STM32AI v1.5.1 (STM.ai v7.1.0-RC3)", "7.1.0"),
    Release("7.2", "Neural Network Tools for STM32AI v1.6.0 (STM.ai v7.2.0-RC5)", "7.2.0"),
    Release("8.1", "Neural Network Tools for STM32 family v1.7.0 (stm.ai v8.1.0-19520)", "8.1.0",
            SINCE_8),
    Release("Core 1.0", "ST Edge AI Core v1.0.0-19899", "9.1.0", CORE),
    Release("Core 2.2", "ST Edge AI Core v2.2.0-20266 2adc00962", "10.2.0", CORE_2),
    Release("Core 3.0", "ST Edge AI Core v3.0.0-20400 0f3a9c1d2", "11.0.0", CORE_2, "st-ai"),
    Release("Core 4.0", "ST Edge AI Core v4.0.1-20581 7ed50de05", "12.0.1", CORE_2, "st-ai",
            "   ISPU 2.0.1-RC2\n   MLC 1.2.4-RC2\n   STM32CubeAI 12.0.1-RC2\n"),
    Release("Core 4.1", "ST Edge AI Core v4.1.0-20610 0d1c2b3a4",  # an invented number
            "12.4.0", CORE_2, "st-ai", "   STM32CubeAI 12.4.0-RC1\n"),
]}  # fmt: skip
