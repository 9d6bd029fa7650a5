"""What others have published: accuracy on MNIST in few bytes."""

import json
from dataclasses import dataclass

from kit.paths import DATA


@dataclass(frozen=True)
class Record:
    """A network of others, as data/records.json has it.

    `accuracy` is a share of MNIST's 10,000 test images, unless `source` says of what else;
    `weights_bytes` counts the weights alone, as published (1 kB = 1,024 bytes, rounded there), and
    `flash_bytes` the whole program on a chip, None where nobody counted it. Nothing of it was
    measured here, unless `source` says so.
    """

    name: str
    accuracy: float
    flash_bytes: int | None
    weights_bytes: int
    source: str


def published_records() -> list[Record]:
    """The records, the largest weights first."""
    told = json.loads((DATA / "records.json").read_text(encoding="utf-8"))
    return sorted((Record(**one) for one in told), key=lambda record: -record.weights_bytes)
