"""Frames and requests over a line (kit.board.frame, kit.board.link): whatever a line or a board
does, there is a right answer or an error that says what to do, after a bounded time."""

import binascii
import contextlib
import re

import numpy as np
import pytest
import serial
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st
from lines import Line, damage, good

from kit.board import LinkError, Request, frame, link
from kit.board.frame import Frame, FrameReader, crc32, decode, encode
from kit.board.link import Link
from kit.board.requests import ERROR, ERRORS, NUMBERS, REPLY

frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=800))


def test_the_crc_is_the_published_one():
    """CRC-32/ISO-HDLC: the check value of the catalog of CRC algorithms."""
    assert crc32(b"123456789") == 0xCBF43926


@given(st.lists(st.integers(0, 600), max_size=6))
def test_zeros_are_stuffed_as_cobs_says(runs):
    """Runs of other bytes between zeros, as long as a block and longer."""
    data = b"\0".join(b"\1" * run for run in runs)
    assert frame.stuff(data) == cobs.encode(data)


@given(st.lists(frames, max_size=4), st.integers(1, 50))
def test_frames_may_arrive_in_any_pieces(sent, size):
    data = b"".join(map(encode, sent))
    reader = FrameReader()
    pieces = (data[i : i + size] for i in range(0, len(data), size))
    assert [frame for piece in pieces for frame in reader.feed(piece)] == sent


@given(frames, st.data())
def test_a_damaged_frame_is_never_taken_for_another(frame, data):
    """One to three damaged bits are always found: CRC-32's distance at these lengths is 5 or more,
    and among frames damaged at random 1 of 4 billion escapes it."""
    body = bytearray(cobs.decode(encode(frame).strip(b"\0")))
    bits = st.integers(0, 8 * len(body) - 1)
    for bit in data.draw(st.sets(bits, min_size=1, max_size=3)):
        body[bit // 8] ^= 1 << bit % 8
    assert decode(cobs.encode(bytes(body))) is None


@given(frames, st.data())
def test_bytes_damaged_on_the_line_never_make_a_frame(frame, data):
    """Whatever other bytes arrive, zeros that end a frame early included: damaged or nothing."""
    sent = bytearray(encode(frame))
    places = st.integers(1, len(sent) - 2)
    for place in data.draw(st.sets(places, min_size=1, max_size=8)):
        sent[place] = data.draw(st.integers(0, 255).filter(lambda byte, at=place: byte != sent[at]))
    assert [found for found in FrameReader().feed(bytes(sent)) if found] == []


@given(frames, st.integers(1, 799))
def test_a_truncated_frame_is_not_a_frame(frame, cut):
    block = encode(frame).strip(b"\0")
    assert decode(block[: max(1, len(block) - cut)]) is None


# --- Frames on a bad line ------------------------------------------------------------------------


def traffic(rng, count):
    """Frames as they go over the line: requests and replies of all kinds, digits and scores."""
    requests = {"HELLO": 0, "LAYER": 1, "RECOGNIZE": 784, "RUN": 784, "BAUD": 4}
    replies = {"HELLO": 110, "LAYER": 55, "RECOGNIZE": 10, "MEASURE": 22}
    kinds = [(Request[name], size) for name, size in requests.items()]
    kinds += [(Request[name] | REPLY, size) for name, size in replies.items()]
    for number, choice in enumerate(rng.integers(0, len(kinds), count)):
        kind, size = kinds[choice]
        payload = rng.integers(0, 256, size, np.uint8)
        if size == 784:
            payload[rng.random(784) < 0.8] = 0  # a digit is black for the most part
        yield Frame(kind, number % 256, payload.tobytes())


def receive(count, seed, rate=0.01):
    """Send frames over a bad line: how many arrived, were found damaged, and were wrong."""
    rng, reader = np.random.default_rng(seed), FrameReader()
    right = damaged = wrong = 0
    for _ in range(0, count, 500):
        sent = list(traffic(rng, 500))
        arrived = damage(b"".join(map(encode, sent)), rng, rate) + b"\0"
        frames = [frame for at in range(0, len(arrived), 777)
                  for frame in reader.feed(arrived[at : at + 777])]  # fmt: skip
        accepted = [frame for frame in frames if frame]
        wrong += len(set(accepted) - set(sent))
        right += len(set(accepted) & set(sent))
        damaged += len(frames) - len(accepted)
    return right, damaged, wrong


@pytest.mark.deep
def test_of_100000_frames_on_a_bad_line_no_wrong_one_is_accepted():
    """1 % of the bytes changed, dropped or inserted: a frame arrives as it was sent, or not."""
    right, damaged, wrong = receive(100_000, seed=1)
    assert wrong == 0
    assert damaged > 40_000 and right > 15_000


def test_a_weak_checksum_would_be_caught_by_that(monkeypatch):
    """The test above can fail: with 8 bits that differ, one damaged frame in 256 gets through."""
    monkeypatch.setattr(frame, "crc32", lambda data: (binascii.crc32(data) & 0xFF) * 0x0101_0101)
    assert receive(10_000, seed=1)[2] > 0


# --- What a bad line may send to the host --------------------------------------------------------


def damaged(request):
    data = bytearray(good(request))
    data[4] ^= 0x10
    return bytes(data)


@pytest.mark.parametrize("first", [lambda r: b"", damaged, lambda r: good(r)[:5]])
def test_a_lost_or_damaged_reply_is_asked_for_again(first):
    line = Line(lambda request, count: first(request) if count == 1 else good(request))
    assert Link(line, 0.05).request(Request.HELLO) == b"yes"
    assert line.requests == 2


@pytest.mark.parametrize(
    "earlier",
    [
        lambda r: Frame(Request.HELLO | REPLY, r.sequence - 1, b"late"),
        lambda r: Frame(ERROR, 0, bytes([0, 1, 0])),  # of what a board missed that was starting
    ],
)
def test_what_answers_an_earlier_request_is_not_taken(earlier):
    """It comes together with the reply to what was asked last."""
    line = Line(lambda request, count: encode(earlier(request)) + good(request))
    assert Link(line, 0.05).request(Request.HELLO) == b"yes"
    assert line.requests == 1


class SlowLine(Line):
    """A line whose clock is not the computer's: each look at it takes a tenth of a second, and the
    peer's answer comes after `seconds`."""

    def __init__(self, monkeypatch, seconds):
        super().__init__(lambda request, count: b"")
        self.now, self.seconds, self.due = 0.0, seconds, []
        monkeypatch.setattr(link.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(link.time, "sleep", lambda seconds: None)

    def write(self, data):
        if frame := data.strip(b"\0"):
            self.requests += 1
            self.due.append((self.now + self.seconds, good(decode(frame))))

    def read(self, size):
        self.now += 0.1
        while self.due and self.due[0][0] <= self.now:
            self.waiting += self.due.pop(0)[1]
        return super().read(size)

    in_waiting = property(lambda self: self._tick())

    def _tick(self):
        self.now += 0.01
        return len(self.waiting)


class Leftovers(Line):
    """A line with a clock of its own, on which replies to a program that died still come, one each
    tenth of a second: `leave` puts them there. The reply to what is asked comes behind them."""

    def __init__(self, monkeypatch):
        super().__init__(lambda request, count: b"")
        self.now, self.due = 0.0, []
        monkeypatch.setattr(link.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(link.time, "sleep", self.pass_time)

    def leave(self, replies):
        self.due += [(self.now + (number + 1) / 10, reply) for number, reply in enumerate(replies)]

    def pass_time(self, seconds):
        self.now += seconds
        while self.due and self.due[0][0] <= self.now:
            self.waiting += self.due.pop(0)[1]

    def write(self, data):
        if frame := data.strip(b"\0"):
            self.requests += 1
            behind = self.due[-1][0] if self.due else self.now
            self.due.append((behind + 0.01, good(decode(frame))))

    def read(self, size):
        if not self.waiting:
            self.pass_time(0.01)
        return super().read(size)


def refused(request, sequence, error):
    """The reply that the firmware gives to what it cannot serve."""
    return encode(Frame(ERROR, sequence, bytes([request, error, 0, 0, 0, 0, 0])))


@pytest.mark.parametrize(
    "left",
    [
        b"\x55\xaa\xff\0",  # at another baud rate
        damaged(Frame(Request.RUN, 9, b"")),
        refused(0, 0, NUMBERS["ERROR_CORRUPTED"]),  # half a request
        refused(0, 0, NUMBERS["ERROR_TOO_LONG"]),
        refused(Request.RUN, 1, NUMBERS["ERROR_WRONG_LENGTH"]),  # with the number of the first try
        encode(Frame(Request.STATUS | REPLY, 1, b"late")),
    ],
    ids=["noise", "damaged", "half", "long", "refused", "late"],
)
@pytest.mark.parametrize("count", [1, 3, 30])
def test_what_a_program_that_died_left_on_the_line_does_not_count(monkeypatch, left, count):
    """However often it comes: the first HELLO of the next program is answered, and so is the one
    after the port was opened anew."""
    line = Leftovers(monkeypatch)
    made = Link(line)
    line.leave([left] * count)
    assert made.request(Request.HELLO) == b"yes"
    made._broken(serial.SerialException("gone"))
    line.leave([left] * count)
    assert made.request(Request.HELLO) == b"yes"


def test_on_a_line_in_use_a_damaged_reply_is_asked_for_again_at_once(monkeypatch):
    """There nothing is left over: waiting on would take seconds on a noisy line."""
    line = Leftovers(monkeypatch)
    made = Link(line)
    made.request(Request.HELLO)
    line.leave([b"\x55\xaa\xff\0"])
    line.write = lambda data: line.due or Leftovers.write(line, data)  # the first one is lost
    before = line.now
    assert made.request(Request.STATUS) == b"yes"
    assert line.requests == 2 and line.now - before < 1


@pytest.mark.parametrize(
    ("macs", "hz", "seconds"),
    [(3_000_000, 16_000_000, 8.0), (50_000_000, 180_000_000, 14.0), (100_000, 180_000_000, 0.5)],
)
def test_a_large_network_is_waited_for(monkeypatch, macs, hz, seconds):
    """As long as the MACs and the clock that the board tells of may take; 30 cycles each, here."""
    line = SlowLine(monkeypatch, seconds)
    made = Link(line)
    made.expect_work(macs, hz)
    assert made.request(Request.RUN, bytes(784)) == b"yes" and line.requests == 1
    with pytest.raises(LinkError) if seconds > 3 else contextlib.nullcontext():
        made.request(Request.STATUS)  # which is no work for the network


@pytest.mark.parametrize("macs", [0, 100_000, 2**32 - 1])
def test_who_does_not_answer_in_time_is_told_so(monkeypatch, macs):
    """With how long it was waited, which has an end whatever the board has told."""
    line = SlowLine(monkeypatch, 10**6)
    made = Link(line)
    made.expect_work(macs, 0)
    with pytest.raises(LinkError, match="did not answer 3 requests") as caught:
        made.request(Request.RUN, bytes(784))
    waited = float(re.search(r"within ([\d.]+) seconds", caught.value.why)[1])
    assert waited <= line.now <= 3 * (waited + link.LONGEST_WORK + 1) < 800
    assert "broke" not in str(caught.value)


def test_a_long_request_gets_the_time_that_its_bytes_take():
    """27 KB take 2.4 seconds at 115,200 baud; a port that stays stuck is told as what it is."""

    class Stuck(Line):
        write_timeout, resets = 2.0, 0

        def write(self, data):
            if len(data) * 10 / 115_200 > self.write_timeout:
                raise serial.SerialTimeoutException("Write timeout")
            return super().write(data)

        def reset_output_buffer(self):
            self.resets += 1

    line = Stuck(lambda request, count: good(request))
    made = Link(line, 0.05)
    assert made.request(Request.RUN, bytes(range(1, 251)) * 108) == b"yes"
    line.write = lambda data: Stuck.write(line, bytes(10**7))
    with pytest.raises(LinkError, match="takes no more bytes") as caught:
        made.request(Request.HELLO)
    assert "seconds" in caught.value.why and "broke" not in str(caught.value)
    assert line.resets == link.ATTEMPTS


@pytest.mark.parametrize("code", [*ERRORS, 99])
def test_each_refusal_has_an_advice_of_its_own(code):
    """Nobody is told to flash where flashing does not help; only what may have been damaged on the
    way is sent again."""
    line = Line(lambda r, _: encode(Frame(ERROR, r.sequence, bytes([r.type, code, 0]))))
    with pytest.raises(LinkError, match="refused") as caught:
        Link(line, 0.02).request(Request.RUN, b"123")
    assert caught.value.next_step
    assert ("flash" in caught.value.next_step.lower()) == (code in (2, 3, 4, 6, 8, 99))
    assert line.requests == (link.ATTEMPTS if code in (1, 2) else 1)


@pytest.mark.parametrize(
    ("url", "silent", "gone"),
    [
        ("socket://h:1", "Who runs", "Start"),
        ("REPLAY://x", "Record", ""),
        ("COM5", "--board COM5", "Plug"),
    ],
)
def test_the_advice_fits_the_address(url, silent, gone):
    """A board behind a network cannot be flashed from here nor plugged in, nor can a recording.
    What does not answer is asked three times."""

    def vanish(request, count):
        raise serial.SerialException("device reports readiness to read but returned no data")

    for peer, what, advice in ((lambda *_: b"", "answer", silent), (vanish, "broke off", gone)):
        line = Line(peer)
        line.port = url
        with pytest.raises(LinkError, match=what) as caught:
            Link(line, 0.01).request(Request.HELLO)
        assert advice in caught.value.next_step and line.requests == link.ATTEMPTS


def test_a_port_that_cannot_change_its_rate_stays_at_the_safe_one():
    """Some drivers refuse a rate; the board, which has changed, is brought back."""

    class Fixed(Line):
        baudrate = property(lambda self: 115_200, lambda self, rate: self.refuse(rate))

        def refuse(self, rate):
            if rate != 115_200:
                raise ValueError(f"{rate} is not supported")

    kinds = []

    def peer(request, count):
        kinds.append(request.type)
        return good(request)

    made = Link(Fixed(peer), 0.05)
    made.speed_up(460_800)
    assert made.baud == 115_200
    assert kinds == [Request.BAUD, Request.HELLO] * 2  # of 460,800 and 230,400 HELLO is the end


def test_after_a_failure_the_host_stays_at_the_safe_rate():
    """The second try already goes out at 115200."""
    line = Line(lambda request, count: b"" if count == 3 else good(request))
    made = Link(line, 0.05)
    made.speed_up(921_600)
    assert line.baudrate == made.baud == 921_600
    assert made.request(Request.STATUS) == b"yes"
    assert line.baudrate == made.baud == 115_200
