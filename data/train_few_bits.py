"""Trains the networks of notebook 06-fewer-bits by that notebook's own cells, in minutes.

`--seeds 1 2 3 4 5` trains those that are named from several seeds, measures each, in integers, on
the held-out images and on the test set, and keeps the best on held-out images.
"""

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from training import right_in_float, right_in_integers, split, tf

from kit.digits import load_mnist
from kit.lesson.outputs import read_notebook
from kit.model import save_integers, to_integers
from kit.paths import DATA, NOTEBOOKS, build_folder, replacing

NOTEBOOK = NOTEBOOKS / "06-fewer-bits.ipynb"
TAG = "training"  # of the cells that train, and those that they need


def cells():
    """The source of each cell that trains, or defines what training needs."""
    found = read_notebook(NOTEBOOK).cells
    return [cell.source for cell in found if TAG in cell.metadata.get("tags", ())]


def run(seed, chosen, keep):
    """Trains by the notebook's cells; `keep(name, network)` gets each when it is trained. `chosen`
    are the names of those to train, empty for all; the others are those of data/few_bits."""
    done = []

    def trained(name, network, epochs, rate, **how):
        if chosen and name not in chosen:
            return kept(name, network, epochs, rate)
        start = time.monotonic()
        names["train"](network, epochs, rate, **how)
        print(f"{name}, seed {seed}: {time.monotonic() - start:.0f} s", flush=True)
        keep(name, network)
        done.append(name)
        return network

    names = {"network": tf.keras.models.load_model(DATA / "digits_reference.keras")}
    for source in cells():
        exec(source.replace("SEED = 1", f"SEED = {seed}"), names)
        if "def trained(" in source:
            kept, names["trained"] = names["trained"], trained
    if unknown := {*chosen} - {*done}:
        raise SystemExit(f"The notebook trains no {', '.join(sorted(unknown))}.")


def save(network, path):
    """Keeps the weights as float16, which is half the bytes, and gives the network those."""
    kept = [weights.astype(np.float16) for weights in network.get_weights()]
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, *kept)
    network.set_weights(kept)


def read_right(network, images, labels):
    """The share that the network reads right in integers, by the reference kernels; in float where
    no layer has integers, or the converter is to make them."""
    kinds = {type(layer).__name__ for layer in network.layers}
    if "Range" in kinds or not any(hasattr(layer, "integers") for layer in network.layers):
        return right_in_float(network, images, labels)
    (some, _), _ = load_mnist()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.npz"
        made = to_integers(network, lambda layer: layer.integers(), some[:500] / 255)
        save_integers(path, made)
        return right_in_integers(path, images, labels)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of networks; default: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--out", type=Path, default=build_folder() / "few_bits" / "kept")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    best, told = {}, {}
    for seed in asked.seeds:

        def keep(name, network, seed=seed):
            path = asked.out / f"{name}_{seed}.npz"
            save(network, path)
            right = read_right(network, *split()[1])
            print(f"{name}, seed {seed}: {right:.2%} of the held-out images", flush=True)
            row = {"seed": seed, "held_out": right, "test": read_right(network, *load_mnist()[1])}
            told.setdefault(name, []).append(row)
            if right > best.get(name, 0):
                best[name] = right
                (asked.out / f"{name}.npz").write_bytes(path.read_bytes())
            with replacing(asked.out / "seeds.json") as file:
                file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")

        run(seed, asked.names, keep)


if __name__ == "__main__":
    main()
