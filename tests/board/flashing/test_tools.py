"""kit/board/flashing/tools.py and tools.toml: what a flashing tool says when it fails becomes one
message with the way out.

The tools that are installed are run without a probe. What they say of a probe is recorded here,
with where the wording comes from: the sources of OpenOCD, stlink and pyOCD, and what users of
STM32CubeProgrammer and of the ST-LINK's drive reported in public.
"""

import shutil
import subprocess

import made
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import Spec

from kit import errors
from kit.board import probes
from kit.board.flashing import tools
from kit.board.flashing.tools import FAILURES, NAMES, TOOLS, failed, meaning
from kit.boards import DEFAULT, MCUS
from kit.checks.doctor import dependencies, locked_versions
from kit.compile import Program

BY_PROGRAM = {tool.program: tool for tool in TOOLS}
F401 = MCUS["stm32f401re"]
PROBE = "066EFF555051897267233656"


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch):
    """No other tool, and no drive, is here to be recommended."""
    monkeypatch.setattr(tools, "installed", list)
    monkeypatch.setattr(tools, "probe_drives", list)


def arguments(program, serial_number="", mcu=DEFAULT):
    built = made.firmware(Spec(20, (5,), None, True, True, True, True, 0.3, 1), mcu)
    return BY_PROGRAM[program].arguments(Program(built.elf), built.bin, serial_number)


# The name of what it is, the tool, where the words come from, and the words
SAID = [
    # No probe
    ("finds no ST-LINK", "STM32CubeProgrammer", "stm32duino/Arduino_Core_STM32 issue 2466", """
                       STM32CubeProgrammer v2.17.0
Error: No debug probe detected."""),
    ("finds no ST-LINK", "OpenOCD", "run here, 0.12.0", """
Info : clock speed 2000 kHz
Error: open failed
** OpenOCD init failed **"""),
    ("finds no ST-LINK", "st-flash", "run here, 1.7.0", """
st-flash 1.7.0
2026-11-25T01:23:47 WARN usb.c: Couldn't find any ST-Link devices"""),
    ("finds no ST-LINK", "pyOCD", "run here, 0.46.0", """
No connected debug probes
0000755 E No target device available [load_cmd]"""),
    # No permission
    ("not allowed", "OpenOCD", "its libusb_helper.c", """
Info : clock speed 2000 kHz
Error: libusb_open() failed with LIBUSB_ERROR_ACCESS
Error: open failed"""),
    ("not allowed", "st-flash", "stlink-org/stlink 1.8.0, usb.c", """
2024-10-17T22:06:45 ERROR usb.c: Could not open USB device 0x0483:0x374b, access error.
2024-10-17T22:06:45 WARN usb.c: Couldn't find any ST-Link devices"""),
    ("not allowed", "st-flash", "stlink-org/stlink issue 282", """
2014-11-22T14:50:17 WARN src/stlink-usb.c: Error -3 opening ST-Link/V2 device 003:002"""),
    ("not allowed", "pyOCD", "its probe/stlink/usb.py", """
0000312 W [Errno 13] Access denied (insufficient permissions) while trying to get the STLink USB \
device configuration (VID=0483 PID=374b). This can probably be remedied with a udev rule. \
See <https://github.com/pyocd/pyOCD/tree/master/udev> for help. [usb]
No connected debug probes"""),
    # Driver or library
    ("cannot talk over USB", "OpenOCD", "its libusb_helper.c, on Windows", """
Error: libusb_open() failed with LIBUSB_ERROR_NOT_SUPPORTED
Error: open failed"""),
    ("cannot talk over USB", "pyOCD", "its probe/common.py", """
0000240 W STLink, CMSIS-DAPv2 and PicoProbe probes are not supported because no libusb library was \
found. [common]
No connected debug probes"""),
    # Busy
    ("busy", "st-flash", "stlink-org/stlink, usb.c", """
2022-09-08T22:28:36 WARN usb.c: Stlink usb device found, but unable to claim (probably already in \
use?)"""),
    ("busy", "st-flash", "stlink-org/stlink issue 344, on macOS", """
libusb: error [darwin_claim_interface] USBInterfaceOpen: another process has device opened for \
exclusive access"""),
    ("busy", "pyOCD", "pyocd/pyOCD issue 1514", """
0000812 C Error: [Errno 16] Resource busy [__main__]"""),
    ("busy", "OpenOCD", "its stlink_usb.c, with stlink-server", """
Error: the selected device is already used
Error: open failed"""),
    # Old firmware of the ST-LINK
    ("firmware of the ST-LINK is too old", "STM32CubeProgrammer", "a post on anabel.icu", """
Error: Old ST-LINK firmware, please upgrade it before trying to reconnect"""),
    ("firmware of the ST-LINK is too old", "STM32CubeProgrammer", "community.st.com, 202171", """
Reason: (6) ST-LINK firmware upgrade required."""),
    ("firmware of the ST-LINK is too old", "OpenOCD", "its stlink_usb.c", """
Error: The firmware in the ST-Link adapter only supports deprecated HLA."""),
    ("firmware of the ST-LINK is too old", "pyOCD", "its probe/stlink/stlink.py", """
0000500 C STLink 066EFF555051897267233656 is using an unsupported, older firmware version. Please \
update to the latest STLink firmware. Current version is V2J21M5, must be at least version v2J24. \
[__main__]"""),
    # Old or incomplete tool
    ("not installed as a whole", "OpenOCD", "run here with another name", """
embedded:startup.tcl:28: Error: Can't find board/st_nucleo_f4.cfg
in procedure 'script'"""),
    ("not installed as a whole", "st-flash", "run here", """
invalid command line
command line:   ./st-flash [--debug] [--reset] [--connect-under-reset]"""),
    ("not installed as a whole", "st-flash", "stlink-org/stlink pull 1273", """
2022-09-29T14:32:12 WARN common.c: unknown chip id! 0x497
Failed to connect to target"""),
    # A pack
    ("does not know the chip stm32f446retx", "pyOCD", "pyocd/pyOCD issue 1498", """
0000711 C Target type stm32f446retx not recognized. Use 'pyocd list --targets' to see currently \
available target types. See <https://pyocd.io/docs/target_support.html> for how to install \
additional target support. [__main__]"""),
    # Protected
    ("protected", "OpenOCD", "its stm32f2x.c", """
Info : device id = 0x10006421
Error: stm32x device protected
Error: failed erasing sectors 0 to 5"""),
    ("protected", "STM32CubeProgrammer", "community.st.com, 844573", """
Warning: Device is under Read Out Protection or Target is held under reset
Error: a read Operation failed, please check if any memory protection mechanism is active."""),
    ("protected", "STM32CubeProgrammer", "community.st.com, 137642", """
Error: Failed to download data! If it's a Flash memory, it may be not erased or protected"""),
    ("protected", "st-flash", "stlink-org/stlink, common_flash.c", """
ERROR common_flash.c: Flash memory is write protected
stlink_fwrite_flash() == -1"""),
    # Voltage
    ("too little voltage", "STM32CubeProgrammer", "community.st.com, 82412", """
Voltage : 0.94V
Error: No STM32 target found!"""),
    ("too little voltage", "OpenOCD", "its stlink_usb.c", """
Info : Target voltage: 0.012000
Error: target voltage may be too low for reliable debugging
Error: init mode failed (unable to connect to the target)"""),
    ("too little voltage", "st-flash", "stlink-org/stlink, flash_loader.c", """
ERROR flash_loader.c: Target voltage (1200 mV) too low for flash writes!"""),
    # No chip
    ("does not reach the chip", "STM32CubeProgrammer", "osresearch/airbreak issue 59", """
   : Voltage     : 3.23V
    : Error: No STM32 target found! If your product embeds Debug Authentication, please perform a \
discovery using Debug Authentication"""),
    ("does not reach the chip", "STM32CubeProgrammer", "qa-community.st.com, 5074", """
Error: ST-LINK error (DEV_TARGET_RESET_ERR)"""),
    ("does not reach the chip", "STM32CubeProgrammer", "WeActStudio.STM32H5_64Pin issue 3", """
Error: Unable to get core ID"""),
    ("does not reach the chip", "OpenOCD", "osresearch/airbreak issue 59", """
Info : STLINK V2J42S7 (API v2) VID:PID 0483:3748
Info : Target voltage: 3.230406
Error: init mode failed (unable to connect to the target)"""),
    ("does not reach the chip", "OpenOCD", "its flash/startup.tcl", """
** Unable to reset target **"""),
    ("does not reach the chip", "st-flash", "stlink-org/stlink issue 304", """
WARN src/stlink-common.c: unknown chip id! 0xe0042000"""),
    ("does not reach the chip", "st-flash", "stlink-org/stlink, flash.c", """
WARN common.c: unknown chip id! 0
Failed to connect to target"""),
    ("does not reach the chip", "pyOCD", "pyocd/pyOCD issue 1523", """
0000670 C STLink error (9): Get IDCODE error [__main__]"""),
    ("does not reach the chip", "The drive", "community.st.com, 61829", """
The interface firmware FAILED to reset/halt the target MCU"""),
    # USB
    ("broke off", "STM32CubeProgrammer", "many repositories", """
Error: ST-LINK error (DEV_USB_COMM_ERR)"""),
    ("broke off", "st-flash", "stlink-org/stlink issue 840", """
[!] send_recv send request failed: LIBUSB_ERROR_TIMEOUT
[!] send_recv STLINK_GET_VERSION"""),
    ("broke off", "pyOCD", "its probe/stlink/usb.py", """
0001000 C USB Error: [Errno 5] Input/Output Error [__main__]"""),
    # Verification
    ("not what was written", "STM32CubeProgrammer", "community.st.com, 653159", """
Error: Data mismatch found at address 0x08000000 (byte = 0xFF instead of 0x00)
Error: Download verification failed"""),
    ("not what was written", "OpenOCD", "its flash/startup.tcl", """
Error: checksum mismatch - attempting binary compare
** Verify Failed **"""),
    ("not what was written", "st-flash", "stlink-org/stlink issue 818", """
2019-07-23T16:56:37 ERROR common.c: Verification of flash failed at offset: 0
stlink_fwrite_flash() == -1"""),
    # The drive
    ("full", "The drive", "community.st.com, 61829", "[Errno 28] No space left on device"),
    ("not come to an end", "The drive", "wuxx/nanoDAP-HS issue 7", """
error: The transfer timed out.
type: transient, user"""),
    # Starting
    ("cannot be started", "STM32CubeProgrammer", "glibc's ld.so", """
STM32_Programmer_CLI: error while loading shared libraries: libQt6Core.so.6: cannot open shared \
object file: No such file or directory"""),
    # Anything else
    ("could not write", "OpenOCD", "made up", "Error: the dog ate it"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "tool", "source", "said"), SAID)
@pytest.mark.parametrize("system", ["Windows", "Darwin", "Linux"])
def test_each_failure_is_one_message_with_a_way_out(monkeypatch, system, what, tool, source, said):
    """It says what it is, quotes the tool and its command, and what to do on this system."""
    monkeypatch.setattr(errors, "system", lambda: system)
    error = failed(tool, said, "tool --flash x", DEFAULT, False)
    assert what in f"{error.what} {error.why}", error
    assert said.strip().splitlines()[-1] in error.why and "tool --flash x" in error.why
    assert error.next_step and "$" not in f"{error.what}{error.next_step}"
    foreign = {"Windows": ("sudo", "brew"), "Darwin": ("sudo", "Task"), "Linux": ("brew", "Task")}
    assert not [word for word in foreign[system] if word in error.next_step]


def test_every_kind_of_failure_has_a_recorded_example():
    """A row of the table that nothing can reach, or that nobody has seen, is found here."""
    assert {meaning(said) for *_, said in SAID} == {*FAILURES} - {"unreachable"}


def test_linux_is_given_the_udev_rule_as_it_must_be_written(monkeypatch):
    """File and line, so that nobody has to search for them."""
    monkeypatch.setattr(errors, "system", lambda: "Linux")
    step = failed("OpenOCD", "Error: LIBUSB_ERROR_ACCESS", "", DEFAULT, False).next_step
    rule = 'SUBSYSTEM=="usb", ATTR{idVendor}=="0483", MODE="0666", TAG+="uaccess"'
    assert "/etc/udev/rules.d/60-st-link.rules" in step and rule in step.splitlines()


def test_a_probe_that_is_there_is_not_called_missing():
    """OpenOCD says "open failed" of a busy ST-LINK, too: that one is plugged in, we know."""
    error = failed("OpenOCD", "Error: open failed", "", DEFAULT, True)
    assert "is plugged in" in error.what and "Another program" in error.why


def test_the_pack_of_the_other_chip():
    """Each chip has a name of its own in CMSIS packs: pyOCD is told it, and the advice names it."""
    assert "stm32f401retx" in arguments("pyocd", mcu=F401)
    error = failed("pyOCD", "Target type stm32f401retx not recognized.", "", F401, False)
    assert "pyocd pack install stm32f401retx" in error.next_step


@given(st.text(), st.sampled_from([tool.name for tool in TOOLS]))
def test_whatever_a_tool_says_is_quoted(said, name):
    """No words of a tool break the message, and its last ones are never lost."""
    error = failed(name, said, "command", DEFAULT, False)
    assert error.what and "\x1b[" not in error.what
    assert said.replace("\x1b", "").strip()[-20:].strip() in error.why.replace("\x1b", "")


# --- Command lines --------------------------------------------------------------------------------


def test_the_names_are_those_of_the_programs():
    """What `--tool` takes."""
    assert NAMES == ("STM32_Programmer_CLI", "openocd", "st-flash", "pyocd", "drive")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("STM32_Programmer_CLI", f"port=SWD sn={PROBE} -w"),
        ("openocd", f"-c if {{[catch {{adapter serial {PROBE}}}]}} {{hla_serial {PROBE}}} -c"),
        ("st-flash", f"--serial {PROBE} --reset write"),
        ("pyocd", f"--uid {PROBE} --target"),
    ],
)
def test_one_of_several_probes_is_named_to_the_tool(program, words):
    """By the option of each tool, before what it is told to do; else the words are not there."""
    assert words in " ".join(arguments(program, PROBE))
    alone = arguments(program)
    assert len(alone) < len(arguments(program, PROBE)) and "$" not in "".join(alone)


# --- The tools themselves -------------------------------------------------------------------------


def needs(program):
    missing = f"{program} is not installed; .ci/run installs it"
    return pytest.param(
        program, marks=pytest.mark.skipif(not shutil.which(program), reason=missing)
    )


@pytest.mark.parametrize("program", [*map(needs, ("openocd", "st-flash", "pyocd"))])
@pytest.mark.parametrize("serial_number", ["", PROBE])
def test_the_real_tools_find_no_probe(program, serial_number):
    """What each says without a board is understood; our options are options it knows, too."""
    if probes.find_probes() or probes.probe_drives():
        pytest.skip("a board is plugged in, and it must not be written to")
    command = [program, *arguments(program, serial_number)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    error = failed(BY_PROGRAM[program].name, done.stdout + done.stderr, "", DEFAULT, False)
    assert "finds no ST-LINK" in error.what, error


@pytest.mark.skipif(not shutil.which("openocd"), reason="openocd is not installed")
@pytest.mark.parametrize("command", ["adapter serial X1", "no such command X1"])
def test_openocd_takes_either_name_of_the_option(command):
    """The one for OpenOCD 0.12 when it is known, else the one before it: the line is valid Tcl."""
    choice = f"if {{[catch {{{command}}}]}} {{echo older}} else {{echo newer}}; exit"
    words = ["openocd", "-f", "board/st_nucleo_f4.cfg", "-c", choice]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert ("older" in done.stderr + done.stdout) == command.startswith("no such")


def test_pyocd_is_no_package_of_the_kit():
    """A pyOCD that comes along would be preferred to the drive, and needs a pack to flash."""
    assert "pyocd" not in {*dependencies(), *locked_versions()}
