"""The report and network_c_info.json, in the layouts of the versions, in the stand-in's words."""

from typing import Any

from kit.model import Tensor
from stand_in.network import SHORT, Network, Node
from stand_in.releases import Release

KERNEL_FLASH, KERNEL_RAM = 8287, 1344
FORMATS = {"int8": "STAI_FORMAT_S8", "float32": "STAI_FORMAT_FLOAT32", "int32": "STAI_FORMAT_S32"}


def report(release: Release, verb: str, arguments: str, network: Network) -> str:
    """The text report of analyze, generate or validate."""
    lines = [
        release.banner,
        "Created date          : 2026-05-15 11:35:04",
        f"Parameters            : {arguments}",
        "",
        f"Exec/report summary ({verb})",
        "-" * 100,
        *(f"{label:<19}:   {value}" for label, value in _summary(release, network)),
        "-" * 100,
        "(*) 'input'/'output' buffers are allocated in the activations buffer",
        f"model/c-model: macc={network.macc + 96:,}/{network.macc:,} +96(+2.8%)",
        "",
        *_layers(network),
        *_sections(release, network),
    ]
    return "\n".join(lines) + "\n"


def _summary(release: Release, network: Network) -> list[tuple[str, str]]:
    act, weights = network.activations, network.weights
    return [
        ("type", "tflite"),
        ("c_name", "network"),
        ("model_name", network.model.path.stem),
        ("model_hash", f"0x{network.md5 if release.is_core else network.md5[::-1]}"),
        ("params #", f"{weights:,} items"),
        ("input 1/1", _port(release, network.model.input, "serving_default_x")),
        ("output 1/1", _port(release, network.model.output, network.nodes[-1].name)),
        ("macc", f"{network.macc:,}"),
        ("weights (ro)", f"{weights:,} B ({weights / 1024:.2f} KiB) (1 segment) / -9(-1.6%)"),
        ("activations (rw)", f"{act:,} B ({act / 1024:.2f} KiB) (1 segment) *"),
        ("ram (total)", f"{act:,} B ({act / 1024:.2f} KiB) = {act:,} + 0 + 0"),
    ]


def _port(release: Release, tensor: Tensor, name: str) -> str:
    if not release.is_core:  # a second line continues it
        old = {"int8": "ai_i8", "float32": "ai_float, float"}[tensor.dtype]
        scale = f", s={tensor.scale:.6g}, zp={tensor.zero_point}" if tensor.scale else ""
        shape = ",".join(map(str, tensor.shape))
        items = f"{tensor.elements:,} items, {tensor.bytes:,} B, {old}{scale}, ({shape})"
        if release.name == "7.2":
            return f"'{name}'\n{'':24}{items}, domain:activations/**default**"
        return f"'{name}' (domain:activations/**default**)\n{'':19}:   {items}"
    shape = "x".join(map(str, tensor.shape))
    linear = f"QLinear({tensor.scale:.9f},{tensor.zero_point},int8), " if tensor.scale else ""
    return f"'{name}', {SHORT[tensor.dtype]}({shape}), {tensor.bytes:,} Bytes, {linear}activations"


def _layers(network: Network) -> list[str]:
    lines = [f"C-Layers ({len(network.nodes)})", "-" * 90,
             "c_id   name (*_layer)   id   layer_type   macc   rom   tensors   shape (array id)",
             "-" * 90]  # fmt: skip
    for number, node in enumerate(network.nodes):
        head = f"{number:<6} {node.name:<16} {number:<4} {node.kind:<12} {node.macc:<8} "
        shape = "x".join(map(str, node.output.shape))
        made = f"O: {node.name}_output   {SHORT[node.output.dtype]}({shape}) ({number})"
        lines += [
            f"{head}{node.weights + node.bias:<8} I: previous_output   (0)",
            f"{'':60} {made}",
        ]
    return [*lines, "-" * 90, ""]


def _sections(release: Release, network: Network) -> list[str]:
    flash, ram = KERNEL_FLASH + network.weights, KERNEL_RAM + network.activations
    title = f'"{"stm32f4"}" target' if release.is_core else "per memory device type"
    return [
        ' Requested memory size by section - "stm32f4" target',
        f" {release.library:<30} 5,084        0       0     0 ",
        " RT total**                       6,290      653   1,344     0 ",
        f"  Summary - {title}" if release.is_core else f"  Summary {title}",
        "               FLASH (ro)      %*   RAM (rw)       % ",
        f"  RT total    {KERNEL_FLASH:>12,}   70.2%  {KERNEL_RAM:>9,}   64.2% ",
        f"  TOTAL       {flash:>12,}         {ram:>10,}         ",
    ]


def info(release: Release, arguments: str, network: Network) -> dict[str, Any]:
    """The content of network_c_info.json, schema 2.0."""
    buffers = [_buffer(0, "input", network.model.input, "STAI_FLAG_INPUTS|STAI_FLAG_ACTIVATIONS")]
    nodes = []
    for node in network.nodes:
        first = len(buffers)
        buffers += _constants(node, first)
        last = node is network.nodes[-1]
        flags = "STAI_FLAG_OUTPUTS|STAI_FLAG_ACTIVATIONS" if last else "STAI_FLAG_ACTIVATIONS"
        inputs = [nodes[-1]["outputs"][0] if nodes else 0, *range(first, len(buffers))]
        buffers.append(_buffer(len(buffers), f"{node.name}_output", node.output, flags))
        kind = "type" if release.default_api == "st-ai" else "description"  # as up to Core 2.2
        nodes.append({"name": node.name, kind: node.kind, "macc": node.macc, "inputs": inputs,
                      "outputs": [len(buffers) - 1]})  # fmt: skip
    graph = {"inputs": [0], "outputs": nodes[-1]["outputs"], "nodes": nodes, "name": "model"}
    tool = {"name": "ST.EdgeAI.Core", "version": release.number, "arguments": arguments,
            "input_model": {"name": network.model.path.stem, "type": "tflite", "model_files": [
                {"name": network.model.path.name, "signature": f"0x{network.md5}"}]}}  # fmt: skip
    return {
        "json_schema_version": "2.0",
        "environment": {"tools": [tool]},
        "memory_footprint": _footprint(network),
        "graphs": [graph],
        "buffers": buffers,
    }


def _footprint(network: Network) -> dict[str, Any]:
    return {
        "activations": network.activations, "io": [0, 0], "weights": network.weights,
        "kernel_flash": KERNEL_FLASH, "kernel_ram": KERNEL_RAM, "series": "stm32f4",
        "toolchain": "arm-none-eabi-gcc", "toolchain_flash": 0, "toolchain_ram": 0,
    }  # fmt: skip


def _constants(node: Node, first: int) -> list[dict[str, Any]]:
    sizes = {"weights": node.weights, "bias": node.bias}
    return [
        {"id": first + number, "name": f"{node.name}_{part}_array", "intq": {},
         "flags": "STAI_FLAG_WEIGHTS|STAI_FLAG_CONST", "format": "STAI_FORMAT_S8",
         "shape": [size], "size_bytes": size}
        for number, (part, size) in enumerate((p, s) for p, s in sizes.items() if s)
    ]  # fmt: skip


def _buffer(number: int, name: str, tensor: Tensor, flags: str) -> dict[str, Any]:
    linear = {"axis": 0, "scales": [tensor.scale], "offsets": [tensor.zero_point]}
    empty = {"axis": None, "scales": [], "offsets": []}
    return {
        "id": number, "name": f"{name}_array", "flags": flags, "format": FORMATS[tensor.dtype],
        "shape": list(tensor.shape[1:]), "size_bytes": tensor.bytes,
        "intq": linear if tensor.scale else empty,
    }  # fmt: skip


def evaluation(release: Release, rows: int, rmse: float, agree: float) -> str:
    """The end of what validate reports."""
    more = "   -0.000000   0.000001   1.000000   1.000000" if release.is_core else ""
    names = "   mean        std        nse        cos     " if release.is_core else ""
    rule = "-" * 110
    return "\n".join([
        'ST.AI Profiling results v2.0 - "network"',
        f"nb sample(s)   :   {rows}",
        "duration       :   0.309 ms by sample (0.284/0.375/0.031)",
        "Evaluation report (summary)",
        rule,
        f"Output       acc       rmse          mae           l2r        {names}   tensor",
        rule,
        f"X-cross #1   {agree:.2%}   {rmse:.9f}   {rmse:.9f}   {rmse:.9f}{more}   'nl', m_id=[3]",
        rule,
        "  acc  : Accuracy (class, axis=-1)",
        "",
    ])  # fmt: skip
