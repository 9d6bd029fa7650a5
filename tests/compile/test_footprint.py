"""kit/compile/footprint.py: the stack is a bound that is kept and near; what has none is told."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import made
import numpy as np
import pytest
import serial
from ai_edge_litert.schema_py_generated import TensorType
from depth import many
from graphs import graphs
from hypothesis import HealthCheck, given, settings
from networks import EXAMPLE, Spec, Tflite

from kit.boards import DEFAULT, MCUS
from kit.checks.validate import random_inputs
from kit.compile import HostNetwork, NoRoom, Program, build_firmware
from kit.compile.footprint import footprint_of
from kit.compile.toolchain import find_gcc, run_tool, zig
from kit.errors import KitError
from kit.generate import generate_network
from kit.model import Reference
from kit.paths import FIRMWARE
from virtual_nucleo.timing import disassemble

NO_GCC = pytest.mark.skipif(not find_gcc(), reason="no gcc")
COMPILERS = ["zig", pytest.param("gcc", marks=[NO_GCC, pytest.mark.deep])]
slow = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
ARM = ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4", "-nostdlib", "-O1", "-w")


def run(network, built, inputs):
    """What a bare program gives, and the bytes of the stack that it wrote to: RAM is full of chance
    at power-on."""
    told, found = built.footprint, b""
    free, size = DEFAULT.ram[0].start + told.variables_bytes, DEFAULT.ram_bytes
    size -= told.variables_bytes
    with serial.serial_for_url(f"virtual://?elf={built.elf}", baudrate=115200, timeout=9) as port:
        before = port.inside.core.uc.mem_read(free, size)
        for one in inputs:
            port.write(one.tobytes())
            found += port.read(network.output.bytes)
        after = port.inside.core.uc.mem_read(free, size)
        assert port.inside.complaints == []
    used = size - next(at for at in range(size) if before[at] != after[at])
    return np.frombuffer(found, network.output.dtype).reshape(len(inputs), -1), used


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("spec", [EXAMPLE, replace(EXAMPLE, int8=False)], ids=["int8", "float32"])
def test_a_bare_program_is_right_and_its_stack_is_near_the_figure(spec, compiler, tmp_path):
    """LiteRT's scores, byte in and byte out; and at most what was told, and hardly less."""
    network, inputs = made.network(spec), random_inputs(made.model(spec), 5)
    built = build_firmware(network, tmp_path, compiler=compiler, bare=True)
    scores, used = run(network, built, inputs)
    assert built.footprint.stack_bytes - 32 <= used <= built.footprint.stack_bytes
    reference = Reference(made.model(spec)).run(inputs)
    np.testing.assert_allclose(scores, reference, rtol=0, atol=0 if spec.int8 else 1e-6)


@settings(slow, max_examples=many(2, 8))
@given(graph=graphs(most=3))
def test_any_graph_keeps_to_its_stack(graph, tmp_path):
    """Whatever operators, with loops in assembly and choices between functions."""
    model = graph.write(tmp_path / "random.tflite")
    network = generate_network(model, tmp_path / "network")
    built = build_firmware(network, tmp_path, bare=True)
    inputs = random_inputs(model, 3)
    outputs, used = run(network, built, inputs)
    np.testing.assert_array_equal(outputs, HostNetwork(network).run(inputs).reshape(3, -1))
    assert used <= built.footprint.stack_bytes


def in_other_numbers(kind, path):
    """A network whose kernels compute with 64 bits, float or double, for which compilers bring
    functions along: a dense layer and a softmax."""
    generator, made = np.random.default_rng(1), Tflite()
    dtype = "int16" if kind.startswith("int16") else "float32"
    x_scale, y_scale, share = (2.0**-13, 3e-4, 2.0**-15) if dtype == "int16" else (None,) * 3
    x, options = made.tensor((1, 30), dtype, x_scale), {}
    if kind == "float32":
        w = made.tensor((9, 30), dtype, data=generator.normal(0, 0.3, (9, 30)))
    else:
        scales, table = np.linspace(0.01, 0.02, 9), generator.integers(-127, 128, (9, 30))
        w = made.tensor((9, 30), "int8", scales, data=table)
    if dtype == "int16":
        bias = kind.replace("int16 and ", "")
        options["quantizedBiasType"] = getattr(TensorType, bias.upper())
        b = made.tensor((9,), bias, data=generator.integers(-(2**20), 2**20, 9))
    else:
        b = made.tensor((9,), dtype, data=generator.normal(0, 1, 9))
    if "hybrid" in kind:
        options["asymmetricQuantizeInputs"] = kind == "asymmetric hybrid"
    y, end = made.tensor((1, 9), dtype, y_scale), made.tensor((1, 9), dtype, share)
    made.dense(x, w, y, b, **options)
    made.operator("SOFTMAX", [y], [end], beta=1.0)
    return made.write(path, [x], [end])


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(
    "kind", ["int16 and int32", "int16 and int64", "float32", "hybrid", "asymmetric hybrid"]
)
def test_what_a_compiler_brings_along_counts(kind, compiler, tmp_path):
    """Also where each takes another path through it: what was told is kept, and near."""
    model = in_other_numbers(kind, tmp_path / "model.tflite")
    network, inputs = generate_network(model, tmp_path / "network"), random_inputs(model, 5)
    built = build_firmware(network, tmp_path, compiler=compiler, bare=True)
    scores, used = run(network, built, inputs)
    assert built.footprint.stack_bytes - 64 <= used <= built.footprint.stack_bytes
    exact = network.output.dtype == "int16"
    reference = Reference(model).run(inputs).reshape(scores.shape)
    np.testing.assert_allclose(scores, reference, rtol=0, atol=0 if exact else 1e-6)


@pytest.mark.deep
def test_nothing_is_in_a_bare_program_that_it_does_not_need(tmp_path):
    """No names, no description, no kernels of other operators, no second copy of the input; for
    each chip it says which it is for."""
    network = made.network(EXAMPLE)
    for mcu in MCUS.values():
        built = build_firmware(network, tmp_path / mcu.name, mcu, bare=True)
        program = Program(built.elf)
        assert (program.mcu, program.is_bare) == (mcu, True)
        names = {one.name for one in program.functions().values()}
        assert {name for name in names if "float" in name or "describe" in name} == set()
        assert not [word for word in (network.model, "FULLY_CONNECTED", "portable")
                    if word.encode() in program.flash_image]  # fmt: skip
        assert built.footprint.variables_bytes <= network.arena_bytes + 4
        assert built.memory.flash_bytes - network.weights_bytes < 4_000


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("int f(int n) { return n ? n * f(n - 1) * f(n / 2) : 1; }", "f calls itself"),
        ("int (*volatile to)(int); int f(int n) { return to(n) + 1; }", "calls through a pointer"),
        ("void g(char *); int f(int n) { char a[n]; g(a); return a[0]; } "
         'void g(char *a) { __asm volatile("" ::"r"(a)); }', "a variable there whose size"),
        ('int h(int); int f(int n) { return h(n) + 1; } __asm(".type h, %function\\n.thumb_func\\n'
         'h: sub sp, sp, r0\\nadd sp, sp, r0\\nbx lr\\n.size h, . - h");',
         "what h takes is not known"),
    ],
    ids=["recursion", "pointer", "array", "assembly"],
)  # fmt: skip
def test_a_stack_without_a_bound_is_told(body, said, tmp_path):
    """Rather than a figure that is wrong, the function and the reason."""
    (tmp_path / "main.c").write_text(f"""
__attribute__((noinline)) {body}
int Reset_Handler(void) {{ return f(*(volatile int *)0x20000000); }}
__attribute__((section(".vectors"), used))
void *const vectors[] = {{(void *)0x20010000, Reset_Handler}};
""")
    (tmp_path / "main.ld").write_text(
        "SECTIONS { . = 0x08000000; .vectors : { KEEP(*(.vectors)) } .text : { *(.text*) } "
        "/DISCARD/ : { *(.ARM.ex*) } . = 0x20000000; .bss : { *(.bss*) } }"
    )
    elf, words = tmp_path / "main.elf", ("-fno-sanitize=all", "-fstack-usage", "-MD", "-c", "-o")
    run_tool([zig(), "cc", *ARM, *words, tmp_path / "main.o", tmp_path / "main.c"], "Compiling")
    link = ("-Wl,-e,Reset_Handler", f"-Wl,-T,{tmp_path / 'main.ld'}", "-o", elf)
    run_tool([zig(), "cc", *ARM, *link, tmp_path / "main.o"], "Linking")
    with pytest.raises(KitError, match=said):
        footprint_of(Program(elf), tmp_path)


def test_assembly_states_its_stack(tmp_path):
    """Every kernel in assembly does so in its first line, and lists its functions, or it would end
    the report on each network that uses it."""
    for path in FIRMWARE.glob("nn/*.S"):
        assert path.read_text().startswith("/* stack: ") and "%function" in path.read_text(), path


def test_what_does_not_fit_names_what_is_largest_and_what_is_missing(tmp_path):
    """So that one sees which layer to make smaller, and by how much."""
    spec = Spec(4, (140_000,), None, False, True, False, True, 0.1, 1)
    wide = generate_network(made.model(spec), tmp_path / "wide")
    with pytest.raises(NoRoom) as error:
        build_firmware(wide, tmp_path, bare=True)
    missing = wide.weights_bytes - DEFAULT.flash_bytes
    assert f"{missing:,} are missing" in error.value.what
    assert f"The most: {wide.layers[0].name} {wide.weights_bytes:,} bytes" in error.value.why
    with pytest.raises(NoRoom) as error:
        build_firmware(replace(wide, weights_bytes=9), tmp_path)
    for held in (f"{wide.layers[0].name} (140000) 140,000 bytes", "input (4) 4 bytes"):
        assert held in error.value.why


def test_code_is_read_in_two_threads_as_in_one():
    """Models are compared several at a time, and capstone works on one thing at a time."""
    pieces = [piece for one in Program(made.firmware(EXAMPLE).elf).functions().values()
              for piece in one.code]  # fmt: skip
    code = b"".join(piece for _, piece in pieces)
    both = threading.Barrier(2, timeout=60)

    def read(_thread):
        for _ in range(20):
            both.wait()
            yield [(at, str(one), [operand.type for operand in one.operands])
                   for at, one in disassemble(code, 0) if one]  # fmt: skip

    with ThreadPoolExecutor(2) as pool:
        found = [one for each in pool.map(list, map(read, range(2))) for one in each]
    assert all(one == found[0] for one in found)
