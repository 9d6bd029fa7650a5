"""What the stand-in's commands write."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kit.model import Reference
from stand_in import c_files, documents
from stand_in.network import Network
from stand_in.releases import Release


@dataclass(frozen=True)
class Job:
    """One command: what it was given, where it writes, and the network."""

    release: Release
    behavior: dict[str, Any]
    given: dict[str, str]
    line: str
    output: Path
    workspace: Path
    network: Network

    @property
    def api(self) -> str:
        return self.given.get("--c-api", self.release.default_api)

    def leaves_out(self, name: str) -> bool:
        return name in self.behavior.get("leave_out", [])


def analyze(job: Job) -> None:
    """The report and the JSON."""
    tell(job, "analyze")


def generate(job: Job) -> None:
    """The C, the report and the JSON."""
    if job.behavior.get("write") == "nothing":
        return
    name = job.given.get("--name", "network")
    for file in c_files.write(job.output, job.release, job.api, job.network, name):
        print(f"Creating {job.output / file}")
    for old, new in job.behavior.get("header", []):
        path = job.output / f"{name}.h"
        assert old in path.read_text(), old
        path.write_text(path.read_text().replace(old, new))
    if "config" in job.behavior:
        _change_config(job.output / "network_config.h", job.behavior["config"])
    for name in job.behavior.get("leave_out", []):
        (job.output / name).unlink(missing_ok=True)
    if job.behavior.get("write") == "cut":
        path = job.output / "network_data.c"
        path.write_text(path.read_text()[: path.stat().st_size // 2])
    tell(job, "generate")


def _change_config(path: Path, version: str) -> None:
    text = path.read_text()
    for part, number in zip(("MAJOR", "MINOR", "MICRO"), version.split("."), strict=True):
        text = re.sub(rf"(VERSION_{part}) \d+", rf"\1 {number}", text)
    path.write_text(text)


def validate(job: Job) -> None:
    """The outputs, the metrics, the report and the JSON."""
    reference = Reference(job.network.model.path)
    rows = int(job.given.get("--batch-size", "10"))
    inputs = _inputs(job, rows)
    outputs = reference.run(inputs)
    told = _told(job, outputs)
    if job.behavior.get("outputs") != "none":
        shape = (rows, 1, 1, outputs.shape[-1])
        path = job.output / "network_val_io.npz"
        np.savez(path, m_inputs_1=inputs, m_outputs_1=outputs, c_outputs_1=told.reshape(shape))
    error = float(np.sqrt(np.mean((told.astype(float) - outputs) ** 2)))
    agree = float((told.argmax(-1) == outputs.argmax(-1)).mean())
    tail = documents.evaluation(job.release, rows, error, agree)
    print(tail)
    tell(job, "validate", tail)


def _inputs(job: Job, rows: int) -> Any:
    tensor = job.network.model.input
    if "--valinput" not in job.given:
        return np.random.default_rng(42).random((rows, *tensor.shape[1:])).astype(tensor.dtype)
    inputs = np.load(job.given["--valinput"])["m_inputs_1"]
    assert inputs.dtype == tensor.dtype and inputs.shape == (rows, *tensor.shape[1:])
    return inputs


def _told(job: Job, outputs: Any) -> Any:
    """The outputs as the C model computed them: right, unless they are wanted otherwise."""
    tensor = job.network.model.output
    kind = job.behavior.get("outputs", "right")
    if kind == "real":
        return ((outputs.astype(np.float32) - tensor.zero_point) * tensor.scale).astype(np.float32)
    changed = outputs.copy()
    if kind == "off":
        changed[::3, 0] += np.where(changed[::3, 0] < 127, 1, -1).astype(changed.dtype)
    return changed


def tell(job: Job, verb: str, tail: str = "") -> None:
    """Write the report and the JSON of a command."""
    text = documents.report(job.release, verb, job.line, job.network) + tail
    for old, new in job.behavior.get("report", []):
        assert old in text, old
        text = text.replace(old, new)
    name = f"{job.given.get('--name', 'network')}_{verb}_report.txt"
    if not job.leaves_out(name):
        (job.output / name).write_text(text, encoding="utf-8")
        print(f"Creating txt report file {job.output / name}")
    if job.release.is_core and not job.leaves_out("network_c_info.json"):
        _write_info(job)


def _write_info(job: Job) -> None:
    content: Any = documents.info(job.release, job.line, job.network)
    for path, value in job.behavior.get("info", []):
        *places, last = path
        inner = content
        for place in places:
            inner = inner[place]
        inner[last] = value
    folder = job.workspace if job.behavior.get("info_in") == "workspace" else job.output
    (folder / f"{job.given.get('--name', 'network')}_c_info.json").write_text(
        json.dumps(content), encoding="utf-8"
    )
