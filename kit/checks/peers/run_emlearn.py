"""Executed by the Python of emlearn's own environment: `run_emlearn.py WEIGHTS.npz FOLDER`."""

import json
import shutil
import sys
from pathlib import Path

import emlearn
import numpy as np
from emlearn.net import c_generate_net_loadable

CALL = """
int peer_run(const void *inputs, void *outputs)
{
    return eml_net_predict_proba(&peer, inputs, %d, outputs, %d);
}
"""


def write_dense(weights: str, folder: Path) -> None:
    """The dense layers as emlearn's structs, its headers, and the call of its inference."""
    with np.load(weights) as arrays:
        layers = json.loads(str(arrays["layers"]))
        dense = [number for number, one in enumerate(layers) if one["kind"] == "FULLY_CONNECTED"]
        matrices = [arrays[f"{number}_weights"].T for number in dense]
        biases = [arrays[f"{number}_bias"] for number in dense]
    activations = ["relu"] * (len(dense) - 1) + ["softmax"]
    code = c_generate_net_loadable(activations, matrices, biases, "peer")
    # Nothing writes to it, and in flash it needs no first value, which a bare program cannot have.
    code = code.replace("static EmlNet peer", "static const EmlNet peer")
    code += CALL % (matrices[0].shape[0], matrices[-1].shape[1])
    (folder / "peer.c").write_text(code, encoding="ascii")
    for header in Path(emlearn.includedir).glob("eml_*.h"):
        shutil.copyfile(header, folder / header.name)


write_dense(sys.argv[1], Path(sys.argv[2]))
