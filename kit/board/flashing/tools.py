"""The tools that write a real board's flash, and what their failures mean.

The wording in `FAILURES` is that of the tools' own sources where they are open (OpenOCD 0.11 to
0.12, stlink 1.5 to 1.8, pyOCD 0.34 to 0.46), else of what users of STM32CubeProgrammer and of the
ST-LINK's drive reported.
"""

import re
import string
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from kit.boards import DEFAULT, Mcu
from kit.compile.program import memories
from kit.errors import KitError
from kit.programs import find_program, system

CUBE_FOLDERS = (
    "C:/Program Files/STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin",
    "/Applications/STMicroelectronics/STM32Cube/STM32CubeProgrammer/"
    "STM32CubeProgrammer.app/Contents/MacOs/bin",
    str(Path.home() / "STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin"),
)
START = f"{memories(DEFAULT)[0].start:#010x}"
DRIVE = "drive"
"""The name of the way that needs no tool."""


@dataclass(frozen=True)
class Job:
    """What is to be written: as ELF and as a flat image, for which chip, by which ST-LINK (empty
    where there is only one)."""

    elf: Path
    image: Path
    mcu: Mcu
    serial_number: str


@dataclass(frozen=True)
class Tool:
    """A flashing tool: its program, its arguments, and what it prints when all went well and it
    has compared the flash with the file (pyOCD compares only what it leaves as it is)."""

    name: str
    program: str
    arguments: Callable[[Job], list[str]]
    done: str


def _cube(job: Job) -> list[str]:
    """The flat image, since some versions misread the ends of an ELF file's segments."""
    probe = [f"sn={job.serial_number}"] if job.serial_number else []
    return ["-c", "port=SWD", *probe, "-w", str(job.image), START, "-v", "-rst"]


def _openocd(job: Job) -> list[str]:
    """`adapter serial` came with OpenOCD 0.12; before, it was `hla_serial`."""
    number = job.serial_number
    choice = f"if {{[catch {{adapter serial {number}}}]}} {{hla_serial {number}}}"
    return [
        *("-f", job.mcu.openocd),
        *(("-c", choice) if number else ()),
        *("-c", f"program {{{job.elf.as_posix()}}} verify reset exit"),
    ]


def _st_flash(job: Job) -> list[str]:
    probe = ["--serial", job.serial_number] if job.serial_number else []
    return [*probe, "--reset", "write", str(job.image), START]


def _pyocd(job: Job) -> list[str]:
    probe = ["--uid", job.serial_number] if job.serial_number else []
    return ["load", "--no-wait", *probe, "--target", job.mcu.pyocd, str(job.elf)]


TOOLS = (  # in the order of preference
    Tool("STM32CubeProgrammer", "STM32_Programmer_CLI", _cube, "Download verified successfully"),
    Tool("OpenOCD", "openocd", _openocd, r"\*\* Verified OK \*\*"),
    Tool("st-flash", "st-flash", _st_flash, "Flash written and verified"),
    Tool("pyOCD", "pyocd", _pyocd, r"programmed \d+ bytes"),
)
NAMES = (*(tool.program for tool in TOOLS), DRIVE)
DEVICE_ID = r"device id\s*[:=]\s*(0x[0-9a-f]+)"
"""How STM32CubeProgrammer and OpenOCD print DBGMCU_IDCODE, of which 12 bits name the chip."""


def installed() -> list[tuple[Tool, Path]]:
    """The tools of this computer, with the place of their programs, in the order of preference."""
    places = ((tool, find_program(tool.program, CUBE_FOLDERS)) for tool in TOOLS)
    return [(tool, place) for tool, place in places if place]


@dataclass(frozen=True)
class Failure:
    """What a tool's words mean. `$tool`, `$target` (as pyOCD names the chip) are filled in; `next`
    is for every system, or the advice for one follows it."""

    pattern: str
    what: str
    why: str
    next: str
    windows: str = ""
    darwin: str = ""
    linux: str = ""


UDEV_RULE = 'SUBSYSTEM=="usb", ATTR{idVendor}=="0483", MODE="0666", TAG+="uaccess"'
UDEV = (
    "Write this line into the file /etc/udev/rules.d/60-st-link.rules (with sudo):\n"
    f"{UDEV_RULE}\n"
    "then run `sudo udevadm control --reload-rules` and plug the board in again."
)
CLOSE = "Close what else uses the ST-LINK: an IDE's debugger, STM32CubeProgrammer, another OpenOCD."
REPLUG = "Unplug the board for five seconds and plug it in again, without a hub in between."
POWER = (
    "On the Nucleo both jumpers of CN2 and the one of JP6 (IDD) must be closed, and JP5 on U5V "
    "(ST UM1724, section 6); take off what is plugged onto the board. Then try again, holding the "
    "black button until the tool has started: the program on the chip may have switched its debug "
    "pins off."
)
UNPROTECT = (
    "If nothing on the chip is worth keeping, take the protection off, which erases it: "
    "`STM32_Programmer_CLI -c port=SWD mode=UR -ob RDP=0xAA`. Then flash again."
)
UNREACHABLE = Failure(
    "",
    "$tool cannot open the ST-LINK, which is plugged in.",
    "Another program uses it, or the system does not let this user have it.",
    f"{CLOSE} {REPLUG}",
    windows="If that does not help, install ST's driver STSW-LINK009 from st.com.",
    linux=f"If that does not help: {UDEV}",
)
NO_PROBE = Failure(
    r"no debug probe|no st-?link|open failed|couldn't find any st-link|no connected debug probe|"
    r"no target device available|no device found",
    "$tool finds no ST-LINK.",
    "No board is plugged in, or the cable only charges and carries no data.",
    "Plug the board in with a data cable: the LED of the ST-LINK lights up. `kit boards` lists it.",
    windows="If it does not, look in the Device Manager for an ST-LINK with a yellow sign: then "
    "install ST's driver STSW-LINK009 from st.com.",
    darwin="If it does not, look for the ST-LINK in System Information, USB.",
    linux="If it does not, `lsusb -d 0483:` must show it; a virtual machine or WSL must be given "
    "the USB device.",
)
UNKNOWN = Failure(
    "",
    "$tool could not write to the board.",
    "Its own words are all that is known.",
    f"{REPLUG} {CLOSE}",
)
FAILURES = (  # from the special to the general: the first whose pattern is found counts
    Failure(
        r"libusb_error_access|access error|error -3 |access denied|insufficient permission",
        "$tool is not allowed to use the ST-LINK.",
        "The system refuses to open the USB device.",
        "",
        windows=CLOSE,
        darwin=CLOSE,
        linux=UDEV,
    ),
    Failure(
        r"libusb_error_not_(supported|found)|error -(5|12) |no libusb library|nobackenderror",
        "$tool cannot talk over USB.",
        "The driver of the ST-LINK, or the library libusb, is missing.",
        "",
        windows="Install ST's driver STSW-LINK009 from st.com and plug the board in again.",
        darwin="Install the library: `brew install libusb`.",
        linux="Install the library: `sudo apt install libusb-1.0-0`.",
    ),
    Failure(
        r"libusb_error_busy|unable to claim|resource busy|already (used|in use|opened)|"
        r"in use by another|exclusive access",
        "The ST-LINK is busy.",
        "Another program uses it, and only one can at a time.",
        CLOSE,
        windows="The Task Manager shows what runs.",
        darwin="The Activity Monitor shows what runs.",
        linux="`pgrep -a 'openocd|st-util|STM32|pyocd'` shows what runs.",
    ),
    Failure(
        r"old st-link firmware|firmware upgrade required|only supports deprecated hla|"
        r"older firmware version|firmware does not support|\(transport\) not supported",
        "The firmware of the ST-LINK is too old for $tool.",
        "It is the program of the probe itself, not of your chip, and ST improves it.",
        "Update it: in STM32CubeProgrammer press `Firmware upgrade`, or use ST's STSW-LINK007 from "
        "st.com. Then unplug the board and plug it in again.",
    ),
    Failure(
        r"can't find (board|interface|target)/|invalid command line|unrecognized arguments|"
        r"unknown option|invalid command name|wrong parameter|unknown chip id! 0x(?!0+\b|e0042000)",
        "$tool is too old, or not installed as a whole.",
        "It does not know a file, an option or a chip that its present version knows.",
        "Or leave it out: `kit flash --tool drive` copies to the board's drive.",
        windows="Install its present version; its installer is on its project's page.",
        darwin="Install its present version: `brew install open-ocd stlink`.",
        linux="Install its present version: `sudo apt install openocd stlink-tools`.",
    ),
    Failure(
        r"target type .* not recognized",
        "pyOCD does not know the chip $target.",
        "It learns chips from packs, and the pack of this one is not installed.",
        "Run `pyocd pack install $target` (it needs the network), then flash again.",
    ),
    Failure(
        r"read.?out prot|read.?protect|rdp level|stm32x device protected|cannot read memory|"
        r"write.?protected|erased or protected|failed to erase",
        "The flash of the chip is protected.",
        "Its option bytes forbid to read or to write it (RM0390 section 3.6).",
        UNPROTECT,
    ),
    Failure(
        r"voltage[^\n]* too low|voltage\s*: [01][.,]\d",
        "The chip has too little voltage.",
        "The ST-LINK measures less than 1.8 V at it.",
        POWER,
    ),
    Failure(
        r"no space left|not enough space|disk is full",
        "The drive of the board is full.",
        "It shows a few kilobytes only while its ST-LINK does not reach the chip.",
        f"{REPLUG} {POWER}",
    ),
    Failure(
        r"no stm32 target found|unable to get core id|init mode failed|unable to connect|"
        r"failed to connect to target|can not connect to target|dev_target|dev_connect_err|"
        r"get idcode error|no device connected|unable to reset target|not halted|not examined|"
        r"failed to (halt|get core|reset/halt)|no ack|soft reset failed|unknown chip id! 0x|"
        r"could not find chip id",
        "The ST-LINK does not reach the chip.",
        "The chip has no power, is held in reset, sleeps, or has its debug pins in other use.",
        POWER,
    ),
    Failure(
        r"dev_usb_comm_err|libusb_error_(timeout|pipe|io|no_device|overflow|other)|usb error|"
        r"failed to send usb|send request failed|read reply failed|pipe is stalled",
        "The connection to the ST-LINK broke off.",
        "The cable, a hub, or the ST-LINK itself hangs.",
        f"{REPLUG} Take another cable; a virtual machine must have the USB device for itself.",
    ),
    Failure(
        r"verify failed|verification failed|verification of flash failed|mismatch found|"
        r"contents differ|checksum mismatch|verif\w* error",
        "What is in the flash is not what was written.",
        "The connection is bad, or the flash is worn.",
        f"Try again. {REPLUG} Take another cable.",
    ),
    NO_PROBE,
    Failure(
        r"timed out|timeout|time-?out",
        "$tool did not come to an end.",
        "It waited for the board, or for an answer that nobody could give.",
        f"{REPLUG} {CLOSE}",
    ),
    Failure(
        r"error while loading shared libraries|cannot open shared object|\.dll|exec format error|"
        r"permission denied|no such file",
        "$tool cannot be started.",
        "It is there, but not installed as a whole, or not for this computer.",
        "Install it again, or leave it out: `kit flash --tool drive` copies to the board's drive.",
    ),
    UNKNOWN,
)


def meaning(said: str) -> Failure:
    """The first of `FAILURES` of whose pattern a tool's words remind."""
    return next(f for f in FAILURES if re.search(f.pattern, said, re.IGNORECASE))


def explain(
    tool: str, said: str, command: str, mcu: Mcu, plugged_in: bool = False, others: str = ""
) -> KitError:
    """The error for a tool that failed.

    Args:
        tool: its name.
        said: all that it printed, or why it could not be run to its end.
        command: its command line.
        mcu: the chip that was to be written.
        plugged_in: an ST-LINK is there, whatever the tool says.
        others: what else could be tried where there is an ST-LINK, one sentence.
    """
    said = re.sub(r"\x1b\[[0-9;]*m", "", said).strip()
    failure = meaning(said)
    if failure is NO_PROBE and plugged_in:
        failure = UNREACHABLE
    words = {"tool": tool, "target": mcu.pyocd}
    text = {
        field.name: string.Template(getattr(failure, field.name)).safe_substitute(words)
        for field in fields(Failure)
        if field.name != "pattern"
    }
    quoted = f"{text['why']} It said:\n{said[-2000:]}\nThe command was: {command}"
    steps = (text["next"], text[system().lower()], "" if failure is NO_PROBE else others)
    return KitError(text["what"], quoted, " ".join(filter(None, steps)))


def wrong_chip(found: str, mcu: Mcu, how: str) -> KitError:
    """The error for a program that is for another chip than the board's; `how` says how it
    was found out."""
    return KitError(
        f"The board has another chip: {found}.",
        f"The program is for the {mcu.name.upper()} of the {mcu.board}. {how}",
        "Build for the chip that is there: `kit build --mcu` (see `kit build --help`).",
    )
