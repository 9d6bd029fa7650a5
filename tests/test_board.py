"""A board answers every request rightly or says why not; nothing on the line goes unnoticed."""

import contextlib
import re
import struct

import numpy as np
import pytest
import serial
from cobs import cobs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import Spec, make

from kit.board import Board, LinkError, flash, link
from kit.board.board import _crash_error
from kit.board.link import Frame, FrameReader, Link, crc32, decode, encode
from kit.compile import HostNetwork, build_firmware
from kit.errors import KitError
from kit.generate import generate_network
from kit.model import Reference, pixels_to_input, read_model
from kit.provenance import digest

URL = "virtual://test-board"
frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=800))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small network for 28 x 28 pixels on a virtual board: its model and its C."""
    folder = tmp_path_factory.mktemp("small")
    spec = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 3)
    path = make(spec, folder / "small.tflite")
    network = generate_network(path, folder / "network")
    flash(URL, build_firmware(network, folder).elf)
    return path, network


@pytest.fixture
def board(small):
    with Board(URL) as board:
        board.link.reply_seconds = 1.0
        board.port.timeout = 10.0  # of a busy computer; a read ends as soon as the board is idle
        yield board


@pytest.fixture(scope="module")
def images():
    pixels = np.random.default_rng(1).integers(0, 256, (5, 24, 24), np.uint8)
    return np.pad(pixels, ((0, 0), (2, 2), (2, 2)))


def test_the_crc_is_the_published_one():
    """CRC-32/ISO-HDLC: the check value of the catalog of CRC algorithms."""
    assert crc32(b"123456789") == 0xCBF43926


@given(frames)
def test_a_frame_survives_the_line(frame):
    assert FrameReader().feed(encode(frame)) == [frame]


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
    assert decode(block[: max(1, len(block) - cut)]) in (None, frame if cut == 0 else None)


def test_hello_describes_the_network(board, small):
    """What the board says is what was generated."""
    _, network = small
    hello = board.hello()
    assert (hello.network, hello.engine, hello.macs) == ("small.tflite", "portable", network.macs)
    assert (hello.weights_bytes, hello.arena_bytes) == (network.weights_bytes, network.arena_bytes)
    for ours, theirs in ((hello.input, network.input), (hello.output, network.output)):
        assert (ours.dtype, ours.bytes, ours.zero_point) == (
            theirs.dtype,
            theirs.bytes,
            theirs.zero_point,
        )
        assert ours.scale == pytest.approx(theirs.scale, rel=1e-7)
    for number, layer in enumerate(network.layers):
        described = board.layer(number)
        assert (described.name, described.operator, described.macs) == (
            layer.name,
            layer.operator,
            layer.macs,
        )


def test_an_image_and_its_scores(board, small, images):
    """Pixels are prepared on the chip as Python does it, and the scores are the reference's."""
    path, _ = small
    expected = Reference(path).run(pixels_to_input(images.reshape(-1, 784), read_model(path).input))
    np.testing.assert_array_equal(board.scores(images), expected)
    assert [board.recognize(image).digit for image in images] == list(expected.argmax(1))


def test_layers_can_be_watched(board, small):
    _, network = small
    one = np.random.default_rng(2).integers(-128, 128, 784, np.int8)
    for number, values in enumerate(HostNetwork(network).layers(one)):
        np.testing.assert_array_equal(board.watch(number, one), values)


def test_measuring_counts_each_layer_and_repeats(board, images):
    """Counts are instructions, so they are the same each time; layers sum up to the total."""
    measured = board.measure(images[0])
    assert measured.unit == "instructions" and len(measured.layers) == board.hello().layers
    assert sum(measured.layers) == measured.total > 784 * 12
    assert board.measure(images[0]).total == measured.total
    np.testing.assert_array_equal(measured.answer.scores, board.recognize(images[0]).scores)


def test_a_profile_has_every_layer_and_says_that_it_is_an_estimate(board, small, images):
    """On the virtual board: instructions as measured, cycles estimated, time at its clock."""
    profile, measured = board.profile(images[0]), board.measure(images[0])
    assert profile.estimated
    assert tuple(layer.instructions for layer in profile.layers) == measured.layers
    assert [layer.macs for layer in profile.layers] == [layer.macs for layer in small[1].layers]
    for layer in profile.layers:
        assert layer.instructions <= layer.cycles < 3 * layer.instructions
        assert layer.microseconds == pytest.approx(layer.cycles / profile.core_hz * 1e6)
    assert profile.cycles == sum(layer.cycles for layer in profile.layers)
    assert profile.microseconds == pytest.approx(profile.cycles / profile.core_hz * 1e6)


def test_a_profile_of_a_chip_has_its_cycles(board, images, monkeypatch):
    """Without estimates, as on a real port, what CYCCNT counted are the cycles."""
    monkeypatch.delattr("virtual_nucleo.protocol_virtual.Serial.take_cycle_estimates")
    profile = board.profile(images[0])
    assert not profile.estimated
    assert tuple(layer.cycles for layer in profile.layers) == board.measure(images[0]).layers
    assert [layer.instructions for layer in profile.layers] == [0] * len(profile.layers)


def test_a_reset_restarts_the_program(board, images):
    before = board.recognize(images[0])
    board.reset()
    np.testing.assert_array_equal(board.recognize(images[0]).scores, before.scores)


def test_the_led_shows_life(board):
    board.hello()  # the first one agrees on a baud rate, which takes more requests
    before = board.port.led_changes
    board.hello()
    board.hello()
    assert board.port.led_changes == before + 2


# --- What a program with errors, or a bad line, may send to the board ----------------------------


def answer(board, data):
    """Raw bytes to the board; the one frame it answers with."""
    board.port.write(data)
    (reply,) = [f for f in FrameReader().feed(board.port.read(2000)) if f]
    return reply


def error(board, data):
    reply = answer(board, data)
    assert reply.type == link.ERROR
    return reply.payload[0], reply.payload[1]


def test_refusals_name_the_request(board):
    """Unknown type, wrong length, no such layer: each has its code, and the next request works."""
    assert error(board, encode(Frame(99, 1, b""))) == (99, 3)
    assert error(board, encode(Frame(link.RECOGNIZE, 2, b"123"))) == (link.RECOGNIZE, 4)
    assert error(board, encode(Frame(link.HELLO, 3, b"123"))) == (link.HELLO, 4)
    assert error(board, encode(Frame(link.LAYER, 4, b"\x63"))) == (link.LAYER, 5)
    assert error(board, encode(Frame(link.WATCH, 5, b"\x63" + bytes(784)))) == (link.WATCH, 5)
    assert answer(board, encode(Frame(link.HELLO, 6, b""))).sequence == 6


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a damaged byte", b"\0\x03\x01\x07\x05\xff\0", 1),
        ("too short for a frame", b"\0\x02\x01\0", 1),
        ("cut in the middle", encode(Frame(link.RUN, 7, bytes(range(1, 200))))[:100] + b"\0", 1),
        ("one byte too long", encode(Frame(link.RUN, 7, bytes(786))), 2),
        ("far too long", encode(Frame(link.RUN, 7, b"\x55" * 5000)), 2),
        ("noise", b"\0" + b"\xaa" * 3000 + b"\0", 2),
    ],
)
def test_what_cannot_be_read_is_answered(board, name, data, code):
    """Never silence: a damaged or oversized request gets an error, and the next one works."""
    assert error(board, data) == (0, code)
    assert answer(board, encode(Frame(link.HELLO, 9, b""))).type == link.HELLO | link.REPLY


@settings(
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(noise=st.binary(max_size=300))
def test_after_any_noise_the_next_request_works(board, noise):
    """The zero in front of a frame ends whatever the receiver has collected."""
    board.port.write(noise)
    board.port.read(2000)
    assert board.hello().network == "small.tflite"


def test_two_requests_in_one_go_are_answered_in_order(board):
    """A host that does not wait gets each answer, with its sequence number."""
    board.port.write(encode(Frame(link.HELLO, 1, b"")) + encode(Frame(link.LAYER, 2, b"\0")))
    replies = FrameReader().feed(board.port.read(2000))
    assert [(f.type, f.sequence) for f in replies if f] == [(0x81, 1), (0x82, 2)]


# --- What a bad line may send to the host --------------------------------------------------------


class Line:
    """A port whose peer is a function: it gets each request and gives the bytes that come back."""

    port = "line"

    def __init__(self, peer):
        self.peer, self.waiting, self.requests = peer, b"", 0
        self.baudrate, self.opened = 115200, 1

    def open(self):
        self.opened += 1

    def close(self):
        self.waiting = b""

    def write(self, data):
        self.requests += 1
        request = decode(data.strip(b"\0"))
        self.waiting += self.peer(request, self.requests)

    def read(self, size):
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        return data

    def reset_input_buffer(self):
        pass  # a byte may still be on its way when the buffer is emptied

    @property
    def in_waiting(self):
        return len(self.waiting)


def good(request):
    return encode(Frame(request.type | link.REPLY, request.sequence, b"yes"))


def damaged(request):
    data = bytearray(good(request))
    data[4] ^= 0x10
    return bytes(data)


@pytest.mark.parametrize("first", [lambda r: b"", damaged, lambda r: good(r)[:5]])
def test_a_lost_or_damaged_reply_is_asked_for_again(first):
    line = Line(lambda request, count: first(request) if count == 1 else good(request))
    assert Link(line, 0.05).request(link.HELLO) == b"yes"
    assert line.requests == 2


def test_a_late_reply_to_an_earlier_request_is_not_taken():
    """Interleaved: the reply to request 1 comes together with the one to request 2."""

    def peer(request, count):
        late = Frame(link.HELLO | link.REPLY, request.sequence - 1, b"late")
        return encode(late) + good(request)

    assert Link(Line(peer), 0.05).request(link.HELLO) == b"yes"


def test_the_error_of_an_earlier_request_is_not_taken():
    """A board that was just starting answers what it missed, and then what was asked last."""

    def peer(request, count):
        return encode(Frame(link.ERROR, 0, bytes([0, 1, 0]))) + good(request)

    line = Line(peer)
    assert Link(line, 0.05).request(link.HELLO) == b"yes"
    assert line.requests == 1


def test_a_board_that_never_answers_is_an_error_after_bounded_tries():
    line = Line(lambda request, count: b"")
    with pytest.raises(LinkError, match="did not answer 3 requests"):
        Link(line, 0.02).request(link.HELLO)
    assert line.requests == link.ATTEMPTS


def test_a_board_that_is_unplugged_is_an_error_with_a_next_step():
    def peer(request, count):
        raise serial.SerialException("device reports readiness to read but returned no data")

    with pytest.raises(LinkError, match="broke off") as caught:
        Link(Line(peer), 0.02).request(link.HELLO)
    assert "Plug" in caught.value.next_step


class SlowLine(Line):
    """A line whose clock is not the computer's: each look at it takes a tenth of a second, and the
    peer's answer comes after `seconds`."""

    def __init__(self, monkeypatch, seconds):
        super().__init__(lambda request, count: b"")
        self.now, self.seconds, self.due = 0.0, seconds, []
        monkeypatch.setattr(link.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(link.time, "sleep", lambda seconds: None)

    def write(self, data):
        self.requests += 1
        self.due.append((self.now + self.seconds, good(decode(data.strip(b"\0")))))

    def read(self, size):
        self.now += 0.1
        while self.due and self.due[0][0] <= self.now:
            self.waiting += self.due.pop(0)[1]
        return super().read(size)

    in_waiting = property(lambda self: self._tick())

    def _tick(self):
        self.now += 0.01
        return len(self.waiting)


@pytest.mark.parametrize(("macs", "hz", "seconds"), [
    (3_000_000, 16_000_000, 8.0), (50_000_000, 180_000_000, 14.0), (100_000, 180_000_000, 0.5)
])  # fmt: skip
def test_a_large_network_is_waited_for(monkeypatch, macs, hz, seconds):
    """As long as the MACs and the clock that the board tells of may take; 30 cycles each, here."""
    line = SlowLine(monkeypatch, seconds)
    made = Link(line)
    made.expect_work(macs, hz)
    assert made.request(link.RUN, bytes(784)) == b"yes" and line.requests == 1
    with pytest.raises(LinkError) if seconds > 3 else contextlib.nullcontext():
        made.request(link.STATUS)  # which is no work for the network


@pytest.mark.parametrize("macs", [0, 100_000, 2**32 - 1])
def test_who_does_not_answer_in_time_is_told_so(monkeypatch, macs):
    """With how long it was waited, which has an end whatever the board has told."""
    line = SlowLine(monkeypatch, 10**6)
    made = Link(line)
    made.expect_work(macs, 0)
    with pytest.raises(LinkError, match="did not answer 3 requests") as caught:
        made.request(link.RUN, bytes(784))
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
    assert made.request(link.RUN, bytes(range(1, 251)) * 108) == b"yes"
    line.write = lambda data: Stuck.write(line, bytes(10**7))
    with pytest.raises(LinkError, match="takes no more bytes") as caught:
        made.request(link.HELLO)
    assert "seconds" in caught.value.why and "broke" not in str(caught.value)
    assert line.resets == link.ATTEMPTS


@pytest.mark.parametrize("code", [*link.ERRORS, 99])
def test_each_refusal_has_an_advice_of_its_own(code):
    """Nobody is told to flash where flashing does not help."""
    line = Line(lambda r, _: encode(Frame(link.ERROR, r.sequence, bytes([r.type, code, 0]))))
    with pytest.raises(LinkError, match="refused") as caught:
        Link(line, 0.02).request(link.RUN, b"123")
    assert caught.value.next_step
    assert ("flash" in caught.value.next_step.lower()) == (code in (2, 3, 4, 6, 8, 99))


def test_the_advice_fits_the_address():
    """A board behind a network cannot be flashed from here, nor can a recording."""
    for url, said in (
        ("socket://h:1", "Who runs"),
        ("REPLAY://x", "Record"),
        ("COM5", "--board COM5"),
    ):
        line = Line(lambda request, count: b"")
        line.port = url
        with pytest.raises(LinkError) as caught:
            Link(line, 0.01).request(link.HELLO)
        assert said in caught.value.next_step


def test_a_refusal_is_not_repeated():
    def peer(request, count):
        return encode(Frame(link.ERROR, request.sequence, bytes([request.type, 4, 0])))

    line = Line(peer)
    with pytest.raises(LinkError, match="wrong length"):
        Link(line, 0.02).request(link.RUN, b"123")
    assert line.requests == 1


def test_another_program_on_the_port_is_told_apart(monkeypatch, board):
    """A HELLO that makes no sense is not shown as a strange network."""
    monkeypatch.setattr(board.link, "request", lambda kind, *_, **__: struct.pack("<BB", 3, 200))
    with pytest.raises(LinkError, match=r"protocol[\s\S]*makes no sense"):
        board.hello()


@pytest.mark.parametrize("ask", [Board.status, Board.checksum, lambda board: board.layer(0)])
def test_a_reply_that_is_too_short_is_told(monkeypatch, board, ask):
    board.hello()
    monkeypatch.setattr(board.link, "request", lambda kind, *_, **__: b"\1\0")
    with pytest.raises(LinkError, match="too short"):
        ask(board)


def test_a_board_with_another_protocol_is_told_what_to_do(monkeypatch, board):
    monkeypatch.setattr(board.link, "request", lambda *_, **__: b"\x09 whatever comes later")
    with pytest.raises(LinkError, match="version 9") as caught:
        board.hello()
    assert "kit flash" in caught.value.next_step


@pytest.mark.parametrize("size", [0, 9, 11])
def test_an_output_of_another_length_is_an_error(monkeypatch, board, images, size):
    """Another program than the one that said hello; its bytes are not taken for scores."""
    inputs = np.zeros((1, 784), np.int8)
    board.hello()
    monkeypatch.setattr(board.link, "request", lambda *_, **__: bytes(size))
    for ask in (lambda: board.recognize(images[0]), lambda: board.run(inputs)):
        with pytest.raises(LinkError, match=f"sent {size} bytes of output, not 10"):
            ask()
    with pytest.raises(LinkError, match="bytes of output"):
        board.measure(images[0])


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
    assert kinds == [link.BAUD, link.HELLO] * 2  # 460,800 and 230,400, each given up with a HELLO


def test_after_a_failure_the_host_stays_at_the_safe_rate():
    """The second try already goes out at 115200."""
    line = Line(lambda request, count: b"" if count == 3 else good(request))
    line.baudrate = 115_200
    made = Link(line, 0.05)
    made.speed_up(921_600)
    assert line.baudrate == made.baud == 921_600
    assert made.request(link.STATUS) == b"yes"
    assert line.baudrate == made.baud == 115_200


# --- Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((28, 28)), "float64"),
        (np.zeros((27, 28), np.uint8), "27 x 28"),
        (np.zeros((28, 28), np.int8), "int8"),
        (np.full((28, 28), 255, np.uint8), "light"),
        (np.full((28, 28), np.nan), "float64"),
        ([[0] * 28] * 28, "list"),
    ],
)
def test_an_image_that_is_not_one_is_refused_before_it_is_sent(board, image, said):
    """The tutorial's mistakes: wrong type, wrong shape, inverted polarity."""
    board.hello()  # which says what the network takes
    board.link.last_sent = b""
    with pytest.raises(KitError, match=said):
        board.recognize(image)
    assert board.link.last_sent == b""


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (np.zeros((2, 784)), "784 of float64"),
        (np.zeros((2, 784), np.int64), "784 of int64"),
        (np.zeros((2, 783), np.int8), "783 of int8"),
        (np.zeros(784, np.int8), "1 of int8|a int8"),
        ([[0] * 784], "a list"),
    ],
)
def test_an_input_that_is_not_one_is_refused_before_it_is_sent(board, inputs, said):
    """As LiteRT's runner refuses it: another firmware would not help, so none is asked for."""
    board.layer(0)
    board.link.last_sent = b""
    for ask in (lambda: board.run(inputs), lambda: board.watch(0, inputs[0])):
        with pytest.raises(KitError, match=said) as caught:
            ask()
        assert "takes 784 values of int8" in caught.value.what
        assert (
            not board.link.last_sent or decode(board.link.last_sent.strip(b"\0")).type == link.LAYER
        )


def test_nothing_asked_is_nothing_answered(board):
    """No images and no inputs give no rows, of the network's kind."""
    for rows in (
        board.scores(np.empty((0, 28, 28), np.uint8)),
        board.run(np.empty((0, 784), np.int8)),
    ):
        assert rows.shape == (0, 10) and rows.dtype == np.int8


@pytest.mark.parametrize("number", [-1, 3, 255, 256, 300])
def test_a_layer_that_there_is_not(board, number):
    """Said before anything is sent, with how many there are."""
    one = np.zeros(784, np.int8)
    for ask in (lambda: board.layer(number), lambda: board.watch(number, one)):
        with pytest.raises(KitError, match=f"no layer {number}") as caught:
            ask()
        assert "has 3" in caught.value.why


def test_a_network_of_other_sizes_is_read_as_what_it_is(tmp_path):
    """64 inputs are an image of 8 x 8; three outputs are three scores. An image of MNIST is refused
    in words, and nobody is told to flash."""
    spec = Spec(64, (3,), None, True, True, True, True, 0.3, 1)
    path = make(spec, tmp_path / "eight.tflite")
    flash(
        "virtual://eight",
        build_firmware(
            generate_network(path, tmp_path / "network", input_range=(0, 1)), tmp_path
        ).elf,
    )
    images = np.random.default_rng(1).integers(0, 256, (4, 8, 8), np.uint8)
    inputs = pixels_to_input(images.reshape(-1, 64), read_model(path).input, (0, 1))
    with Board("virtual://eight") as board:
        expected = Reference(path).run(inputs)
        np.testing.assert_array_equal(board.scores(images), expected)
        np.testing.assert_array_equal(board.run(inputs), expected)
        assert board.recognize(images[0]).digit == expected[0].argmax()
        with pytest.raises(KitError, match="takes 64 values of uint8") as caught:
            board.recognize(np.zeros((28, 28), np.uint8))
        assert "flash" not in str(caught.value)


def test_a_damaged_program_of_another_board_does_not_hide_a_crash(tmp_path, monkeypatch):
    """The sources of a crash are looked for in every program there is."""
    monkeypatch.setenv("KIT_BUILD", str(tmp_path))
    for place, content in (("firmware.elf", b""), ("virtual/x.elf", b"\x7fELF" * 20)):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(content)
    error = _crash_error(struct.pack("<B4I8I", 3, 1 << 25, 0, 0, 0, *range(8)) + b"some build")
    assert "divided by zero" in error.what


@pytest.mark.parametrize("url", ["COM99", "/dev/ttyNOPE", "socket://127.0.0.1:9", "nonsense://x"])
def test_a_port_that_is_not_there(url):
    with pytest.raises(KitError) as caught:
        Board(url)
    assert url in caught.value.what and caught.value.next_step


def test_an_empty_virtual_board_says_so():
    with Board("virtual://never-flashed") as board, pytest.raises(KitError, match="empty"):
        board.hello()


@pytest.mark.parametrize("content", [b"", b"not an ELF file", b"\x7fELF" + bytes(60)])
def test_flashing_what_is_not_a_program_keeps_the_old_one(board, tmp_path, content):
    wrong = tmp_path / "wrong.elf"
    wrong.write_bytes(content)
    with pytest.raises(KitError):
        flash(URL, wrong)
    with Board(URL) as again:
        assert again.hello().network == "small.tflite"


def test_the_port_is_plain_pyserial():
    """Nothing above pyserial knows the virtual board."""
    assert isinstance(serial.serial_for_url(URL, do_not_open=True), serial.SerialBase)


@pytest.mark.parametrize("span", [(0, 255), (-1, 1), (1, 0)])
def test_the_chip_prepares_pixels_as_the_network_was_trained(small, tmp_path, span):
    """Every value of a pixel, for each way of training: as kit.model prepares them."""
    path, _ = small
    network = generate_network(path, tmp_path / "network", input_range=span)
    flash(f"{URL}-range", build_firmware(network, tmp_path).elf)
    images = np.resize(np.arange(256), (1, 28, 28)).astype(np.uint8)
    inputs = pixels_to_input(images.reshape(-1, 784), read_model(path).input, span)
    with Board(f"{URL}-range") as board:
        assert board.hello().input_range == span
        payload = board.link.request(link.RECOGNIZE, images.tobytes())
    np.testing.assert_array_equal(np.frombuffer(payload, np.int8), Reference(path).run(inputs)[0])


def test_pixels_are_refused_where_it_is_not_known_what_they_are(tmp_path):
    """An input range that fits no usual preparation: no image is read, inputs are."""
    path = make(Spec(9, (4,), None, True, True, False, True, 0.3, 5), tmp_path / "model.tflite")
    network = generate_network(path, tmp_path / "network")
    assert network.input_range is None
    flash(f"{URL}-range", build_firmware(network, tmp_path).elf)
    inputs = np.arange(9, dtype=np.int8)[None]
    with Board(f"{URL}-range") as board:
        assert board.hello().input_range is None
        for request in (link.RECOGNIZE, link.MEASURE):
            with pytest.raises(LinkError, match=r"wants its pixels[\s\S]*--input-range"):
                board.link.request(request, bytes(9))
        np.testing.assert_array_equal(board.run(inputs), Reference(path).run(inputs))


def test_hello_names_the_model_by_its_digest(board, small):
    """Two files of one name are told apart."""
    assert board.hello().digest == digest(small[0])
