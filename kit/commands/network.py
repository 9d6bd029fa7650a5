"""The commands about a network: from a model to C, to a program, to what it takes."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import kit
from kit import paths
from kit.boards import find_mcu
from kit.errors import KitError
from kit.generate import check_engine, generate_network
from kit.model import describe_range
from kit.progress import SWITCH, each
from kit.tables import table

Args = argparse.Namespace
Told = Iterator[Any]
"""What a command yields: first the value for --json, then what is shown of it: text that is not
empty, tables, and errors, which go to stderr. What takes seconds to import is imported inside."""


def _generate(args: Args) -> Told:
    """Turns a model into C, and says what it takes of a chip."""
    settings = _settings(args) | {"from_zip": args.from_zip}
    chosen = args.engine, args.input_range, args.optimize
    made = generate_network(args.model, args.out, *chosen, **settings)
    footprint = None if made.runtime else _footprint(made)
    yield asdict(made) | {"macs": made.macs, "footprint": footprint}
    columns = {"name": "layer", "operator": "operator", "macs": "MACs"}
    columns |= {"weights_bytes": "weights, bytes"}
    yield table([*map(vars, made.layers)], columns, f"{made.model} as C in {made.folder}")
    yield f"weights {made.weights_bytes:,} bytes, arena {made.arena_bytes:,} bytes"
    yield describe_range(made.input_range, made.input.dtype)
    yield footprint if isinstance(footprint, KitError) else str(footprint or "")
    yield from _told_of(args.optimize)
    if runtime := made.runtime:
        flash, ram = made.kernel_flash_bytes, made.kernel_ram_bytes
        if flash is not None and ram is not None:
            yield f"kernels {flash:,} bytes of flash, {ram:,} bytes of RAM"
        yield f"{runtime.api} API, {runtime.tool} {runtime.version}, {runtime.library}"
        yield runtime.remark and f"Note: {runtime.remark}"


def _footprint(made: Any) -> Any:
    """What a network takes alone on a chip, or the error that says why it does not fit."""
    with tempfile.TemporaryDirectory(prefix="kit-") as folder:
        try:
            return kit.build_firmware(made, folder, bare=True).footprint
        except KitError as error:
            return error


def _told_of(optimize: str | None) -> Iterator[str]:
    from kit.checks.measure import DEPENDS

    if optimize == "data":
        yield DEPENDS


def _settings(args: Args) -> dict[str, Any]:
    """What was chosen for ST's tool, whose lines are shown as they come."""

    def watch(line: str) -> None:
        if os.environ.get(SWITCH) != "0":
            say(f"  {line}")

    chosen = {name: getattr(args, name) for name in ("compression", "optimization", "tool", "mcu")}
    return chosen | ({"watch": watch} if args.engine == "xcubeai" else {})


def _validate(args: Args) -> Told:
    """Compares LiteRT, the C here and the C on the board, score by score."""
    from kit.checks import validate

    settings, by_st = _settings(args), args.engine == "xcubeai"
    check_engine(args.engine, {"mode": args.mode} | settings, args.optimize, args.bare)
    count, what = args.random or args.images, "random inputs"
    if by_st and not args.model.endswith(".tflite"):
        inputs: Any = count  # of the tool's own: nothing else here reads such a file
    elif args.random:
        inputs = validate.random_inputs(args.model, count)
    else:
        inputs = validate.mnist_inputs(args.model, count, args.input_range)
        what = "MNIST test images"
    chosen = (args.model, inputs, f"{count:,} {what}")
    if by_st:
        from kit.generate.xcubeai import Settings

        mode = args.mode or "host"
        found: Any = validate.validate_by_st(*chosen, mode, args.board, Settings(**settings))
    else:
        board = args.board or "virtual://validate"
        how = each(f"asking {board}"), args.optimize, args.bare
        found = validate.validate_model(*chosen, board, *how)
    yield found
    yield from found.shown()
    yield from _told_of(args.optimize)


def _profile(args: Args) -> Told:
    """What a network takes: instructions and cycles of each layer, flash and RAM."""
    from kit.checks import measure

    bar = each("profiling")
    if args.model:
        url = args.board or "virtual://profile"
        chosen = args.input_range, args.optimize
        found = measure.profile_model(args.model, args.images, url, bar, *chosen)
    elif args.optimize or args.input_range:
        raise KitError(
            "--optimize and --input-range go with a MODEL.",
            "Without one the program that is on the board is measured, as it was generated.",
            "Name the model's .tflite file, or leave them out.",
        )
    else:
        found = measure.profile_board(args.board or "virtual://", args.images, bar)
    yield found
    yield from found.shown()
    yield from _told_of(args.optimize)


def _compare(args: Args) -> Told:
    """Models side by side: how well they read, what they take of a chip, and whether the C is
    exact."""
    board = args.board or "virtual://compare"
    chosen = board, args.mcu, args.optimize, args.reference
    yield (made := kit.compare(args.models, args.images, args.board_images, *chosen))
    yield from made.shown()
    yield from _told_of(args.optimize)
    if args.csv:
        with paths.replacing(Path(args.csv).resolve()) as file:
            file.write_text(made.csv(), encoding="utf-8", newline="")
        yield Path(args.csv)


def _build(args: Args) -> Told:
    """Builds the firmware; with --bare a program that is little but the network."""
    folder = args.network or paths.build_folder() / "network"
    out, mcu = Path(args.out).resolve() if args.out else ".", find_mcu(args.mcu)
    made = kit.build_firmware(folder, out, mcu, args.compiler, bare=args.bare)
    flash, ram = made.memory.flash_bytes, made.memory.ram_bytes
    files = {"elf": made.elf, "bin": made.bin, "mcu": mcu.name}
    files |= {"footprint": made.footprint} if args.bare else {}
    yield files | {"flash_bytes": flash, "ram_bytes": ram, "remark": made.remark}
    used = f"flash {flash:,} of {mcu.flash_bytes:,} bytes, RAM {ram:,} of {mcu.ram_bytes:,} bytes"
    yield f"{made.elf}\n{made.bin}\nfor the {mcu.board}: {used}"
    yield str(made.footprint or "")
    yield made.remark and f"Note: {made.remark}"


def say(remark: str) -> None:
    """For whoever waits: on stderr, also with --json."""
    if remark:
        print(remark, file=sys.stderr, flush=True)
