"""A damaged .tflite file is refused in words, or computed as LiteRT computes it; nothing else."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from depth import many
from mutants import BASES, mutant

MUTANTS, COMPILED, WORKERS = many(1_000, 10_000), many(20, 500), 2


def test_mutants_are_refused_in_words_or_computed_right():
    """Changed bytes, and changes by the schema: scales, indices, shapes, types, options, data.

    In processes of their own: were LiteRT to end one, the number printed last would tell the file.
    """
    share = MUTANTS // WORKERS
    program = [sys.executable, str(Path(__file__).parent.parent / "mutants.py")]
    workers = [
        subprocess.Popen(
            [*program, str(first), str(first + share), str(COMPILED // WORKERS)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in range(0, MUTANTS, share)
    ]
    found, wrong = Counter(), []
    for worker in workers:
        printed, _ = worker.communicate()
        assert worker.returncode == 0, f"it ended at mutant {printed.splitlines()[-1]}"
        for number, fate in (line.split(" ", 1) for line in printed.splitlines()):
            found[json.loads(fate)] += 1
            wrong += (
                [] if json.loads(fate) in ("refused", "accepted", "equal") else [(number, fate)]
            )
    print(f"of {MUTANTS:,} mutants: {dict(found)}")
    assert wrong == []
    assert found.total() == MUTANTS and found["equal"] == COMPILED
    assert 0.05 * MUTANTS < found["accepted"] + found["equal"] < 0.5 * MUTANTS


def test_a_mutant_is_the_same_every_time():
    """A number in a failed test can be looked at; most of the files differ from what they were."""
    files = [mutant(number) for number in range(60)]
    assert files == [mutant(number) for number in range(60)]
    assert len(set(files) - set(BASES)) > 40
