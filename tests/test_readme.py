"""README.md: its figures are measured, not remembered, and its commands are those of `kit`."""

import re

from kit.commands import COMMANDS, EITHER
from kit.lesson.artifacts import CONVERSIONS
from kit.lesson.results import read_report
from kit.paths import ROOT

ROW = r"^\| `(\w+)([^`]*)` \| (.+) \|$"


def test_the_figures_in_the_readme_are_those_measured(road, monkeypatch):
    """Each size, accuracy and count of "What you will see" is in the report of `kit run`."""
    monkeypatch.setenv("KIT_BUILD", str(road["build"]))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    figures = read_report()
    for name in CONVERSIONS:
        row = f"| {name.replace('_', ' ')} | {figures[name]['bytes']:,} bytes "
        assert row + f"| {figures[name]['accuracy']:.2%} of the test images" in text
    board = figures["board"]
    assert f"| board | {board['images']:,} images on `{board['url']}` " in text
    assert f"| {board['accuracy']:.2%} right, {board['mismatches']} differ" in text
    assert (
        f"| {board['flash_bytes']:,} bytes of flash | {board['ram_bytes']:,} bytes of RAM" in text
    )
    cycles = board["estimated_cycles_per_inference"]
    assert f"| {board['instructions_per_inference']:,} instructions | for one inference" in text
    waits = board["of_these_waiting_for_the_flash"]
    told = f"an estimated {cycles:,} cycles, {waits:,} of them waiting for the flash: "
    assert f"{told}{cycles / 180e3:.2f} ms at 180 MHz |" in text


def test_the_readme_tells_the_commands_in_the_words_of_their_help():
    """kit.commands, `kit --help` and README.md, from which workshop.py takes its own list."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace(r"\|", "/")
    told = {name: (use, words) for name, use, words in re.findall(ROW, text, re.MULTILINE)}
    assert list(told) == [work.__name__.lstrip("_") for work in COMMANDS]
    for (use, words), (work, arguments) in zip(told.values(), COMMANDS.items(), strict=True):
        help_text = " ".join(work.__doc__.rstrip(".").split())
        assert words.replace("`", "") == help_text[0].lower() + help_text[1:]
        assert set(re.findall(r"--[a-z-]+", use)) <= {*arguments, *arguments.get(EITHER, {})}
