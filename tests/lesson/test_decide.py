"""Three cases to decide: the arithmetic of the requirements, and that no case is trivial."""

from dataclasses import fields
from types import SimpleNamespace

import pytest

from kit.checks.compare_models import ComparedModel
from kit.errors import KitError
from kit.lesson.decide import CASES, Case, Requirement, check

SENSOR, READER, SIGNED = CASES
FIELDS = ("name", "accuracy", "agreement", "flash_bytes", "ram_bytes", "cycles", "differ_on_board")


def row(*values, microseconds=None, **more):
    """A row of the table of methods, at 180 MHz."""
    fields = dict(zip(FIELDS, values, strict=True))
    cycles = fields["cycles"]
    micros = microseconds if cycles is None else cycles / 180
    return SimpleNamespace(**fields, microseconds=micros, **more)


ROWS = [
    row("float32 MLP", 0.9746, 1.0, 476_000, 6_000, 880_000, 3),
    row("float16 MLP", 0.9746, 1.0, 240_000, 6_000, 900_000, 3),
    row("dynamic range MLP", 0.9742, 0.9990, 126_000, 6_000, 400_000, 0),
    row("int8 MLP", 0.9746, 0.9979, 123_760, 4_900, 201_288, 0),
    row("int4 MLP", 0.9722, 0.9931, 65_000, 4_900, 230_000, 0),
    row("2-bit MLP", 0.9820, 0.9790, 35_000, 4_900, 250_000, 0),
    row("CNN int8", 0.9934, 0.9700, 26_000, 6_500, 641_000, 0),
    row("CNN 4 bit", 0.9950, 0.9700, 15_000, 6_500, 700_000, 0),
    row("tiny CNN for flash", 0.9908, 0.9700, 4_000, 3_000, 2_000_000, 0),
    row("tiny CNN for time", 0.9908, 0.9700, 9_000, 3_000, 267_000, 0),
    row("Keras", 0.9746, 1.0, None, None, None, None, error="it does not fit the chip"),
]
GOOD = {
    SENSOR.title: ["CNN 4 bit", "tiny CNN for time"],
    READER.title: ["int8 MLP"],
    SIGNED.title: ["float16 MLP"],
}
TEMPTING = {  # one requirement short
    SENSOR.title: ["tiny CNN for flash", "CNN int8"],
    READER.title: ["tiny CNN for time", "int4 MLP", "2-bit MLP"],
    SIGNED.title: ["float32 MLP", "dynamic range MLP", "int8 MLP"],
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_each_case_has_a_good_row_and_tempting_ones(case):
    """What misses a single requirement is what one would take at first sight."""
    assert [each.name for each in ROWS if case.is_met(each)] == GOOD[case.title]
    for name in TEMPTING[case.title]:
        decision = check(case, name, ROWS)
        assert [cells[2] for cells in decision.table.cells].count("missed") == 1
        assert not decision.right and f"it misses 1 of {len(case.requirements)}" in decision.verdict


def test_a_miss_says_by_how_much():
    found = {cells[0]: cells[1:] for cells in check(SENSOR, "int8 MLP", ROWS).table.cells}
    assert found == {
        "flash at most 16,384 bytes": ["123,760 bytes: 107,376 bytes too many", "missed"],
        "RAM at most 8,192 bytes": ["4,900 bytes: 3,292 bytes to spare", "met"],
        "accuracy at least 99.00 %": ["97.46 %: 1.54 points too few", "missed"],
        "one inference takes at most 1,000,000 cycles": [
            "201,288 cycles: 798,712 cycles to spare", "met",
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    "sense, value, met, words",
    [
        ("at most", 100, True, "100 bytes: just so"),
        ("at most", 101, False, "101 bytes: 1 bytes too many"),
        ("at least", 100, True, "100 bytes: just so"),
        ("at least", 99, False, "99 bytes: 1 bytes too few"),
        ("at least", 200, True, "200 bytes: 100 bytes to spare"),
        ("at most", None, False, "not known: no room"),
    ],
)
def test_a_limit_belongs_to_what_it_allows(sense, value, met, words):
    requirement = Requirement("size", 100, sense, "bytes", "size")
    one = SimpleNamespace(size=value, error="no room")
    assert requirement.is_met(one) is met
    assert requirement.judge(one) == words


def test_what_could_not_run_misses_with_the_reason():
    decision = check(READER, "Keras", ROWS)
    assert "not known: it does not fit the chip" in repr(decision)
    assert decision.verdict == "Not Keras: it misses 2 of 3; 1 of the 11 rows meet all."


def test_a_better_choice_is_named():
    """A row that meets all is right; what needs less of what the case is short of is better."""
    decision = check(SENSOR, "CNN 4 bit", ROWS)
    assert decision.right
    told = "So does tiny CNN for time, with 267,000 cycles instead of 700,000 cycles."
    assert decision.verdict == f"CNN 4 bit meets all. {told}"
    best = check(SENSOR, "tiny CNN for time", ROWS)
    assert best.verdict.endswith("none takes fewer cycles.") and best.right


def test_nobody_may_meet_a_case():
    impossible = Case(
        "None", "", (Requirement("cycles", 1, "at most", "cycles", "time"),), "cycles"
    )
    assert check(impossible, "int8 MLP", ROWS).verdict.endswith("no row meets all.")


def test_an_unknown_name_is_answered_with_the_known():
    with pytest.raises(KitError, match=r"'float32 MLP', 'float16 MLP'.*'Keras'"):
        check(SENSOR, "int8", ROWS)


def test_it_shows_as_a_table_in_a_notebook_and_as_text():
    """What a name or story holds is not taken for HTML."""
    odd = [*ROWS, row("<b>", 0.1, 0.1, 1, 1, 1, 0)]
    decision = check(SIGNED, "<b>", odd)
    assert "<table>" in decision._repr_html_() and "&lt;b&gt;" in decision._repr_html_()
    assert repr(decision).startswith("A result that was signed off\nrequired ")
    assert repr(decision).endswith(decision.verdict)
    assert all(str(each) in repr(SIGNED) for each in SIGNED.requirements)
    assert SIGNED._repr_html_().count("<li>") == 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_what_a_case_wants_least_of_is_required(case):
    assert case.fewest in [each.field for each in case.requirements]


def test_the_cases_ask_for_what_a_comparison_has():
    """A row of kit.compare can be decided about: no field of a case has another name there."""
    columns = {field.name for field in fields(ComparedModel)}
    for case in CASES:
        assert {case.fewest, *(each.field for each in case.requirements)} <= columns
    unknown = ComparedModel("a", 1, False, error="no room")
    assert "not known: no room" in str(check(CASES[0], "a", [unknown]))
