"""Effects planted in the synthetic market, and their sizes.

Three modest effects give the models of the suite something true to find. The null sample draws the
same random numbers and has the same structure (volatility, volumes, listings, constituents), but
every size below is zero and the pressure shocks of the stocks are permanent, so that the past does
not predict future returns.

1. *Price pressure in stocks.* A part of each stock's daily move is pressure that comes with unusual
   volume and decays with a half-life of ``pressure_half_life`` sessions. So moves on high volume
   reverse: the score -(five-session return relative to the market) x (five-session volume over its
   60-session mean) has a mean rank correlation of about 0.05 with the return of the next ten
   sessions.
2. *Attention to sectors.* Each sector has a latent attention with a half-life of
   ``attention_half_life`` sessions. It raises the volume of the sector's stocks and their expected
   return. So sectors whose volume is above its own 60-session mean do better over the next one to
   four weeks: mean rank correlation with next week's return about 0.06.
3. *Cycles in global assets.* The log price of every global asset (log yield, with the opposite
   sign, for bonds) has sine waves of 42, 100 and 200 months whose phases are those of its class.
   ``cycle_shares`` is their share in the variance of the class's yearly log change. A-share stocks
   carry ``cycle_loading_a_shares`` of the equity class's cycles.

The resulting sizes are measured in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field

CYCLE_MONTHS = (42, 100, 200)

#: class -> phases (radians, at 1990-01-01) of the log price for the three periods; yields have the
#: opposite sign
CYCLE_PHASES: dict[str, tuple[float, float, float]] = {
    "equity": (0.3, 5.2, 3.6),
    "bond": (3.2, 1.4, 0.9),
    "commodity": (5.4, 3.9, 2.2),
    "fx": (1.9, 0.2, 5.0),
}


@dataclass(frozen=True)
class Effects:
    """Sizes of the planted effects.

    Attributes
    ----------
    pressure_half_life : float
        Sessions after which half of a price pressure has decayed; 0 makes it permanent.
    pressure_volatility : float
        Standard deviation of the daily pressure shock of a stock, log return; also in the null
        sample.
    attention_half_life : float
        Sessions after which half of a sector's attention has decayed.
    attention_drift : float
        Expected daily log return of a sector's stocks per standard deviation of attention.
    cycle_shares : tuple of float
        Shares of the 42-, 100- and 200-month cycles in the variance of a global asset's yearly log
        change.
    cycle_loading_a_shares : float
        Size of the equity cycles in A-share stocks, relative to a global equity index.
    """

    pressure_half_life: float = 6.0
    pressure_volatility: float = 0.009
    attention_half_life: float = 12.0
    attention_drift: float = 0.0007
    cycle_shares: tuple[float, float, float] = field(default=(0.20, 0.15, 0.10))
    cycle_loading_a_shares: float = 0.4


PLANTED = Effects()
NO_EFFECTS = Effects(
    pressure_half_life=0.0,
    attention_drift=0.0,
    cycle_shares=(0.0, 0.0, 0.0),
    cycle_loading_a_shares=0.0,
)
