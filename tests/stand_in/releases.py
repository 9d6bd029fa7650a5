"""The versions that the stand-in can be, and what each documents."""

from dataclasses import dataclass

COMPRESSIONS = "none|lossless|low|medium|high"
KINDS = "keras|onnx|tflite"
COMMON = {
    "--model": "FILE", "--type": KINDS, "--name": "STR", "--compression": COMPRESSIONS,
    "--allocate-inputs": "", "--allocate-outputs": "", "--workspace": "DIR", "--output": "DIR",
    "--split-weights": "", "--no-report": "", "--no-workspace": "", "--verbosity": "0|1|2|3",
    "--quiet": "",
}  # fmt: skip
GENERATE = {"--binary": "", "--dll": "", "--address": "ADDR", "--lib": "DIR"}
VALIDATE = {
    "--batch-size": "INT", "--desc": "DESC", "--valinput": "FILE", "--valoutput": "FILE",
    "--classifier": "", "--seed": "SEED", "--full": "",
}  # fmt: skip
CORE = {
    "--target": "TARGET", "--device": "DEVICE", "--optimization": "OBJ",
    "--input-data-type": "float32|int8|uint8", "--output-data-type": "float32|int8|uint8",
}  # fmt: skip
OLD_MODES = {"--mode": "x86|stm32"}
MODES = {"--mode": "host|target|host-io-only|target-io-only", "--val-json": "FILE"}
OBJECTIVES = "time|ram|balanced"  # which the help explains further down, not in its first lines
SINCE_8 = {"--optimization": "OBJ", "--series": "SERIES"}
SINCE_2 = {
    "--c-api": "st-ai|legacy", "--no-inputs-allocation": "", "--no-outputs-allocation": "",
}  # fmt: skip


@dataclass(frozen=True)
class Release:
    """One version: its program, what --version prints, its options, and its default C API."""

    name: str
    program: str
    banner: str
    cube: str
    options: dict[str, str]
    validate: dict[str, str]
    default_api: str = "legacy"
    more_lines: str = ""

    @property
    def is_core(self) -> bool:
        return self.program == "stedgeai"

    @property
    def number(self) -> str:
        """Without the family: "4.0.1-20581 7ed50de05"."""
        return self.banner.partition(" v")[2]

    @property
    def has_params(self) -> bool:
        """Whether the legacy API's parameters have files of their own, which 7.1 did not write."""
        return self.name != "7.1"

    @property
    def says_formats(self) -> bool:
        """Whether the legacy API's network.h says the formats of input and output."""
        return not self.name.startswith("7.")

    @property
    def config(self) -> str:
        """The version in a generated network_config.h: that of Core, once there is one."""
        return self.number.partition("-")[0] if self.is_core else self.cube

    @property
    def library(self) -> str:
        return f"NetworkRuntime{self.cube.replace('.', '')}_CM4_GCC.a"


def _all(*releases: Release) -> dict[str, Release]:
    return {release.name: release for release in releases}


RELEASES = _all(
    Release("7.1", "stm32ai", "Neural Network Tools for STM32AI v1.5.1 (STM.ai v7.1.0-RC3)",
            "7.1.0", COMMON, OLD_MODES | VALIDATE),
    Release("7.2", "stm32ai", "Neural Network Tools for STM32AI v1.6.0 (STM.ai v7.2.0-RC5)",
            "7.2.0", COMMON, OLD_MODES | VALIDATE),
    Release("8.1", "stm32ai", "Neural Network Tools for STM32 family v1.7.0 (stm.ai v8.1.0-19520)",
            "8.1.0", COMMON | SINCE_8, OLD_MODES | VALIDATE),
    Release("Core 1.0", "stedgeai", "ST Edge AI Core v1.0.0-19899",
            "9.1.0", COMMON | CORE, MODES | VALIDATE),
    Release("Core 2.2", "stedgeai", "ST Edge AI Core v2.2.0-20266 2adc00962",
            "10.2.0", COMMON | CORE | SINCE_2, MODES | VALIDATE),
    Release("Core 3.0", "stedgeai", "ST Edge AI Core v3.0.0-20400 0f3a9c1d2",
            "11.0.0", COMMON | CORE | SINCE_2, MODES | VALIDATE, "st-ai"),
    Release("Core 4.0", "stedgeai", "ST Edge AI Core v4.0.1-20581 7ed50de05",
            "12.0.1", COMMON | CORE | SINCE_2, MODES | VALIDATE, "st-ai",
            "   ISPU 2.0.1-RC2\n   MLC 1.2.4-RC2\n   STM32CubeAI 12.0.1-RC2\n"),
    Release("Core 4.1", "stedgeai", "ST Edge AI Core v4.1.0-20610 0d1c2b3a4",  # an invented number
            "12.4.0", COMMON | CORE | SINCE_2, MODES | VALIDATE, "st-ai",
            "   STM32CubeAI 12.4.0-RC1\n"),
)  # fmt: skip
