"""The virtual board is a package of its own: it needs no kit, keeps one file a board, says what it
lacks, and is used from anywhere."""

import subprocess
import sys
import threading

import pytest
import serial
from bare import ask

from virtual_nucleo import mcus, native, store
from virtual_nucleo.errors import VirtualError
from virtual_nucleo.faults import BoardFault


def test_any_program_runs_from_anywhere(compiler, tmp_path):
    """Ten lines in another folder, with a program that no store has, in an odd place."""
    elf = tmp_path / "my program+1.elf"
    elf.write_bytes(compiler("echo").read_bytes())
    lines = [
        "import sys, serial, virtual_nucleo",
        f"virtual_nucleo.keep_in({str(store.home())!r})",
        f"port = serial.serial_for_url('virtual://?elf={elf.as_posix()}', 115200, timeout=5)",
        "port.write(b'hello')",
        "assert port.read(5) == b'hello' and port.inside.failure is None",
        "assert not [name for name in sys.modules if name.split('.')[0] == 'kit']",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, cwd=tmp_path)


def test_a_file_is_run_as_it_is_when_the_board_is_opened(compiler, board):
    """elf= needs no flash, and there is none to be programmed."""
    url = f"virtual://?elf={compiler('shapes', 'VERSION=65').as_posix()}"
    assert board(url=url).read(1) == b"A" and store.names() == []
    with pytest.raises(VirtualError, match="no flash of its own"):
        store.program(url, compiler("echo"))
    with pytest.raises(serial.SerialException, match="No such file"):
        board(url="virtual://?elf=missing.elf")


def test_a_chip_may_be_chosen_and_must_be_modeled(compiler, board):
    """Another family is refused in words, whether the URL or the program names it."""
    url = f"virtual://?elf={compiler('commands').as_posix()}"
    answer = ask(board(url=f"{url}&mcu=stm32f411re"), b"i", 4)
    assert int.from_bytes(answer, "little") & 0xFFF == mcus.find_mcu("stm32f411re").device_id
    for name, why in {"stm32l476rg": "Its family, stm32l4, is not", "pic16": "STM32F446RE"}.items():
        with pytest.raises(serial.SerialException, match=f"no virtual {name.upper()}") as caught:
            board(url=f"{url}&mcu={name}")
        assert why in caught.value.why
    with pytest.raises(VirtualError, match="no virtual STM32L476RG"):
        board("shapes", "VERSION=65", "MCU=stm32l476rg")


def test_a_chip_of_ones_own(tmp_path, monkeypatch):
    """A board.toml in another folder is one row more."""
    text = next(mcus.BOARDS[0].glob("*f401re/board.toml")).read_text("utf-8")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "board.toml").write_text(text.replace("stm32f401re", "stm32f401vc"))
    monkeypatch.setattr(mcus, "BOARDS", [tmp_path, *mcus.BOARDS])
    assert mcus.find_mcu("STM32F401VC").core_hz == 84_000_000


def test_whoever_opens_while_another_programs_has_a_whole_program(compiler, board):
    """The file is replaced at once: the old program or the new one, never half of it."""
    programs = [compiler("shapes", f"VERSION={version}") for version in (65, 66)]
    store.program("default", programs[0])
    stop = threading.Event()

    def programming():
        while not stop.is_set():
            for elf in programs:
                store.program("default", elf)

    thread = threading.Thread(target=programming)
    thread.start()
    try:
        assert {board().read(1) for _ in range(20)} <= {b"A", b"B"}
    finally:
        stop.set()
        thread.join()
    assert [path.name for path in store.home().iterdir()] == ["default.elf"]


def test_a_place_that_cannot_be_written_is_told(compiler, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(store, "home", lambda: tmp_path / "file")
    with pytest.raises(VirtualError, match=r"default.elf cannot be written"):
        store.program("default", compiler("echo"))


def test_a_compiler_that_does_not_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(native, "TIME_LIMIT", 0.01)
    (tmp_path / "one.c").write_text("int one;\n")
    with pytest.raises(VirtualError, match=r"one.c could not be compiled") as caught:
        native.compile_library([tmp_path / "one.c"], tmp_path / "host")
    assert "within 0.01 seconds" in caught.value.why and "zig-cache" in caught.value.next_step


def test_a_cell_shows_a_fault_as_text(board):
    """IPython asks an exception for its own lines."""
    with pytest.raises(BoardFault) as caught:
        ask(board("faults"), b"\x00", 1)
    what, why, after = caught.value._render_traceback_()
    assert "write_flash()" in what and why.startswith("Why: ") and after.startswith("Next: ")
