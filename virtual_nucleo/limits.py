"""What the data sheets allow: clocks, wait states and supply, for each chip at 2.7 to 3.6 V."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MHZ = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Frequencies in Hz, each pair the smallest and the largest that is allowed.

    `pll_n` are PLLCFGR's factors N; `wait_states` the highest HCLK with 0, 1, 2 … wait states of
    the flash; `scales` for each value of PWR_CR's VOS the name of the voltage scale and the highest
    HCLK in it, without and with over-drive; `absent` the registers of the STM32F446 that the chip
    lacks, by peripheral; `lacks` the peripherals that it lacks, `adds` those that only it has, with
    their addresses.
    """

    manual: str
    data_sheet: str
    pll_n: Sequence[int]
    vco_hz: Sequence[int]
    pll_has_r: bool
    wait_states: Sequence[int]
    scales: Sequence[Sequence[int]]
    overdrive: bool
    vos_at_reset: int
    absent: dict[str, str]
    lacks: str
    adds: dict[str, int]

    def wait_states_for(self, core_hz: int) -> int:
        """The wait states that the flash needs at an HCLK; as many as there are above all limits.

        RM0390 section 3.4.1 table 5; RM0368 section 3.4.1 table 6.
        """
        enough = (n for n, limit in enumerate(self.wait_states) if core_hz <= limit)
        return next(enough, len(self.wait_states) - 1)


VCO_INPUT_HZ = (950_000, 2_100_000)  # data sheets, "Main PLL characteristics"; 1 to 2 MHz is usual

BOARDS = Path(__file__).resolve().parent.parent / "firmware" / "boards"


def _read() -> Iterator[tuple[str, Limits]]:
    """The chips whose board.toml has a table of limits, by name."""
    for path in sorted(BOARDS.glob("*/board.toml")):
        board = tomllib.loads(path.read_text("utf-8"))
        chip = board["chip"]
        if "virtual" in board:
            limits = Limits(chip["manual"], chip["data_sheet"], **board["virtual"])
            yield chip["name"], limits


LIMITS = dict(_read())
