"""What the stand-in's commands write."""

import json
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
    given: dict[str, Any]
    line: str
    output: Path
    workspace: Path
    network: Network

    @property
    def name(self) -> str:
        return self.given.get("--name", "network")

    def change(self, path: Path, changes: str) -> None:
        """Replace in a file what the behavior wants changed."""
        text = path.read_text(encoding="utf-8")
        for old, new in self.behavior.get(changes, []):
            assert old in text, old
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")


def generate(job: Job, verb: str) -> None:
    """The C, the report and the JSON."""
    if job.behavior.get("write") == "nothing":
        return
    api = job.given.get("--c-api", job.release.default_api)
    for file in c_files.write(job.output, job.release, api, job.network, job.name):
        print(f"Creating {job.output / file}")
    job.change(job.output / f"{job.name}.h", "header")
    if job.release.is_core and api == "legacy":
        job.change(job.output / f"{job.name}_config.h", "config")
    if job.behavior.get("write") == "cut":
        path = job.output / "network_data.c"
        path.write_text(path.read_text()[: path.stat().st_size // 2])
    tell(job, verb)


def validate(job: Job, verb: str) -> None:
    """The outputs, the metrics, the report and the JSON."""
    rows, tensor = job.given.get("--batch-size", 10), job.network.model.input
    if "--valinput" in job.given:
        inputs = np.load(job.given["--valinput"])["m_inputs_1"]
    else:
        inputs = np.random.default_rng(42).random((rows, *tensor.shape[1:])).astype(tensor.dtype)
    assert inputs.dtype == tensor.dtype and inputs.shape == (rows, *tensor.shape[1:])
    outputs = Reference(job.network.model.path).run(inputs)
    told = _told(job, outputs)
    if job.behavior.get("outputs") != "none":
        shape = (rows, 1, 1, outputs.shape[-1])
        path = job.output / "network_val_io.npz"
        np.savez(path, m_inputs_1=inputs, m_outputs_1=outputs, c_outputs_1=told.reshape(shape))
    error = float(np.sqrt(np.mean((told.astype(float) - outputs) ** 2)))
    agree = float((told.argmax(-1) == outputs.argmax(-1)).mean())
    tail = documents.evaluation(job.release, rows, error, agree)
    print(tail)
    tell(job, verb, tail)


def _told(job: Job, outputs: Any) -> Any:
    """The outputs as the C model computed them: right, unless they are wanted otherwise."""
    tensor, kind = job.network.model.output, job.behavior.get("outputs", "right")
    if kind == "real":
        return ((outputs.astype(np.float32) - tensor.zero_point) * tensor.scale).astype(np.float32)
    changed = outputs.copy()
    if kind == "off":
        changed[::3, 0] += np.where(changed[::3, 0] < 127, 1, -1).astype(changed.dtype)
    return changed


def tell(job: Job, verb: str, tail: str = "") -> None:
    """Write the report and the JSON of a command; and leave out what is wanted so."""
    report = job.output / f"{job.name}_{verb}_report.txt"
    text = documents.report(job.release, verb, job.line, job.network) + tail
    report.write_text(text, encoding="utf-8")
    job.change(report, "report")
    print(f"Creating txt report file {report}")
    if job.release.is_core:
        content: Any = documents.info(job.release, job.line, job.network)
        for (*places, last), value in job.behavior.get("info", []):
            inner = content
            for place in places:
                inner = inner[place]
            inner[last] = value
        folder = job.workspace if job.behavior.get("info_in") == "workspace" else job.output
        (folder / f"{job.name}_c_info.json").write_text(json.dumps(content), encoding="utf-8")
    for file in job.behavior.get("leave_out", []):
        (job.output / file).unlink(missing_ok=True)
