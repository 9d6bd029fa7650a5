"""The open generator is right: its C gives LiteRT's reference results for any dense network."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from depth import many
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import Spec, Tflite, make, specs

from kit.board import Board, flash
from kit.checks.validate import random_inputs
from kit.compile import HostNetwork, build_firmware
from kit.compile.toolchain import run_tool, zig
from kit.digits import load_mnist
from kit.errors import KitError
from kit.generate import generate_network
from kit.generate import load_network as load_generated
from kit.generate.arena import Lifetime, plan
from kit.generate.graph import lower, place
from kit.generate.quantized import quantize_multiplier
from kit.generate.step import Step
from kit.model import Operator, Reference, pixels_to_input, read_model
from kit.paths import FIRMWARE
from virtual_nucleo.native import compile_library

EXAMPLE = Spec(20, (12, 5), "relu", True, True, True, True, 0.3, 1)
slow = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """A small int8 network, its C, and its reference."""
    path = make(EXAMPLE, tmp_path_factory.mktemp("example") / "example.tflite")
    return path, generate_network(path, path.parent / "network")


@settings(slow, max_examples=many(10, 25))
@given(spec=specs)
def test_any_int8_network_equals_the_reference_kernels(spec, tmp_path):
    """Protects promise 1 for other networks than ours: every value, to the last bit."""
    path = make(spec, tmp_path / "random.tflite")
    inputs = random_inputs(path, 50, spec.seed)
    ours = HostNetwork(generate_network(path, tmp_path / "network")).run(inputs)
    np.testing.assert_array_equal(ours, Reference(path).run(inputs))


@pytest.mark.deep
@settings(slow, max_examples=5)
@given(spec=specs)
def test_any_int8_network_on_the_virtual_board(spec, tmp_path):
    """The chip's machine code gives the same as the reference, also for inputs that are not
    images."""
    path = make(spec, tmp_path / "random.tflite")
    inputs = random_inputs(path, 20, spec.seed)
    firmware = build_firmware(generate_network(path, tmp_path / "network"), tmp_path)
    flash("virtual://random", firmware.elf)
    with Board("virtual://random") as board:
        np.testing.assert_array_equal(board.run(inputs), Reference(path).run(inputs))


@settings(slow, max_examples=5)
@given(spec=specs)
def test_any_float_network_is_near_the_reference(spec, tmp_path):
    """float32 sums depend on the order of additions, so they agree within rounding."""
    spec = Spec(**vars(spec) | {"int8": False})
    path = make(spec, tmp_path / "random.tflite")
    inputs = random_inputs(path, 20, spec.seed)
    ours = HostNetwork(generate_network(path, tmp_path / "network")).run(inputs)
    np.testing.assert_allclose(ours, Reference(path).run(inputs), rtol=1e-4, atol=1e-5)


def test_every_layer_equals_the_reference(example):
    """A learner who watches one layer sees what LiteRT computes there, not only at the end."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    path, network = example
    one = random_inputs(path, 1)
    interpreter = Interpreter(
        str(path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], one)
    interpreter.invoke()
    ours = HostNetwork(network).layers(one[0])
    operators = [
        op for op in read_model(path).operators if op.name in ("FULLY_CONNECTED", "SOFTMAX")
    ]
    assert len(ours) == len(operators) == len(network.layers)
    for values, operator in zip(ours, operators, strict=True):
        reference = interpreter.get_tensor(operator.outputs[0].index)
        np.testing.assert_array_equal(values, reference[0])


def test_the_softmax_kernel_over_its_whole_range(tmp_path):
    """Extreme differences: all equal, one far above the rest, everything saturated."""
    path = make(Spec(10, (10,), None, True, False, True, True, 3.0, 7), tmp_path / "s.tflite")
    rows = [[v] * 10 for v in (-128, 0, 127)]
    rows += [[127 if i == j else -128 for i in range(10)] for j in range(10)]
    inputs = np.array(rows, np.int8)
    ours = HostNetwork(generate_network(path, tmp_path / "network")).run(inputs)
    np.testing.assert_array_equal(ours, Reference(path).run(inputs))


@given(st.floats(2.0**-40, 2.0**20))
def test_a_multiplier_stands_for_its_real_number(real):
    """quantize_multiplier keeps 31 bits; below 2^-31 the result is zero, as in LiteRT."""
    multiplier, shift = quantize_multiplier(real)
    assert 0 <= multiplier < 2**31 and 1 <= shift <= 62
    tolerance = 2.0**-30 if real >= 2.0**-31 else 1.0
    assert abs(multiplier / 2**shift - real) <= real * tolerance


lifetimes = st.builds(
    lambda size, first, length: Lifetime(size, first, first + length),
    st.integers(1, 500),
    st.integers(0, 10),
    st.integers(0, 4),
)


@given(st.lists(lifetimes, max_size=12))
def test_tensors_that_live_together_never_overlap(lives):
    """The arena plan may not let one tensor overwrite another that is still needed."""
    offsets, size = plan(dict(enumerate(lives)))
    places = [(life, offsets[number]) for number, life in enumerate(lives)]
    for number, (life, offset) in enumerate(places):
        assert offset % 4 == 0 and offset + life.size <= size
        for other, other_offset in places[:number]:
            apart = offset + life.size <= other_offset or other_offset + other.size <= offset
            assert apart or not life.overlaps(other)


def test_generating_twice_gives_the_same_bytes(example, tmp_path):
    """A generated network can be compared and cached by its bytes."""
    path, network = example
    again = generate_network(path, tmp_path / "again")
    for file in sorted(network.folder.iterdir()):
        assert file.read_bytes() == (again.folder / file.name).read_bytes()


def test_the_result_can_be_loaded_again(example):
    _, network = example
    assert load_generated(network.folder) == network


def test_a_name_cannot_break_the_c(tmp_path):
    """A file name with quotes, comment marks and letters beyond ASCII must still compile."""
    path = make(EXAMPLE, tmp_path / 'odd "*⁄ né\\me.tflite')
    network = generate_network(path, tmp_path / "network")
    HostNetwork(network).run(random_inputs(path, 1))
    assert re.fullmatch(r"[A-Za-z0-9._-]+", network.model)


def test_the_c_has_no_heap_and_no_float_in_the_int8_path(example, tmp_path):
    """The chip's int8 path uses integers only; the machine code shows it."""
    names = ("dense_int8.c", "dense_int8_cortex_m4.c", "softmax_int8.c")
    sources = [FIRMWARE / "nn" / name for name in names]
    flags = ["-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp", "-O2", "-S"]
    for source in sources:
        listing = tmp_path / f"{source.stem}.s"
        run_tool([zig(), "cc", *flags, f"-I{FIRMWARE / 'nn'}", source, "-o", listing], "Compiling")
        instructions = listing.read_text()
        assert not re.search(r"^\s+v(mul|add|mla|div|cvt|ldr)\b", instructions, re.MULTILINE)
        assert not re.search(r"\b(malloc|free|__aeabi_f\w+|__aeabi_d\w+)\b", instructions)


def test_undefined_behavior_is_absent(example, tmp_path):
    """The C runs under the undefined-behavior sanitizer: no overflow, no bad shift."""
    _, network = example
    main = tmp_path / "main.c"
    main.write_text(
        '#include "engine.h"\n'
        "int main(void) {\n"
        "    if (engine_start() != ENGINE_OK) return 1;\n"
        "    for (int value = -128; value < 128; value++) {\n"
        "        int8_t *input = engine_input();\n"
        "        for (int i = 0; i < ENGINE_INPUT_ELEMENTS; i++)\n"
        "            input[i] = (int8_t)(i % 2 ? value : -1 - value);\n"
        "        if (engine_run(0, 0) != ENGINE_OK) return 2;\n"
        "    }\n    return 0;\n}\n"
    )
    from kit.compile.host import include_folders, network_sources

    program = tmp_path / "program.exe"
    flags = ["-O1", "-fsanitize=undefined", "-fsanitize-trap=undefined",
             *(f"-I{folder}" for folder in include_folders(network))]  # fmt: skip
    run_tool([zig(), "cc", *flags, main, *network_sources(network), "-o", program], "Compiling")
    assert subprocess.run([str(program)], check=False).returncode == 0


def dense(made, x, rows, columns, scale=0.1, bias=False, **options):
    """Add a dense layer with weights of its own. Its output's index."""
    table = np.random.default_rng(rows).integers(-127, 128, (rows, columns))
    w = made.tensor(table.shape, "int8", 0.01, data=table)
    b = None
    if bias:
        b = made.tensor((rows,), "int32", 0.01 * scale, data=np.arange(rows) * 100)
    y = made.tensor((1, rows), "int8", 0.1, 7)
    made.dense(x, w, y, b, **options)
    return y


def agrees(path, folder):
    """A model's C against the reference, on 50 random inputs. The generated network."""
    network = generate_network(path, folder / "network")
    inputs = random_inputs(path, 50)
    np.testing.assert_array_equal(HostNetwork(network).run(inputs), Reference(path).run(inputs))
    return network


def test_layers_that_share_a_constant_store_it_once(tmp_path):
    """One tensor used twice, or two of the same bytes: in the C, and in what is counted."""
    made = Tflite()
    x = made.tensor((1, 6), "int8", 0.1, 7)
    table = np.random.default_rng(1).integers(-127, 128, (6, 6))
    once, again = (made.tensor(table.shape, "int8", 0.01, data=table) for _ in range(2))
    for weights in (once, once, again):
        x, before = made.tensor((1, 6), "int8", 0.1, 7), x
        made.dense(before, weights, x)
    network = agrees(made.write(tmp_path / "shared.tflite", [0], [x]), tmp_path)
    bias, multiplier, shift = 4 * 6, 4, 1
    assert network.weights_bytes == 36 + bias + multiplier + shift
    assert [layer.weights_bytes for layer in network.layers] == [network.weights_bytes, 0, 0]


NAMES = [
    'quote " and \\ and */ and /* and ??/',
    "line\none/Übung/ネット;x",
    "",
    "a" * 3000 + "/b",
    "%s %n",
]


@pytest.mark.parametrize("name", NAMES, ids=["marks", "letters", "none", "long", "percent"])
@pytest.mark.parametrize("classes", [1, 20])
def test_any_name_any_number_of_classes_and_any_batch(tmp_path, name, classes):
    """No softmax, other than ten outputs, a batch that is left open, and names of all kinds."""
    made = Tflite()
    x = made.tensor((1, 5), "int8", 0.1, 7, name=name)
    y = dense(made, x, classes, 5, bias=True)
    for index in (x, y):
        made.graph.tensors[index].name = name
        made.graph.tensors[index].shapeSignature = [-1, *made.graph.tensors[index].shape[1:]]
    network = agrees(made.write(tmp_path / "names.tflite", [x], [y]), tmp_path)
    assert network.output.shape == (1, classes) and len(network.layers[0].name) <= 60


def cropped(reshape):
    """A dense layer behind a slice of the input: data, not shape arithmetic."""
    made = Tflite()
    x, part = made.tensor((1, 8), "int8", 0.1, 7), made.tensor((1, 4), "int8", 0.1, 7)
    edges = [made.tensor((2,), "int32", data=edge) for edge in ([0, 2], [1, 6], [1, 1])]
    made.operator("STRIDED_SLICE", [x, *edges], [part])
    if reshape:
        target = made.tensor((2,), "int32", data=[1, 4])
        part, before = made.tensor((1, 4), "int8", 0.1, 7), part
        made.operator("RESHAPE", [before, target], [part])
    return made, x, dense(made, part, 3, 4)


def computed_bias():
    """A float layer whose bias is what another makes."""
    made = Tflite()
    x, bias, y = (made.tensor((1, 2), "float32") for _ in range(3))
    w = made.tensor((2, 2), "float32", data=np.eye(2))
    made.dense(x, w, bias)
    made.dense(x, w, y, bias)
    return made, x, y


def around_int8():
    """What the converter makes by default: float32 outside, int8 inside."""
    made = Tflite()
    x, stored = made.tensor((1, 4), "float32"), made.tensor((1, 4), "int8", 0.1, 7)
    made.operator("QUANTIZE", [x], [stored])
    y, real = dense(made, stored, 3, 4), made.tensor((1, 3), "float32")
    made.operator("DEQUANTIZE", [y], [real])
    return made, x, real


def of_types(data, weights, **quantized):
    """A dense layer of these types."""
    made = Tflite()
    scale = {"scale": 0.1, "zero_point": 3} if data == "uint8" else {}
    x, y = (made.tensor((1, 4), data, **scale) for _ in range(2))
    w = made.tensor((4, 4), weights, **quantized, data=np.ones((4, 4)))
    made.dense(x, w, y)
    return made, x, y


def shifted_weights():
    """Weights with a zero point, which int8 of today does not have."""
    made = Tflite()
    x, y = made.tensor((1, 4), "int8", 0.1), made.tensor((1, 4), "int8", 0.1)
    made.dense(x, made.tensor((4, 4), "int8", 0.1, 5, data=np.ones((4, 4))), y)
    return made, x, y


def float16():
    """Weights that are made float32 on every run."""
    made = Tflite()
    x, y, w = (made.tensor(shape, "float32") for shape in ((1, 2), (1, 2), (2, 2)))
    made.operator("DEQUANTIZE", [made.tensor((2, 2), "float16", data=np.eye(2))], [w])
    made.dense(x, w, y)
    return made, x, y


REFUSED = {
    "a slice": (lambda: cropped(False), "it uses STRIDED_SLICE", "FULLY_CONNECTED"),
    "a slice, reshaped": (lambda: cropped(True), "it uses STRIDED_SLICE", "FULLY_CONNECTED"),
    "a computed bias": (computed_bias, "the bias of a FULLY_CONNECTED are computed", ""),
    "float outside": (around_int8, "converter's default", "inference_input_type = tf.int8"),
    "uint8": (lambda: of_types("uint8", "uint8", scale=0.1), "uint8 is how older", "tf.int8"),
    "weights alone": (lambda: of_types("float32", "int8", scale=0.1), "dynamic-range", "tf.int8"),
    "float16": (float16, "float16", "tf.int8"),
    "shifted weights": (shifted_weights, "zero point other than 0", ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_engine_cannot_do_is_named_with_its_cure(tmp_path, case):
    """LiteRT runs each of them; the open engine says what is in the way. (That the cure is one is
    shown by networks.make, which does what it says.)"""
    build_file, words, cure = REFUSED[case]
    made, x, y = build_file()
    path = made.write(tmp_path / "refused.tflite", [x], [y])
    Reference(path)
    with pytest.raises(KitError, match=r"cannot turn refused\.tflite into C") as error:
        generate_network(path, tmp_path / "network")
    assert words in str(error.value) and cure in error.value.next_step
    assert not (tmp_path / "network").exists()


def changed(model, index, **fields):
    """A model in which a tensor has other fields, wherever it is used."""

    def swap(tensor):
        return replace(tensor, **fields) if tensor is not None and tensor.index == index else tensor

    operators = tuple(
        replace(op, inputs=tuple(map(swap, op.inputs)), outputs=tuple(map(swap, op.outputs)))
        for op in model.operators
    )
    ends = {name: tuple(map(swap, getattr(model, name))) for name in ("inputs", "outputs")}
    return replace(model, operators=operators, **ends)


@pytest.mark.parametrize(
    ("tensor", "fields", "words"),
    [
        ("w", {"scales": np.float32([0.1, 0.2]), "zero_points": np.array([0, 0])}, "2 scales"),
        ("w", {"shape": (3, 2, 2)}, "not a table of rows"),
        ("w", {"dtype": "int4"}, "works on int4, int8"),
        ("b", {"shape": (2,)}, "3 rows of weights make"),
        ("b", {"data": None}, "no step before it computes"),
        ("b", {"dtype": "int64"}, "is int64"),
        ("b", {"data": np.int32([0, -(2**31), 0])}, "do not fit"),
        ("x", {"scales": np.float32([np.nan])}, "not finite"),
        ("x", {"scales": np.float32([])}, "0 scales"),
        ("x", {"zero_points": np.array([-129])}, "outside"),
        ("x", {"shape": (1, 8)}, "takes a batch"),
        ("y", {"scales": np.float32([0.0])}, "not above 0"),
        ("y", {"shape": (1, 2)}, "3 rows of weights make"),
        ("y", {"scales": np.float32([1e-38])}, "do not fit"),
    ],
)
def test_numbers_that_do_not_belong_together_make_no_c(tmp_path, tensor, fields, words):
    """LiteRT refuses most of them; where it would not, C would read beyond an array."""
    made = Tflite()
    x = made.tensor((1, 4), "int8", 0.1, 7)
    y = dense(made, x, 3, 4, bias=True)
    model = read_model(made.write(tmp_path / "good.tflite", [x], [y]))
    index = dict(zip("xwby", range(4), strict=True))[tensor]
    with pytest.raises(KitError, match=words):
        lower(changed(model, index, **fields))


def test_a_step_of_two_inputs_overwrites_neither(example):
    """The arena sees every input of a step: what the second one holds is alive until then."""
    model = read_model(example[0])
    x, *_ = model.inputs
    a, b, c = (replace(x, index=90 + n) for n in range(3))

    def step(inputs, output):
        return Step("nn", Operator("ADD", inputs, (output,)), {}, {}, 0)

    steps = [step((x,), a), step((x,), b), step((b, a), c)]
    model = replace(model, outputs=(c,))
    base = {tensor.index: tensor.index for tensor in (x, a, b, c)}
    offsets, size = place(model, steps, base)
    assert len({offsets[tensor.index] for tensor in (a, b, c)}) == 3 and size == 3 * x.bytes


def test_the_layers_of_another_input_are_refused(example):
    """As in run(): bytes beyond an array are not read."""
    network = HostNetwork(example[1])
    for wrong in (np.zeros(19, np.int8), np.zeros(20, np.float64), np.int8(0)):
        with pytest.raises(KitError, match="takes inputs of shape"):
            network.layers(wrong)


def test_a_library_knows_its_flags_and_its_compiler(tmp_path, monkeypatch):
    """A home folder shared by two machines, or another zig: not the library of before."""
    source = tmp_path / "one.c"
    source.write_text("int one(void);\nint one(void)\n{\n    return 1;\n}\n")
    first = compile_library([source], tmp_path / "host")
    assert compile_library([source], tmp_path / "host") == first
    assert compile_library([source], tmp_path / "host", flags=["-DA=1"]) != first
    monkeypatch.setattr("platform.machine", lambda: "another")
    assert compile_library([source], tmp_path / "host") != first


@pytest.fixture(scope="module")
def cnn(tmp_path_factory):
    """A network with operators that the generator cannot do."""
    from kit.silence import quiet, tensorflow

    tf = tensorflow()
    network = tf.keras.Sequential(
        [tf.keras.Input((8, 8, 1)), tf.keras.layers.Conv2D(2, 3), tf.keras.layers.Flatten()]
    )
    path = tmp_path_factory.mktemp("cnn") / "cnn.tflite"
    with quiet():
        path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())
    return path


def test_an_unknown_operator_is_refused_by_name(cnn, tmp_path):
    """The error names what cannot be done and lists what can; nothing is written."""
    with pytest.raises(KitError, match="CONV_2D") as error:
        generate_network(cnn, tmp_path / "network")
    assert all(name in str(error.value) for name in ("FULLY_CONNECTED", "RESHAPE", "SOFTMAX"))
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_leaves_the_earlier_network_alone(example, cnn, tmp_path):
    path, _ = example
    made = generate_network(path, tmp_path / "network")
    before = {file.name: file.read_bytes() for file in made.folder.iterdir()}
    with pytest.raises(KitError):
        generate_network(cnn, tmp_path / "network")
    assert {file.name: file.read_bytes() for file in made.folder.iterdir()} == before


@pytest.mark.parametrize("kind", ["dynamic_range", "float16"])
def test_the_course_models_that_mix_types_are_refused(road, tmp_path, kind):
    with pytest.raises(KitError, match="cannot turn"):
        generate_network(road["build"] / f"digits_{kind}.tflite", tmp_path / "network")


def test_every_test_image_has_the_reference_scores(road):
    """Promise 1, on this computer: 10,000 images, ten scores each, no difference."""
    path = road["build"] / "digits_int8.tflite"
    _, (images, _) = load_mnist()
    inputs = pixels_to_input(images, read_model(path).input)
    ours = HostNetwork(road["build"] / "network").run(inputs)
    np.testing.assert_array_equal(ours, Reference(path).run(inputs))


def test_an_unknown_engine_is_refused(example, tmp_path):
    with pytest.raises(KitError, match="no engine 'cubeai'"):
        generate_network(example[0], tmp_path / "network", engine="cubeai")


def test_functions_of_kit_stay_functions_whatever_was_imported():
    """A cell can be run twice, and after another has imported the module of the same name."""
    lines = [
        "import kit, inspect",
        "for _ in range(2):",
        "    assert all(inspect.isfunction(f) for f in (kit.generate_network, kit.examine))",
        "    from kit.generate import xcubeai",
        "    from kit.checks.doctor import examine",
        "    import kit.compile",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


def test_st_and_its_packages_are_loaded_when_they_are_asked_for():
    """Who generates with the open engine, builds and flashes needs nothing of ST's tool."""
    lines = [
        "import sys, kit",
        "kit.generate_network, kit.build_firmware, kit.flash, kit.Board, kit.HostNetwork",
        "import kit.checks.validate, virtual_nucleo.store",
        "assert not [name for name in sys.modules if name.startswith('kit.generate.xcubeai')]",
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
