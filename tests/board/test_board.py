"""A board answers every question rightly or says why not (kit.board.board): nothing is taken for an
answer that is none, and nothing is sent that is no question. The board is the virtual one."""

import struct

import numpy as np
import pytest
from depth import first
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lines import SMALL, URL, Line
from made import firmware, model, network
from networks import Spec

from kit.board import Board, LinkError, Request, flash, link
from kit.board.frame import Frame, FrameReader, decode, encode
from kit.board.requests import ERROR, REPLY
from kit.compile import HostNetwork, build_firmware
from kit.errors import KitError
from kit.generate import generate_network
from kit.model import Reference, pixels_to_input, read_model
from kit.provenance import file_digest
from virtual_nucleo.faults import BoardFault
from virtual_nucleo.program import Location


@pytest.fixture
def board(program):
    with Board(URL) as board:
        board.link.reply_seconds = 1.0
        board.port.timeout = 10.0  # of a busy computer; a read ends as soon as the board is idle
        yield board


def test_hello_describes_the_network(board):
    """What the board says is what was generated; two models of one name differ in their digest."""
    made, hello = network(SMALL), board.hello()
    assert (hello.network, hello.engine, hello.macs) == ("model.tflite", "portable", made.macs)
    assert (hello.weights_bytes, hello.arena_bytes) == (made.weights_bytes, made.arena_bytes)
    assert hello.digest == file_digest(model(SMALL))
    for told, known in ((hello.input, made.input), (hello.output, made.output)):
        assert (told.dtype, told.bytes) == (known.dtype, known.bytes)
        assert told.zero_point == known.zero_point
        assert told.scale == pytest.approx(known.scale, rel=1e-7)
    for number, layer in enumerate(made.layers):
        told = board.layer(number)
        assert (told.name, told.operator, told.macs) == (layer.name, layer.operator, layer.macs)


def test_an_image_and_its_scores(board, images):
    """Pixels are prepared on the chip as Python does it, and the scores are the reference's."""
    tensor = read_model(model(SMALL)).input
    expected = Reference(model(SMALL)).run(pixels_to_input(images.reshape(-1, 784), tensor))
    np.testing.assert_array_equal(board.scores(images), expected)
    assert [board.recognize(image).digit for image in images] == list(expected.argmax(1))


def test_layers_can_be_watched(board):
    one = np.random.default_rng(2).integers(-128, 128, 784, np.int8)
    for number, values in enumerate(HostNetwork(network(SMALL)).layers(one)):
        np.testing.assert_array_equal(board.watch(number, one), values)


def test_a_profile_has_every_layer_and_says_that_it_is_an_estimate(board, images):
    """On the virtual board: executed instructions, the same each time; cycles estimated from them;
    time at its clock. The reply has the network's output, too."""
    profile = board.profile(images[0])
    assert profile == board.profile(images[0]) and profile.estimated
    assert [layer.macs for layer in profile.layers] == [n.macs for n in network(SMALL).layers]
    assert sum(layer.instructions for layer in profile.layers) > 784 * 12
    for layer in profile.layers:
        assert layer.instructions <= layer.cycles < 3 * layer.instructions
        assert layer.microseconds == pytest.approx(layer.cycles / profile.core_hz * 1e6)
    assert profile.cycles == sum(layer.cycles for layer in profile.layers)
    assert profile.microseconds == pytest.approx(profile.cycles / profile.core_hz * 1e6)
    output = board.link.request(Request.MEASURE, images[0].tobytes())[4 * len(profile.layers) :]
    np.testing.assert_array_equal(np.frombuffer(output, np.int8), board.recognize(images[0]).scores)


def test_a_profile_of_a_chip_has_its_cycles(program, images, monkeypatch):
    """Without estimates, as on a real port, what CYCCNT counted are the cycles."""
    with Board(URL) as board:
        counted = [layer.instructions for layer in board.profile(images[0]).layers]
    monkeypatch.setattr("virtual_nucleo.protocol_virtual.Serial.inside", None)
    with Board(URL) as board:
        profile = board.profile(images[0])
    assert not profile.estimated and [layer.cycles for layer in profile.layers] == counted
    assert [layer.instructions for layer in profile.layers] == [0] * len(profile.layers)


def test_a_virtual_board_that_has_stopped_is_reset_by_its_black_button(monkeypatch):
    """Its program answers nothing then, not even a RESET."""
    pressed = []

    def stopped(request, count):
        raise BoardFault("It wrote to flash.", "", "", Location(), 0)

    line = Line(stopped)
    line.reset = lambda: pressed.append("black")
    monkeypatch.setattr("kit.board.board.open_port", lambda url: line)
    Board("virtual://stopped").reset()
    assert pressed == ["black"]


def test_the_led_shows_life(board):
    board.hello()  # the first one agrees on a baud rate, which takes more requests
    before = board.port.inside.led_changes
    board.hello()
    board.hello()
    assert board.port.inside.led_changes == before + 2


# --- What a program with errors, or a bad line, may send to the board ----------------------------


def answer(board, data):
    """Raw bytes to the board; the one frame it answers with."""
    board.port.write(data)
    (reply,) = [f for f in FrameReader().feed(board.port.read(2000)) if f]
    return reply


def error(board, data):
    reply = answer(board, data)
    assert reply.type == ERROR
    return reply.payload[0], reply.payload[1]


def test_refusals_name_the_request(board):
    """Unknown type, wrong length, no such layer: each has its code, and the next request works."""
    assert error(board, encode(Frame(99, 1, b""))) == (99, 3)
    assert error(board, encode(Frame(Request.RECOGNIZE, 2, b"123"))) == (Request.RECOGNIZE, 4)
    assert error(board, encode(Frame(Request.HELLO, 3, b"123"))) == (Request.HELLO, 4)
    assert error(board, encode(Frame(Request.LAYER, 4, b"\x63"))) == (Request.LAYER, 5)
    assert error(board, encode(Frame(Request.WATCH, 5, b"\x63" + bytes(784)))) == (Request.WATCH, 5)
    assert answer(board, encode(Frame(Request.HELLO, 6, b""))).sequence == 6


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a damaged byte", b"\0\x03\x01\x07\x05\xff\0", 1),
        ("too short for a frame", b"\0\x02\x01\0", 1),
        ("cut in the middle", encode(Frame(Request.RUN, 7, bytes(range(1, 200))))[:100] + b"\0", 1),
        ("one byte too long", encode(Frame(Request.RUN, 7, bytes(786))), 2),
        ("far too long", encode(Frame(Request.RUN, 7, b"\x55" * 5000)), 2),
        ("noise", b"\0" + b"\xaa" * 3000 + b"\0", 2),
    ],
)
def test_what_cannot_be_read_is_answered(board, name, data, code):
    """Never silence: a damaged or oversized request gets an error, and the next one works."""
    assert error(board, data) == (0, code)
    assert answer(board, encode(Frame(Request.HELLO, 9, b""))).type == Request.HELLO | REPLY


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
    assert board.hello().network == "model.tflite"


HALF = encode(Frame(Request.RUN, 7, bytes(range(1, 200))))[:100]


BEGUN = [b"", HALF, encode(Frame(Request.HELLO, 1, b""))[:-1], b"\xaa"]


@pytest.mark.parametrize("left", BEGUN, ids=["nothing", "half", "no end", "noise"])
@pytest.mark.parametrize("fastest", first(2, [link.SAFE_BAUD, *link.FASTER_BAUDS]))
def test_after_a_program_that_died_the_first_hello_is_answered(program, fastest, left, monkeypatch):
    """In its first try, whatever request had begun, and at whatever rate."""
    monkeypatch.setattr(link, "GLANCE_SECONDS", 3.0)  # of a busy computer
    with Board(URL, fastest) as died:
        died.hello()
        assert died.link.baud == fastest
        died.port.write(left)
        died.port.flush()
        died.port.baudrate = link.SAFE_BAUD
        fresh = link.Link(died.port)
        assert fresh.request(Request.HELLO)
        assert decode(fresh.last_sent.strip(b"\0")).sequence == 1


def test_two_requests_in_one_go_are_answered_in_order(board):
    """A host that does not wait gets each answer, with its sequence number."""
    board.port.write(encode(Frame(Request.HELLO, 1, b"")) + encode(Frame(Request.LAYER, 2, b"\0")))
    replies = FrameReader().feed(board.port.read(2000))
    assert [(f.type, f.sequence) for f in replies if f] == [(0x81, 1), (0x82, 2)]


# --- What another program may answer -------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "reply", "said"),
    [
        (Board.hello, struct.pack("<BB", 3, 200), "HELLO makes no sense"),
        (Board.hello, b"\x09 whatever comes later", "speaks version 9"),
        (Board.hello, b"", "too short"),
        (Board.status, b"\1\0", "STATUS makes no sense"),
        (Board.checksum, b"\1\0", "too short"),
        (lambda board: board.layer(0), b"\1\0", "too short"),
    ],
)
def test_another_program_on_the_port_is_told_apart(monkeypatch, board, ask, reply, said):
    """A reply that makes no sense is not shown as a strange network."""
    board.hello()
    monkeypatch.setattr(board.link, "request", lambda *_: reply)
    with pytest.raises(LinkError, match=f"protocol[\\s\\S]*{said}") as caught:
        ask(board)
    assert "kit flash" in caught.value.next_step


@pytest.mark.parametrize("size", [0, 9, 11])
def test_an_output_of_another_length_is_an_error(monkeypatch, board, images, size):
    """Another program than the one that said hello; its bytes are not taken for scores."""
    inputs = np.zeros((1, 784), np.int8)
    board.hello()
    monkeypatch.setattr(board.link, "request", lambda *_: bytes(size))
    for ask, one in ((board.recognize, images[0]), (board.run, inputs), (board.profile, images[0])):
        with pytest.raises(LinkError, match=r"sent \d+ bytes of output, not 10"):
            ask(one)


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
        sent = decode(board.link.last_sent.strip(b"\0"))
        assert sent is None or sent.type == Request.LAYER


def test_nothing_asked_is_nothing_answered(board):
    """No images and no inputs give no rows, of the network's kind."""
    for ask in (board.scores, board.run):
        rows = ask([])
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
    path = model(Spec(64, (3,), None, True, True, True, True, 0.3, 1))
    made = generate_network(path, tmp_path / "network", input_range=(0, 1))
    flash("virtual://eight", build_firmware(made, tmp_path).elf)
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


def test_an_empty_virtual_board_says_so():
    with Board("virtual://never-flashed") as board, pytest.raises(KitError, match="empty"):
        board.hello()


@pytest.mark.parametrize("span", [(0, 255), (-1, 1), (1, 0)])
def test_the_chip_prepares_pixels_as_the_network_was_trained(tmp_path, span):
    """Every value of a pixel, for each way of training: as kit.model prepares them."""
    path = model(SMALL)
    made = generate_network(path, tmp_path / "network", input_range=span)
    flash(f"{URL}-range", build_firmware(made, tmp_path).elf)
    images = np.resize(np.arange(256), (1, 28, 28)).astype(np.uint8)
    inputs = pixels_to_input(images.reshape(-1, 784), read_model(path).input, span)
    with Board(f"{URL}-range") as board:
        assert board.hello().input_range == span
        payload = board.link.request(Request.RECOGNIZE, images.tobytes())
    np.testing.assert_array_equal(np.frombuffer(payload, np.int8), Reference(path).run(inputs)[0])


def test_pixels_are_refused_where_it_is_not_known_what_they_are():
    """An input range that fits no usual preparation: no image is read, inputs are."""
    spec = Spec(9, (4,), None, True, True, False, True, 0.3, 5)
    assert network(spec).input_range is None
    flash(f"{URL}-range", firmware(spec).elf)
    inputs = np.arange(9, dtype=np.int8)[None]
    with Board(f"{URL}-range") as board:
        assert board.hello().input_range is None
        for request in (Request.RECOGNIZE, Request.MEASURE):
            with pytest.raises(LinkError, match=r"wants its pixels[\s\S]*--input-range"):
                board.link.request(request, bytes(9))
        np.testing.assert_array_equal(board.run(inputs), Reference(model(spec)).run(inputs))
