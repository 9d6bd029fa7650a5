"""What a network costs on the chip: memory and time, by this engine or another."""

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes

from kit.boards import DEFAULT, Mcu
from kit.lesson.results import Report
from kit.lesson.show.picture import BLUE, CYCLE, ORANGE, PALE, Picture, draw_bars
from kit.tables import Table, in_words, table

if TYPE_CHECKING:
    from kit.board import Profile
    from kit.compile import Firmware, Region
    from kit.generate import Generated
    from kit.generate.xcubeai import Trial

KB = 1024


def memory_map(regions: "Sequence[Region]", mcu: Mcu = DEFAULT) -> Picture:
    """Flash and RAM of a chip to scale, and below each the same parts enlarged, in bytes."""
    listed = [f"{part.name} {part.bytes:,} bytes of {part.memory}" for part in regions]
    alt = f"A map of the chip's memory: {'; '.join(listed)}."
    parts = {
        name: sorted((part for part in regions if part.memory == name), key=lambda r: r.address)
        for name in ("flash", "RAM")
    }
    height = 0.4 * max(map(len, parts.values()))
    figure = Picture(11, height + 2.4, "What occupies the chip's memory", alt)
    grid = figure.add_gridspec(2, 2, height_ratios=[0.5, height + 0.2])
    for column, (name, size) in enumerate({"flash": mcu.flash_bytes, "RAM": mcu.ram_bytes}.items()):
        used = sum(part.bytes for part in parts[name])
        strip, enlarged = (figure.add_subplot(grid[row, column]) for row in (0, 1))
        strip.set_title(f"{name}: {used:,} of {size:,} bytes ({used / size:.1%})", fontsize=10)
        strip.set(xlim=(0, size / KB), yticks=[], xlabel="KB from the start of the memory")
        strip.axvspan(0, size / KB, color=PALE)
        _draw_parts(strip, enlarged, parts[name])
        enlarged.set(xscale="log", xlim=(1, 8 * size), xlabel="bytes (logarithmic)")
    return figure


def _draw_parts(strip: Axes, enlarged: Axes, parts: "Sequence[Region]") -> None:
    colors = [CYCLE[index % len(CYCLE)] for index in range(len(parts))]
    for part, color in zip(parts, colors, strict=True):
        left = (part.address & 0x00FF_FFFF) / KB  # flash begins at 0x08000000, RAM at 0x20000000
        strip.axvspan(left, left + part.bytes / KB, color=color)
    names = [f"{part.name}\n0x{part.address:08X}" for part in parts]
    sizes = [part.bytes for part in parts]
    draw_bars(enlarged, names, sizes, [f"{size:,}" for size in sizes], colors)
    enlarged.spines[["top", "right"]].set_visible(False)


def profile(measured: "Profile") -> Picture:
    """The time of each layer as a bar, with its cycles, as `kit.Board.profile` returned them; that
    they are an estimate is said, and striped is what the core waits for the flash."""
    layers, clock = measured.layers, f"{measured.core_hz / 1e6:.0f} MHz"
    kind = "estimated" if measured.estimated else "measured"
    texts = [
        f"{each.microseconds:,.1f} µs, {each.cycles:,} cycles{_waiting(each.waits)}"
        for each in layers
    ]
    listed = [f"{each.name} {text}" for each, text in zip(layers, texts, strict=True)]
    alt = f"The time of each layer as bars, {kind} at {clock}: {'; '.join(listed)}."
    title = f"Where the time of one inference goes ({kind})"
    figure = Picture(9, 0.5 * len(layers) + 1.5, title, alt)
    axes = figure.chart(f"microseconds at {clock}, {kind}")
    times = [each.microseconds for each in layers]
    draw_bars(axes, [f"{each.name}\n{each.macs:,} MACs" for each in layers], times, texts, BLUE)
    if measured.waits:
        waits = [each.microseconds * each.waits / max(each.cycles, 1) for each in layers]
        left = [time - wait for time, wait in zip(times, waits, strict=True)]
        axes.barh(range(len(layers)), waits, 0.6, left, color=ORANGE, hatch="//", edgecolor="white")
    axes.set_xlim(0, 1.75 * max([*times, 0.001]))
    return figure


def _waiting(cycles: int) -> str:
    return f" ({cycles:,} waiting)" if cycles else ""


def engines(
    networks: "Sequence[Generated]", programs: "Sequence[Firmware]", report: Report
) -> Table:
    """What each engine made of one model, a column each: `programs` are what `kit.build_firmware`
    made of the `networks`; `report` is that of `read_report()`, for times on a real board."""
    tools = [each.runtime and f"{each.runtime.tool} {each.runtime.version}" for each in networks]
    rows: dict[str, list[Any]] = {
        "made by": [tool or "this kit" for tool in tools],
        "MACs": [each.macs for each in networks],
        "layers": [len(each.layers) for each in networks],
        "weights, bytes": [each.weights_bytes for each in networks],
        "tensors in RAM, bytes": [each.arena_bytes for each in networks],
        "whole program in flash, bytes": [each.memory.flash_bytes for each in programs],
        "whole program in RAM, bytes": [each.memory.ram_bytes for each in programs],
        "time on a real board": [_time(each.engine, report) for each in networks],
    }
    headings = ["", *(each.engine for each in networks)]
    cells = [[name, *map(in_words, values)] for name, values in rows.items()]
    return Table(headings, cells, [False] * len(headings), "")


def _time(engine: str, report: Report) -> str:
    """What 05-recognize has reported of a real board; HELLO adds the API to the engine's name."""
    for section, figures in report.items():
        if section.startswith(f"time with {engine}"):
            return f"{figures['microseconds']:,.0f} µs, {figures['cycles']:,} cycles"
    return "not measured yet: run 05"


def trials(tried: "Sequence[Trial]") -> Table:
    """What settings of ST's tool cost and save, as `kit.generate.xcubeai.compare_settings` found
    out; a refused one shows the reason."""
    headings = {"compression": "compression", "optimization": "optimization"}
    sizes = {"weights_bytes": "weights, bytes", "activations_bytes": "activations, bytes"}
    rows = [dict(vars(trial)) for trial in tried]
    for row, size in product(rows, sizes):
        row[size] = getattr(row["figures"], size, None) or "not known yet"
    return table(rows, headings | sizes | {"refusal": "remark"})
