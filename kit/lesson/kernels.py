"""One kernel in C by itself: built for the Cortex-M4, run on the virtual board and counted."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

from kit.board import FlashSettings
from kit.board.bare import exchange
from kit.board.link import REPLY_SECONDS
from kit.board.ports import open_port
from kit.boards import DEFAULT
from kit.compile import build_firmware
from kit.generate.portable import C_TYPES
from kit.generate.result import Generated, TensorInfo

FULL_SPEED = FlashSettings(DEFAULT.flash_wait_states)
"""How the flash is set at the chip's highest clock; the bare program itself runs slower."""
CONFIG = jinja2.Template("""\
#define ENGINE_INPUT_BYTES {{ columns }}
#define ENGINE_INPUT_ELEMENTS {{ columns }}
#define ENGINE_OUTPUT_BYTES {{ 4 * rows + 4 }}
#define ENGINE_LAYERS 1
#define ROWS {{ rows }}
#define COLUMNS {{ columns }}
""")
KERNEL = jinja2.Template("""\
#include "engine_config.h"
#include <arm_acle.h>
#pragma GCC diagnostic ignored "-Wsign-conversion" /* __ror() is for unsigned words */
{% for name, array in constants.items() %}
__attribute__((unused))
static const _Alignas(4) {{ types[array.dtype.name] }} {{ name }}[] = {
    {{ array.ravel().tolist() | join(", ") }}
};
{% endfor %}

void kernel(const int8_t *x, int32_t *sums);

#line 1 "kernel.c"
{{ source }}
""")
ENGINE = """\
#include "cortex_m.h"
#include "engine.h"

void kernel(const int8_t *x, int32_t *sums);

static _Alignas(4) int8_t input[COLUMNS];
static struct {
    int32_t sums[ROWS];
    uint32_t instructions;
} output;

engine_status engine_start(void)
{
    COREDEBUG_DEMCR |= COREDEBUG_DEMCR_TRCENA;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
    return ENGINE_OK;
}

void *engine_input(void)
{
    return input;
}

const void *engine_output(uint32_t number)
{
    (void)number;
    return &output;
}

engine_status engine_run(engine_observer observer)
{
    (void)observer;
    const uint32_t start = DWT_CYCCNT;
    kernel(input, output.sums);
    output.instructions = DWT_CYCCNT - start;
    return ENGINE_OK;
}
"""


@dataclass(frozen=True)
class Count:
    """What a kernel took on the virtual board, and whether its sums are right: instructions, and an
    estimate of its cycles at the chip's full speed, of which the core `waits` for its flash."""

    name: str
    instructions: int
    cycles: int
    waits: int
    macs: int
    right: bool

    @property
    def per_mac(self) -> float:
        """Executed instructions for each multiply-accumulate."""
        return self.instructions / self.macs

    def __str__(self) -> str:
        verdict = "right" if self.right else "WRONG"
        return f"{self.name}: {self.per_mac:.2f} instructions a MAC, sums {verdict}"


class Bench:
    """A dense layer's sums, for kernels that compute them: C with a function
    `void kernel(const int8_t *x, int32_t *sums)`.

    `x` is the layer's input, int8 of shape (columns,); `sums` what must come out, shape (rows,).
    The C knows ROWS, COLUMNS and `constants`, arrays by their names. `counts` are all that ran.
    """

    def __init__(self, x: npt.NDArray[np.int8], sums: npt.NDArray[Any], **constants: Any) -> None:
        self.x, self.sums, self.constants = x, sums, constants
        self.counts: list[Count] = []

    def count(self, name: str, source: str) -> Count:
        """Build a kernel, run it once, and compare; KitError where the compiler refuses it."""
        rows, columns = self.sums.size, self.x.size
        files = {
            "engine_config.h": CONFIG.render(rows=rows, columns=columns),
            "network_data.c": KERNEL.render(
                constants=self.constants, types=C_TYPES, source=source.strip()
            ),
            "network.c": ENGINE,
            "network.json": '{"engine": "portable"}',
        }
        with TemporaryDirectory(prefix="kit-") as folder:
            for file, text in files.items():
                (Path(folder) / file).write_text(text + "\n", encoding="utf-8")
            x, y = _info("int8", columns), _info("int32", rows + 1)
            network = Generated(Path(folder), "portable", name, x, y, (), 0, 0)
            program = build_firmware(network, Path(folder) / "program", bare=True)
            with open_port(f"virtual://?elf={program.elf}") as port:
                port.timeout = REPLY_SECONDS
                with port.inside.counting_waits(FULL_SPEED):
                    came = exchange(port, self.x.tobytes(), y.bytes)
                before, after = port.inside.take_cycle_estimates()
        *sums, instructions = np.frombuffer(came, np.int32).tolist()
        took = instructions, after.cycles - before.cycles, after.waits - before.waits
        done = Count(name, *took, rows * columns, sums == self.sums.tolist())
        self.counts.append(done)
        return done


def _info(dtype: str, elements: int) -> TensorInfo:
    return TensorInfo((1, elements), dtype, 0.0, 0, elements * np.dtype(dtype).itemsize)
