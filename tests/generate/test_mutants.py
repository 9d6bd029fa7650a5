"""A damaged .tflite file is refused in words, or computed as LiteRT computes it; nothing else."""

import subprocess
import sys
from collections import Counter

import mutants
from depth import many
from mutants import BASES, mutant

MUTANTS, COMPILED, WORKERS = many(200, 10_000), many(6, 100), 2


def test_mutants_are_refused_in_words_or_computed_right():
    """Changed bytes, and changes by the schema: scales, indices, shapes, types, options, data.

    In processes of their own: were LiteRT to end one, the number printed last would tell the file.
    """
    share, workers, fates = MUTANTS // WORKERS, [], []
    for first in range(0, MUTANTS, share):
        numbers = map(str, (first, first + share, COMPILED // WORKERS))
        program = [sys.executable, "-W", "error::RuntimeWarning", mutants.__file__, *numbers]
        workers.append(subprocess.Popen(program, stdout=subprocess.PIPE, text=True))
    for worker in workers:
        printed = worker.communicate()[0].splitlines()
        assert worker.returncode == 0, f"it ended at mutant {printed[-1]}"
        fates += [line.split(" ", 1) for line in printed]
    found = Counter(fate for _, fate in fates)
    print(f"of {MUTANTS:,} mutants: {dict(found)}")
    assert [pair for pair in fates if pair[1] not in ("refused", "accepted", "equal")] == []
    assert found.total() == MUTANTS and found["equal"] == COMPILED
    assert 0.05 * MUTANTS < found["accepted"] + found["equal"] < 0.5 * MUTANTS


def test_a_mutant_is_the_same_every_time():
    """A number in a failed test can be looked at; most of the files differ from what they were."""
    files = [mutant(number) for number in range(60)]
    assert files == [mutant(number) for number in range(60)]
    assert len(set(files) - set(BASES)) > 40
