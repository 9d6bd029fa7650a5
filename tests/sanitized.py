"""A generated network under a compiler's sanitizers, as a program, each tensor in its own memory.

What reads or writes beside a tensor, or lets numbers overflow, ends the program. And as nothing
shares memory there, what it computes says whether tensors in the arena damage one another.
"""

import re
import shutil
import subprocess
from pathlib import Path

from kit.compile.host import include_folders
from kit.compile.toolchain import environment, zig
from kit.paths import FIRMWARE

SANITIZERS = {  # what zig has everywhere, and what the computer's own compiler adds
    "undefined": ["-fsanitize=undefined", "-fsanitize-trap=undefined"],
    "address": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
}
FLAGS = ["-std=c11", "-O1", "-g", "-ffp-contract=off"]
PLACE = re.compile(r"(static \w+ \*const (\w+) = .*)arena \+ \d+\);( */\* (\d+) bytes \*/)")
MAIN = """#include "engine.h"
#include <stdio.h>

static void write_output(uint32_t layer, const void *output)
{
    fwrite(output, engine_describe()->layers[layer].output.bytes, 1, stdout);
}

int main(void)
{
    if (engine_start() != ENGINE_OK)
        return 1;
    while (fread(engine_input(), ENGINE_INPUT_BYTES, 1, stdin) == 1)
        if (engine_run(write_output) != ENGINE_OK)
            return 2;
    return 0;
}
"""


class Sanitized:
    """The kernels compiled for a sanitizer, once, in `folder`; `works` is False where this
    computer has none."""

    def __init__(self, folder: Path, sanitizer: str) -> None:
        self.folder, self.objects = folder, []
        compiler = zig() if sanitizer == "undefined" else shutil.which("cc")
        self.command = [compiler, *["cc"] * (sanitizer == "undefined")]
        self.command += [*FLAGS, *SANITIZERS[sanitizer]]
        (folder / "main.c").write_text("int main(void) { return 0; }\n")
        self.works = bool(compiler) and self._compile(["main.c", "-o", "empty"]).returncode == 0

    def layers(self, network, inputs) -> bytes:
        """What each layer makes of each input, one after another."""
        if not self.objects:
            self._check(["-c", *sorted((FIRMWARE / "nn").glob("*.c")), f"-I{FIRMWARE / 'nn'}"])
            self.objects = sorted(self.folder.glob("*.o"))
        (self.folder / "main.c").write_text(MAIN)
        (self.folder / "network.c").write_text(apart((network.folder / "network.c").read_text()))
        sources = ["main.c", "network.c", network.folder / "network_data.c", *self.objects]
        self._check(
            [*sources, *(f"-I{path}" for path in include_folders(network)), "-o", "program"]
        )
        program = [str(self.folder / "program")]
        done = subprocess.run(program, input=inputs.tobytes(), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-3000:] or done.returncode
        return done.stdout

    def _compile(self, words):
        command = [str(word) for word in [*self.command, *words]]
        return subprocess.run(
            command, cwd=self.folder, env=environment(), capture_output=True, check=False
        )

    def _check(self, words) -> None:
        done = self._compile(words)
        assert done.returncode == 0, done.stderr.decode()


def apart(text: str) -> str:
    """network.c, in which every tensor has bytes of its own."""
    own = r"static _Alignas(8) uint8_t own_\2[\4 ? \4 : 1];\n\1own_\2);\3"
    made, count = PLACE.subn(own, text)
    assert count > 1 and "arena + " not in made
    return made
