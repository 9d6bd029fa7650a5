"""The report and network_c_info.json, in the layouts of the versions, in the stand-in's words."""

from typing import Any

from kit.model import Tensor
from stand_in.network import Network
from stand_in.releases import Release

KERNEL_FLASH, KERNEL_RAM = 8287, 1344
SHORT = {"int8": "int8", "float32": "f32"}
OLD = {"int8": "ai_i8", "float32": "ai_float, float"}
FORMATS = {"int8": "STAI_FORMAT_S8", "float32": "STAI_FORMAT_FLOAT32", "int32": "STAI_FORMAT_S32"}
RULE = "-" * 100


def report(release: Release, verb: str, arguments: str, network: Network) -> str:
    """The text report of analyze, generate or validate."""
    act, weights = network.activations, network.weights
    title = '- "stm32f4" target' if release.is_core else "per memory device type"
    return f"""\
{release.banner}
Created date          : 2026-05-15 11:35:04
Parameters            : {arguments}

Exec/report summary ({verb})
{RULE}
type               :   tflite
model_name         :   {network.model.path.stem}
model_hash         :   0x{network.md5 if release.is_core else network.md5[::-1]}
params #           :   {weights:,} items
input 1/1          :   {_port(release, network.model.input, "serving_default_x")}
output 1/1         :   {_port(release, network.model.output, network.nodes[-1].name)}
macc               :   {network.macc:,}
weights (ro)       :   {weights:,} B ({weights / 1024:.2f} KiB) (1 segment) / -9(-1.6%)
activations (rw)   :   {act:,} B ({act / 1024:.2f} KiB) (1 segment) *
ram (total)        :   {act:,} B ({act / 1024:.2f} KiB) = {act:,} + 0 + 0
{RULE}
(*) 'input'/'output' buffers are allocated in the activations buffer
model/c-model: macc={network.macc + 96:,}/{network.macc:,} +96(+2.8%)

C-Layers ({len(network.nodes)})
{RULE}
c_id   name (*_layer)   id   layer_type   macc   rom   tensors   shape (array id)
{RULE}
{_layers(network)}
{RULE}

 Requested memory size by section - "stm32f4" target
 {release.library:<30} 5,084        0       0     0 \n\
 RT total**                       6,290      653   1,344     0 \n\
  Summary {title}
               FLASH (ro)      %*   RAM (rw)       % \n\
  RT total    {KERNEL_FLASH:>12,}   70.2%  {KERNEL_RAM:>9,}   64.2% \n\
  TOTAL       {KERNEL_FLASH + weights:>12,}         {KERNEL_RAM + act:>10,}         \n"""


def _port(release: Release, tensor: Tensor, name: str) -> str:
    if release.is_core:
        shape, size = "x".join(map(str, tensor.shape)), f"{tensor.bytes:,} Bytes"
        scale = f"QLinear({tensor.scale:.9f},{tensor.zero_point},int8), " if tensor.scale else ""
        return f"'{name}', {SHORT[tensor.dtype]}({shape}), {size}, {scale}activations"
    scale = f", s={tensor.scale:.6g}, zp={tensor.zero_point}" if tensor.scale else ""
    shape, items = ",".join(map(str, tensor.shape)), f"{tensor.elements:,} items"
    told = f"{items}, {tensor.bytes:,} B, {OLD[tensor.dtype]}{scale}, ({shape})"
    if release.name == "7.2":  # a second line continues the first
        return f"'{name}'\n{'':24}{told}, domain:activations/**default**"
    return f"'{name}' (domain:activations/**default**)\n{'':19}:   {told}"


def _layers(network: Network) -> str:
    lines = []
    for number, node in enumerate(network.nodes):
        shape = "x".join(map(str, node.output.shape))
        lines += [
            f"{number:<6} {node.name:<16} {number:<4} {node.kind:<12} {node.macc:<8} "
            f"{node.weights + node.bias:<8} I: previous_output   (0)",
            f"{'':60} O: {node.name}_output   {SHORT[node.output.dtype]}({shape}) ({number})",
        ]
    return "\n".join(lines)


def info(release: Release, arguments: str, network: Network) -> dict[str, Any]:
    """The content of network_c_info.json, schema 2.0."""
    buffers = [_buffer(0, "input", network.model.input, "STAI_FLAG_INPUTS|STAI_FLAG_ACTIVATIONS")]
    nodes = []
    for node in network.nodes:
        inputs = [nodes[-1]["outputs"][0] if nodes else 0]
        for part, size in (("weights", node.weights), ("bias", node.bias)):
            if size:
                inputs.append(len(buffers))
                buffers.append({"id": len(buffers), "name": f"{node.name}_{part}_array", "intq": {},
                                "flags": "STAI_FLAG_WEIGHTS|STAI_FLAG_CONST", "shape": [size],
                                "format": "STAI_FORMAT_S8", "size_bytes": size})  # fmt: skip
        last = "STAI_FLAG_OUTPUTS|" if node is network.nodes[-1] else ""
        name, flags = f"{node.name}_output", f"{last}STAI_FLAG_ACTIVATIONS"
        kind = "type" if release.default_api == "st-ai" else "description"  # as up to Core 2.2
        nodes.append({"name": node.name, kind: node.kind, "macc": node.macc, "inputs": inputs,
                      "outputs": [len(buffers)]})  # fmt: skip
        buffers.append(_buffer(len(buffers), name, node.output, flags))
    model = {"name": network.model.path.name, "signature": f"0x{network.md5}"}
    tool = {"name": "ST.EdgeAI.Core", "version": release.number, "arguments": arguments,
            "input_model": {"type": "tflite", "model_files": [model]}}  # fmt: skip
    sizes = {
        "activations": network.activations, "io": [0, 0], "weights": network.weights,
        "kernel_flash": KERNEL_FLASH, "kernel_ram": KERNEL_RAM, "series": "stm32f4",
        "toolchain": "arm-none-eabi-gcc", "toolchain_flash": 0, "toolchain_ram": 0,
    }  # fmt: skip
    return {
        "json_schema_version": "2.0",
        "environment": {"tools": [tool]},
        "memory_footprint": sizes,
        "graphs": [{"inputs": [0], "outputs": nodes[-1]["outputs"], "nodes": nodes}],
        "buffers": buffers,
    }


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
    return f"""\
ST.AI Profiling results v2.0 - "network"
nb sample(s)   :   {rows}
duration       :   0.309 ms by sample (0.284/0.375/0.031)
Evaluation report (summary)
{RULE}
Output       acc       rmse          mae           l2r        {names}   tensor
{RULE}
X-cross #1   {agree:.2%}   {rmse:.9f}   {rmse:.9f}   {rmse:.9f}{more}   'nl', m_id=[3]
{RULE}
  acc  : Accuracy (class, axis=-1)
"""
