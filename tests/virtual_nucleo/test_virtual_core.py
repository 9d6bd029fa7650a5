"""The core of the virtual board: its time, its estimate of cycles, and the faults that it takes.

Test programs and fixtures are those of tests/bare.py.
"""

import math
import re
import struct

import pytest
from bare import ask, marked_line, word
from hypothesis import given, settings
from hypothesis import strategies as st

from virtual_nucleo import memory_map as m
from virtual_nucleo import timing
from virtual_nucleo.chip import Chip
from virtual_nucleo.clocks import Rcc
from virtual_nucleo.faults import BoardFault
from virtual_nucleo.mcus import find_mcu
from virtual_nucleo.options import Options
from virtual_nucleo.program import Program
from virtual_nucleo.usart import READY, Usart
from virtual_nucleo.watcher import State, Time

# Faults of the core

ALIGN = ("at no multiple of 4", "UNALIGNED", "_Alignas")
RULES = {
    "load_pair": (0, *ALIGN),
    "store_pair": (1, *ALIGN),
    "load_many": (2, *ALIGN),
    "store_many": (3, *ALIGN),
    "load_float": (4, *ALIGN),
    "load_exclusive": (5, *ALIGN),
    "load_in_loop": (6, *ALIGN),
    "overwrite": (7, "wrote USART_DR while TXE was 0", "keeps one byte", "Wait for TXE"),
    "jump_to_peripheral": (8, "jumped to 0x40020000, where no code may be", "IACCVIOL", ""),
    "leap": (11, "the stack has overflowed into the variables", "no guard", "less stack"),
    "overflow": (10, "the stack has overflowed into the variables", "no guard", "less stack"),
}


def sent_then_fault(port):
    """Everything the program sent before its fault, and the fault."""
    sent = b""
    with pytest.raises(BoardFault) as caught:
        for _ in range(20):
            sent += port.read(100)
    return sent, caught.value


@pytest.mark.parametrize("function", RULES)
def test_rules_of_the_core_are_enforced(board, function):
    """What the code did, at which line, what a real chip does, and how to fix it."""
    port, (code, what, effect, fix) = board("core_rules"), RULES[function]
    port.write(bytes([code]))
    _, fault = sent_then_fault(port)
    assert what in fault.what and effect in fault.why and fix in fault.next_step
    lines = [marked_line(function, "core_rules.c")]
    if "overflowed" in what:  # perhaps it is the function's own push that does it
        lines.append(lines[0] - 2)
    assert fault.location.function == function and fault.location.line in lines


@pytest.mark.parametrize("request_", [b"a", b"p", b"w"])
def test_what_a_real_chip_allows_is_allowed(board, request_):
    """Words and halfwords at any address; filling the free RAM; reading what was written."""
    assert ask(board("core_rules"), request_, 1) == request_


def test_ram_has_random_content_after_power_on(board):
    """A program that relies on zeros fails here too, and in the same way each time."""
    values = [word(board("core_rules"), b"r") for _ in range(2)]
    assert values[0] == values[1] != 0


def run(chip, data, seconds=2.0):
    """What a program answers, without a port around its chip."""
    chip.send(data)
    chip.run(seconds)
    return bytes(chip.usart.outgoing)


@pytest.fixture
def powered(compiler):
    """A chip with a test program and options of its own."""
    chips = []

    def power_on(name, **options):
        chips.append(Chip(Program(compiler(name)), Options(**options)))
        return chips[-1]

    yield power_on
    for chip in chips:
        chip.close()


def test_reading_what_was_never_written_is_refused_on_demand(powered):
    """The option finds the variable without a first value, and nothing else."""
    chip = powered("core_rules", uninitialized=True)
    assert run(chip, b"w") == b"w"  # the variable has its value, and reads like any other
    chip = powered("core_rules", uninitialized=True)
    with pytest.raises(BoardFault, match="RAM that it has never written") as caught:
        run(chip, b"\x09")
    assert caught.value.location.line == marked_line("read_never_set", "core_rules.c")
    assert "random" in caught.value.why and "first value" in caught.value.next_step
    assert len(run(powered("core_rules"), b"\x09")) == 1


@pytest.mark.parametrize("code, answer, what", [(7, b"xx", "TXE was 0"), (10, b"", "overflowed")])
def test_a_lenient_chip_goes_on_and_complains(powered, code, answer, what):
    """Not strict, it does what silicon does; the sentences gather, once for each place."""
    chip = powered("core_rules", strict=False)
    if code == 10:  # the stack eats the variables and runs out of the RAM at last
        with pytest.raises(BoardFault, match="below the RAM"):
            run(chip, bytes([code]))
    else:
        assert run(chip, bytes([code])) == answer
    (complaint,) = chip.complaints
    assert what in complaint and "core_rules.c, line" in complaint


def test_no_program_waits_while_a_complaint_is_put_in_words(powered, monkeypatch):
    """To find the line takes a second; a host that waits for a reply would give up."""
    chip, looked = powered("core_rules", strict=False), []
    locate = chip.program.locate
    monkeypatch.setattr(Program, "locate", lambda _, at: looked.append(at) or locate(at))
    assert run(chip, bytes([7])) == b"xx" and looked == []
    assert "TXE was 0" in chip.complaints[0] and looked


# The handler of the program


def answer(port, kind):
    """What the handler in handler.c sends: fault registers, saved registers, its own state."""
    port.write(bytes([kind]))
    reply = port.read(57)
    assert reply[:1] == b"!"
    return struct.unpack("<14I", reply[1:])


# number of the case: CFSR, BFAR (None: whatever), words saved, mark of the faulting line
HANDLED = {
    "a store to nowhere": (0, 1 << 9 | 1 << 15, 0x10000000, 8),
    "an undefined instruction": (1, 1 << 16, None, 8),
    "an unaligned float": (2, 1 << 24, None, 26),
    "a jump to nowhere": (3, 1 << 8, None, 8),
}


@pytest.mark.parametrize("name", HANDLED)
def test_a_fault_goes_to_the_programs_handler(board, name):
    """Stacking, EXC_RETURN, IPSR and fault registers: ARMv7-M ARM sections B1.5.6 and B3.2."""
    kind, cfsr_bits, bfar, words = HANDLED[name]
    port = board("handler")
    cfsr, hfsr, data, *saved, returning, stack, number = answer(port, kind)
    assert (cfsr, hfsr, number) == (cfsr_bits, 1 << 30, 3)
    assert bfar in (None, data)
    assert saved[1:5] == [1, 2, 3, 12]
    assert returning == (0xFFFFFFE9 if words == 26 else 0xFFFFFFF9)
    assert stack % 8 == 0
    # Bit 9 of xPSR says that the stack pointer was moved by a word, as "push" makes it: B1.5.7.
    assert saved[7] >> 9 & 1 == (kind == 2) and saved[7] >> 24 & 1
    fault = port.inside.failure
    assert fault is not None and fault.address in (saved[6], (saved[5] & ~1) - 2)


def test_all_that_the_handler_sends_comes_before_the_fault(board):
    """read() gives what was sent; the fault follows; the handler still answers; 'R' restarts."""
    port = board("handler")
    answer(port, 0)
    assert ask(port, b"q", 1) == b"q"
    assert "wrote to 0x10000000" in sent_then_fault(port)[1].what
    assert ask(port, b"again", 5) == b"again"
    port.write(b"R")
    assert port.read(1) == b"" and port.inside.failure is None
    assert ask(port, b"z", 1) == b"z"


def test_a_fault_in_the_handler_is_the_end(board):
    """A real core locks up (ARMv7-M ARM section B1.5.15); the first fault is the one told."""
    port = board("handler")
    answer(port, 0)
    port.write(b"f")
    assert "line" in sent_then_fault(port)[1].what
    with pytest.raises(BoardFault, match="0x10000000"):
        port.write(b"q")
    port.reset()
    assert ask(port, b"z", 1) == b"z"


# The serial port in time

DR, BRR, CR1 = 0x04, 0x08, 0x0C
STM32F446 = find_mcu("stm32f446re")


def test_a_program_that_reads_late_loses_bytes_and_hears_of_it(board):
    """RM0390 section 25.4.3: one byte stays, the next ones are lost, and the program goes on."""
    port = board("core_rules")
    assert ask(port, b"s12345678", 9) == b"1"
    (complaint,) = port.inside.complaints
    assert re.search(r"lost a byte .* in \w+\(\) \((board|core_rules).c, line \d+\)", complaint)
    assert "ORE" in complaint and "Read DR" in complaint
    assert ask(port, b"w", 1) == b"w"


def usart(host_baud=115_200, brr=139):
    """USART2 on 16 MHz, on; 139 makes 115108 baud."""
    clock, waiting = Time(State()), []  # no cycles: only the test moves it
    port = Usart(clock, Rcc(STM32F446), lambda: waiting.append(1))
    port.host_baud = host_baud
    port.write(BRR, brr)
    port.write(CR1, m.CR1_UE | m.CR1_TE | m.CR1_RE)
    port.complained = []
    port.complain = port.report = lambda *sentences: port.complained.append(sentences)
    port.read_sr()  # the program looks for bytes
    return clock, port, waiting


@given(st.binary(max_size=60), st.integers(1200, 300_000), st.floats(0, 0.9))
def test_a_program_that_polls_gets_every_byte_in_time(data, baud, share):
    """Working for less than the time of a byte between two polls loses nothing."""
    clock, port, waiting = usart(baud, round(16_000_000 / baud))
    start, read = clock.now(), []
    port.send(data)
    while not waiting:
        if port.read_sr() & m.SR_RXNE:
            clock.base += share * 10 / baud
            read.append(port.read_dr())
    assert bytes(read) == data and not port.complained
    assert clock.now() >= start + len(data) * 10 / baud * 0.999


@given(st.integers(2, 40), st.integers(0, 50))
def test_bytes_that_come_before_the_last_one_is_read_are_lost(count, frames):
    """The first stays in DR, ORE is set, and SR then DR clears it."""
    clock, port, _ = usart()
    port.send(bytes(range(1, count + 1)))
    assert port.read_sr() & m.SR_RXNE
    clock.base += (frames + 0.5) * 10 / 115_200
    lost = min(frames, count - 1)
    assert bool(port.read_sr() & m.SR_ORE) == bool(lost) and len(port.complained) == lost
    assert port.read_dr() == 1
    left = count - 1 - lost
    assert port.read_sr() == (READY | m.SR_RXNE if left else READY)
    if left:
        assert port.read_dr() == lost + 2


def test_reading_dr_alone_does_not_clear_an_error():
    """The sequence is SR, then DR (RM0390 section 25.6.1)."""
    clock, port, _ = usart()
    port.send(b"ab")
    clock.base += 1
    assert port.read_dr() == ord("a")
    assert port.read_sr() & m.SR_ORE
    port.read_dr()
    assert not port.read_sr() & m.SR_ORE


@pytest.mark.parametrize("host_baud", [9600, 57_600, 230_400, 119_000])
def test_a_garbled_byte_sets_an_error_flag(host_baud):
    """Another rate: FE where the stop bit is missed, else NF; and a complaint, never a stop."""
    _, port, _ = usart(host_baud)
    for byte in range(0, 256, 5):
        port.send([byte])
        while not (status := port.read_sr()) & m.SR_RXNE:
            pass
        assert status & (m.SR_FE | m.SR_NF) and port.read_dr() != byte
    assert all("baud" in what for what, _, _ in port.complained)


def test_what_is_sent_takes_its_time():
    """TXE: room in DR. TC: all bits are out. A byte takes ten bits (RM0390 section 25.4.2)."""
    clock, port, _ = usart()
    frame = 10 / (16_000_000 / 139)
    port.write(DR, 1)
    assert port.read_sr() & READY == m.SR_TXE  # it went to the shift register at once
    port.write(DR, 2)
    assert port.line.sr & READY == 0 and not port.complained
    port.write(DR, 3)
    assert "TXE was 0" in port.complained[0][0]
    while not port.read_sr() & m.SR_TC:
        pass
    assert clock.now() == pytest.approx(2 * frame) and port.outgoing == b"\1\3"


class Line:
    """What a UART does, told by the times at which its bytes are complete. A host leaves a byte's
    time between two writes."""

    def __init__(self, frame_in, frame_out):
        self.frame_in, self.frame_out = frame_in, frame_out
        self.coming, self.free = [], frame_in  # what comes when; when the host's next write starts
        self.held, self.overrun, self.lost = None, False, 0
        self.start = self.end = 0.0  # of the last byte that is sent: out of DR, out of the chip

    def send(self, now, data):
        start = self.free if self.coming else max(self.free, now) + self.frame_in
        self.coming += [(start + i * self.frame_in, byte) for i, byte in enumerate(data)]
        self.free = start + len(data) * self.frame_in

    def next_event(self, now):
        times = [time for time, _ in self.coming[:1]] + [self.start, self.end]
        return min((time for time in times if time > now + EARLY), default=now)

    def status(self, now):
        while self.coming and self.coming[0][0] <= now + EARLY:
            _, byte = self.coming.pop(0)
            self.lost += self.held is not None
            self.overrun |= self.held is not None
            self.held = byte if self.held is None else self.held
        flags = m.SR_RXNE * (self.held is not None) | m.SR_ORE * self.overrun
        return flags | m.SR_TXE * (now > self.start - EARLY) | m.SR_TC * (now > self.end - EARLY)

    def put(self, now):
        self.status(now)
        self.start = max(now, self.end)
        self.end = self.start + self.frame_out


EARLY = 1e-9  # seconds by which two sums of the same times may differ
DEEDS = st.one_of(
    st.binary(min_size=1, max_size=5), st.floats(0, 2.5), st.sampled_from(["look", "take", "put"])
)


@given(st.lists(DEEDS, max_size=60), st.integers(1200, 300_000))
def test_the_times_of_bytes_are_those_of_a_line(deeds, baud):
    """Whatever a host sends when, and however long a program works between looking at SR, reading
    DR and writing it: SR is what the times of all bytes make it, and looking moves time to the next
    of them at most."""
    clock, port, _ = usart(baud, brr := round(16_000_000 / baud))
    line, sent, seen = Line(10 / baud, 10 * brr / 16e6), bytearray(), READY
    for deed in deeds:
        before = clock.now()
        if isinstance(deed, bytes):
            line.send(before, deed)
            port.send(deed)
        elif isinstance(deed, float):
            clock.base += deed * 10 / baud
        elif deed == "look":
            following, seen = line.next_event(before), port.read_sr()
            assert clock.now() in (before, pytest.approx(following, abs=EARLY))
            assert seen == line.status(clock.now())
        elif deed == "take" and seen & m.SR_RXNE:
            line.status(before)
            assert port.read_dr() == line.held
            line.held, line.overrun = None, line.overrun and not seen & m.SR_ORE
            seen &= ~m.SR_RXNE
        elif deed == "put" and seen & m.SR_TXE:
            line.put(before)
            sent.append(len(sent))
            port.write(DR, len(sent) - 1)
            seen = 0
    port.drain()
    assert clock.now() >= line.end - EARLY and port.outgoing == sent
    assert port.read_sr() == line.status(clock.now())
    assert len(port.complained) == line.lost


def test_all_that_a_program_sends_is_kept():
    """However long nobody reads it."""
    _, port, _ = usart()
    sent = bytes(i * 7 % 256 for i in range(10_000))
    for byte in sent:
        while not port.read_sr() & m.SR_TXE:
            pass
        port.write(DR, byte)
    port.drain()
    assert port.outgoing == sent


def test_boards_open_at_once_do_not_mix(board):
    """Each chip has its own counters and time."""
    ports = [board("counting", url=f"virtual://{name}") for name in ("a", "b")]
    for case, count in ((3, 32), (9, 30001), (1, 4)):
        assert [word(port, bytes([case])) for port in ports] == [count, count]


def test_code_in_ram_runs_and_may_be_changed(board):
    """As on a chip, also when it was executed before, and other things were stored beside it."""
    port = board("commands")
    for _ in range(3):
        assert ask(port, b"x", 2) == b"12"
        port.write(b"w1234")


BASES = {  # code: registers looked at when the block begins, and whether it leaves whole words
    "c802": (["r0"], [], True),  # ldmia r0!, {r1}
    "c802 c802": (["r0"], [], True),  # once is enough
    "c802 3002": (["r0"], [], False),  # and adds r0, #2
    "6808 c802": ([], ["r0"], True),  # ldr r0, [r1] before: watched where it is
    "c802 6808 c802": (["r0"], ["r0"], True),  # in between
    "e9d1 2300 c802": (["r1", "r0"], [], False),  # ldrd r2, r3, [r1]; ldmia writes r1
    "c80e c90c": (["r0"], ["r1"], True),  # ldmia r0!, {r1-r3}; ldmia r1!, {r2, r3}
}


@pytest.mark.parametrize("code", BASES)
def test_a_base_is_looked_at_where_it_gets_its_value(code):
    """Else a loop over words would be watched at each of its turns, or a wrong base be missed."""
    block = timing.decode(halfwords(code), 0x100)
    bases = [[base for _, base in guards] for guards in (block.first, block.guards)]
    assert (*bases, block.steady) == BASES[code]


# Cycles


def halfwords(text):
    return b"".join(struct.pack("<H", int(part, 16)) for part in text.split())


CYCLES = {  # code: cycles to its end; Cortex-M4 TRM table 3-1, sections 3.3.2 and 7.2.3
    "1840": 1,  # adds r0, r0, r1
    "fb02 3301": 1,  # mla r3, r2, r1, r3
    "fb20 3102": 1,  # smlad r1, r0, r2, r3
    "fbb0 f0f1": timing.DIVISION,  # udiv r0, r0, r1
    "6818": 2,  # ldr r0, [r3]
    "6818 6859": 3,  # ldr r0, [r3]; ldr r1, [r3, #4]
    "6818 6801": 4,  # ldr r0, [r3]; ldr r1, [r0]: its address is the data of the first
    "6018": 1,  # str r0, [r3]
    "5118": 2,  # str r0, [r3, r4]
    "c90e": 4,  # ldm r1, {r1, r2, r3}
    "b5f0": 6,  # push {r4-r7, lr}
    "e9d1 2300": 3,  # ldrd r2, r3, [r1]
    "d1fb": 1,  # bne, not taken
    "eea0 2a20": 3,  # vfma.f32 s4, s0, s1
    "eea0 2a20 ee32 3a02": 5,  # and vadd.f32 s6, s4, s4, which waits a cycle for its result
    "ee80 0a20": 14,  # vdiv.f32 s0, s0, s1
    "ed91 0a00": 2,  # vldr s0, [r1]
    "ecb1 0a04": 5,  # vldmia r1!, {s0-s3}
    "f3bf 8f6f": 1 + timing.REFILL,  # isb
}


@pytest.mark.parametrize("code", CYCLES)
def test_cycles_are_those_of_the_manual(code):
    assert list(timing.decode(halfwords(code), 0x100).cycles.values())[-1] == CYCLES[code]


@pytest.mark.parametrize("code", ["d1fb", "e7fe", "bd10", "4770", "b108", "f000 f800", "e8df f000"])
def test_a_taken_branch_fills_the_pipeline_again(code):
    """B, POP with PC, BX, CBZ, BL, TBB: P cycles more."""
    assert timing.decode(halfwords(code), 0x100).branch == timing.REFILL
    assert timing.decode(halfwords("1840"), 0x100).branch == 0


@settings(max_examples=300)
@given(st.binary(min_size=2, max_size=60))
def test_any_code_is_counted_by_its_lengths(code):
    """Also what capstone does not know: the lengths are those of ARMv7-M ARM section A5.1."""
    code = code[: len(code) // 2 * 2]
    places, position = [], 0
    while position < len(code):
        places.append(0x100 + position)
        position += 4 if code[position + 1] >> 3 >= 0b11101 else 2
    if position > len(code):
        return  # the last instruction is cut
    cycles = timing.decode(code, 0x100).cycles
    assert list(cycles) == [*places, 0x100 + len(code)]
    assert all(b > a for a, b in zip(cycles.values(), [*cycles.values()][1:], strict=False))


def test_estimates_belong_to_the_reads_of_cyccnt(board):
    """Each read of the counter has its estimate: at least one cycle an instruction, and the loop
    of case 3 by hand: movs, ten times nop, subs, bne, of which nine jump back."""
    port = board("counting")
    differences = []
    for case in range(12):
        word(port, bytes([case]))
        first, *_, last = port.inside.take_cycle_estimates()
        differences.append(last.cycles - first.cycles)
        assert first.waits == last.waits == 0  # they are not counted here
    assert port.inside.take_cycle_estimates() == []
    assert differences[0] == 2 and differences[1] == 5  # ldr; ldr, three nops
    assert differences[3] == 2 + 1 + 10 * 3 + 9 * timing.REFILL
    assert differences[8] == 2 + 3000
    assert all(cycles >= 1 for cycles in differences)


def test_time_is_cycles_at_the_clock_of_the_core(powered):
    """Three milliseconds of SysTick at 16 MHz; the clock of the core follows RCC."""
    chip = powered("commands")
    before = chip.time.now()
    assert run(chip, b"t") == b"ttt0"
    assert chip.time.now() - before >= 0.003
    assert math.isclose(chip.time.hz, 16e6)
    run(chip, b"p")
    assert math.isclose(chip.time.hz, 180e6)


def test_idle_time_is_real_time(powered, monkeypatch):
    """While the program waits for the host the heartbeat beats at its pace."""
    chip = powered("echo")
    run(chip, b"")
    before, clock = chip.time.now(), [0.0]
    chip.time.asleep = 0.0
    monkeypatch.setattr("virtual_nucleo.watcher.time.monotonic", lambda: clock[0])
    clock[0] = 7.0
    chip.time.wake()
    assert chip.time.now() == pytest.approx(before + 7.0)
    chip.time.wake()
    assert chip.time.now() == pytest.approx(before + 7.0)
