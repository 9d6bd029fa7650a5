"""What is plugged in (kit.board.probes): boards and their drives told from other USB devices."""

import json
import sys
from types import SimpleNamespace

import pytest
from usb import BUILT_IN, CABLE, HTM, ONE, OTHER, USB_STM32, Port, add_drive

from kit import cli
from kit.board import probes
from kit.boards import MCUS

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc and /sys are Linux's")


def test_st_links_are_told_from_other_ports(plugged):
    """By vendor and product number; the others are only counted."""
    plugged(BUILT_IN, OTHER, USB_STM32, CABLE, ONE)
    found = probes.list_boards()
    assert [probe.port for probe in found.probes] == ["/dev/ttyACM0", "/dev/ttyACM1"]
    assert set(found.other_ports) == {"/dev/ttyS0", "/dev/ttyACM7", "/dev/ttyUSB0"}


@pytest.mark.parametrize(("pid", "kind"), sorted(probes.PROBES.items()))
def test_each_st_link_with_a_serial_port_is_known(plugged, pid, kind):
    """On Nucleos both V2-1 and V3 are found, with and without a drive."""
    plugged(Port("COM3", pid))
    assert [(probe.port, probe.kind) for probe in probes.find_probes()] == [("COM3", kind)]


def test_two_ports_of_one_st_link_are_one_board(plugged):
    """An ST-LINK/V3 can have two; the first is the chip's."""
    plugged(Port("/dev/ttyACM1", 0x3753), Port("/dev/ttyACM0", 0x3753))
    assert [probe.port for probe in probes.find_probes()] == ["/dev/ttyACM0"]


@pytest.mark.parametrize(
    ("name", "htm", "board"),
    [
        ("NODE_F446RE", HTM % "0777", "NUCLEO-F446RE"),
        ("E", HTM % "0720", "NUCLEO-F401RE"),  # on Windows a drive has no name here
        ("NODE_F401RE", "", "NUCLEO-F401RE"),
        ("NOD_L476RG", "", "NUCLEO-L476RG"),
        ("X", 'content="0; url=https://www.st.com/en/nucleo-f446re.html"', "NUCLEO-F446RE"),
        ("MICROBIT", HTM % "9900", ""),
    ],
)
def test_the_board_is_named_by_its_drive(plugged, name, htm, board):
    """By the code in MBED.HTM, its words, or the label; what is no Nucleo has no name."""
    (add_drive(plugged, name) / "MBED.HTM").write_text(htm)
    (drive,) = probes.probe_drives()
    assert drive.board == board and drive.details == "Version: 0221 Build: Sep 18 2018 11:09:21"


def test_one_port_and_one_drive_are_one_board(plugged, capsys):
    """Also where the system does not tell which device a drive belongs to. As JSON, for programs:
    each board with its name, port, serial number and drive."""
    drive = add_drive(plugged)
    plugged(ONE, CABLE)
    assert cli.main(["boards", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["other_ports"], found["virtual"], found["drives"]) == (["/dev/ttyUSB0"], [], [])
    (probe,) = found["probes"]
    assert (probe["board"], probe["serial_number"]) == ("NUCLEO-F446RE", "066EFF")
    assert (probe["port"], probe["drive"]["path"]) == ("/dev/ttyACM0", str(drive))


def test_two_of_each_are_not_guessed_at(plugged):
    """Drives stay drives as long as nothing says whose they are."""
    add_drive(plugged)
    add_drive(plugged, "NODE_F401RE", "0720")
    plugged(ONE, OTHER)
    found = probes.list_boards()
    assert [probe.drive for probe in found.probes] == [None, None] and len(found.drives) == 2


def test_a_probe_without_a_drive_gets_none(plugged):
    """Product 0x3752 is the ST-LINK/V2-1 without mass storage: the drive is another board's."""
    add_drive(plugged)
    plugged(Port("/dev/ttyACM0", 0x3752))
    found = probes.list_boards()
    assert found.probes[0].drive is None and len(found.drives) == 1


@linux
def test_linux_tells_whose_drive_it_is(plugged, tmp_path, monkeypatch):
    """/sys names the USB device of a disk: two boards are paired right, the wrong way round."""
    mounts = []
    for name, usb, label in (("sda", "1-2", "NODE_F446RE"), ("sdb", "1-1", "NODE_F446RE1")):
        device = tmp_path / f"devices/usb1/{usb}/{usb}:1.1/host0/block/{name}"
        device.mkdir(parents=True)
        (tmp_path / "block").mkdir(exist_ok=True)
        (tmp_path / "block" / name).symlink_to(device)
        place = str(add_drive(plugged, label))
        mounts.append(SimpleNamespace(device=f"/dev/{name}", mountpoint=place))
    monkeypatch.setattr(probes, "SYSFS", tmp_path / "block")
    monkeypatch.setattr(probes.psutil, "disk_partitions", lambda: mounts)
    plugged(ONE, OTHER)
    labels = [probe.drive.path.name for probe in probes.find_probes()]
    assert labels == ["NODE_F446RE1", "NODE_F446RE"]


def test_virtual_boards_with_a_program_are_listed(plugged, tmp_path, capsys, monkeypatch):
    """Under the URLs that open them, after the real ones; what is being replaced is not one, and a
    damaged one does not hide the others."""
    f401 = SimpleNamespace(mcu=MCUS["stm32f401re"])
    read = probes.Program
    monkeypatch.setattr(probes, "Program", lambda elf: f401 if elf.stat().st_size else read(elf))
    (tmp_path / "build" / "virtual").mkdir(parents=True)
    for name, content in (("default", b"."), ("alice", b"."), ("bob", b""), (".old", b".")):
        (tmp_path / "build" / "virtual" / f"{name}.elf").write_bytes(content)
    plugged(ONE)
    assert cli.main(["boards"]) == 0
    out = capsys.readouterr().out
    assert "virtual://alice" in out and "virtual:// " in out and "NUCLEO-F401RE" in out
    assert "virtual://bob" in out and "(damaged)" in out and ".old" not in out
    assert "/dev/ttyACM0" in out and "066EFF" in out


def test_an_empty_list_says_how_to_plug_in(plugged, capsys):
    """Exit code 0: nothing is wrong."""
    assert cli.main(["boards"]) == 0
    assert "data cable" in capsys.readouterr().out


@linux
def test_two_names_of_a_port_are_one(plugged, tmp_path):
    """The links of /dev/serial/by-id name the same board."""
    device, link = tmp_path / "ttyACM0", tmp_path / "by-id"
    device.touch()
    link.symlink_to(device)
    plugged(Port(str(device)))
    assert probes.probe_at(str(link)).port == str(device)
    assert probes.probe_at("virtual://") is None
