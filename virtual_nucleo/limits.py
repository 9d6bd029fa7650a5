"""What the data sheets allow: clocks, wait states and supply, for each chip at 2.7 to 3.6 V."""

from dataclasses import dataclass

from kit.boards import STM32F401RE, STM32F446RE

MHZ = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Frequencies in Hz, each pair the smallest and the largest that is allowed.

    `pll_n` are PLLCFGR's factors N; `wait_states` the highest HCLK with 0, 1, 2 … wait states of
    the flash; `scales` for each value of PWR_CR's VOS the name of the voltage scale and the highest
    HCLK in it, without and with over-drive; `absent` the registers of the STM32F446 that the chip
    lacks, by peripheral.
    """

    manual: str
    data_sheet: str
    pll_n: tuple[int, int]
    vco_hz: tuple[int, int]
    pll_has_r: bool
    wait_states: tuple[int, ...]
    scales: tuple[tuple[int, int, int], ...]
    overdrive: bool
    vos_at_reset: int
    absent: dict[str, str]

    def wait_states_for(self, core_hz: int) -> int:
        """The wait states that the flash needs at an HCLK; as many as there are above all limits.

        RM0390 section 3.4.1 table 5; RM0368 section 3.4.1 table 6.
        """
        enough = (n for n, limit in enumerate(self.wait_states) if core_hz <= limit)
        return next(enough, len(self.wait_states) - 1)


VCO_INPUT_HZ = (950_000, 2_100_000)  # data sheets, "Main PLL characteristics"; 1 to 2 MHz is usual

LIMITS = {
    # DS10693 tables "General operating conditions", "Main PLL characteristics"; RM0390 sections
    # 5.4.1 (VOS), 6.3.2 (PLLCFGR).
    STM32F446RE.name: Limits(
        manual="RM0390",
        data_sheet="DS10693",
        pll_n=(50, 432),
        vco_hz=(100 * MHZ, 432 * MHZ),
        pll_has_r=True,
        wait_states=tuple(30 * MHZ * n for n in range(1, 7)),
        scales=(
            (3, 120 * MHZ, 120 * MHZ),
            (3, 120 * MHZ, 120 * MHZ),
            (2, 144 * MHZ, 168 * MHZ),
            (1, 168 * MHZ, 180 * MHZ),
        ),
        overdrive=True,
        vos_at_reset=3,
        absent={},
    ),
    # DS10086, the same tables; RM0368 sections 5.4.1 and 6.3.2.
    STM32F401RE.name: Limits(
        manual="RM0368",
        data_sheet="DS10086",
        pll_n=(192, 432),
        vco_hz=(192 * MHZ, 432 * MHZ),
        pll_has_r=False,
        wait_states=(30 * MHZ, 60 * MHZ, 84 * MHZ),
        scales=(
            (3, 60 * MHZ, 60 * MHZ),
            (3, 60 * MHZ, 60 * MHZ),
            (2, 84 * MHZ, 84 * MHZ),
            (2, 84 * MHZ, 84 * MHZ),
        ),
        overdrive=False,
        vos_at_reset=2,
        absent={"RCC": "AHB3RSTR AHB3ENR AHB3LPENR PLLSAICFGR CKGATENR DCKCFGR2"},
    ),
}
