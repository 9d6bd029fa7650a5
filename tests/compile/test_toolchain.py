"""kit/compile/toolchain.py: the compiler is found where its installers put it."""

import sys

import pytest

from kit.compile import toolchain
from kit.compile.toolchain import gcc

EXE = ".exe" if sys.platform == "win32" else ""
INSTALLED = (
    "Program Files (x86)/Arm GNU Toolchain arm-none-eabi/13.2 Rel1/bin",
    "Applications/ArmGNUToolchain/13.2.Rel1/arm-none-eabi/bin",
    "opt/arm-gnu-toolchain-13.2.Rel1-x86_64-arm-none-eabi/bin",
    "ST/STM32CubeIDE_1.13.2/STM32CubeIDE/plugins/com.st.stm32cube.ide.mcu.externaltools."
    "gnu-tools-for-stm32.11.3.rel1.win32_1.1.1/tools/bin",
    "opt/st/stm32cubeide_1.13.2/plugins/com.st.stm32cube.ide.mcu.externaltools."
    "gnu-tools-for-stm32.11.3.rel1.linux64_1.1.1/tools/bin",
    "opt/ST/STM32CubeCLT_1.13.2/GNU-tools-for-STM32/bin",
    ".local/share/stm32cube/bundles/gnu-tools-for-stm32/13.2.1/bin",
)


@pytest.mark.parametrize("place", INSTALLED)
def test_gcc_is_found_where_its_installers_put_it(monkeypatch, tmp_path, place):
    """Arm's and ST's folders on Windows, macOS and Linux; a newer version comes first."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_starts", lambda: (tmp_path,))
    for folder in (place.replace("13.2", "9.3"), place):
        program = tmp_path / folder / ("arm-none-eabi-gcc" + EXE)
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch()
        program.chmod(0o755)
    assert gcc() == program
