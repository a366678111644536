"""What the notes of the sector rotation say, as findings for ``run.notes``."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lib.models.forecast_evaluation import EXECUTION_LAG
from lib.models.gp.composite import missing_inputs
from lib.models.gp.inputs import Inputs
from lib.models.gp.library import Library
from lib.models.gp.textbook import TEXTBOOK

#: the true mean rank IC for which the power of the evidence is given
USUAL_RANK_IC = 0.03


def mining_findings(
    mined: Inputs, scored: Inputs, libraries: Sequence[Library]
) -> dict[str, object]:
    """Return what was mined and what had to be left out.

    Parameters
    ----------
    mined, scored : Inputs
        Of the sectors that formulas are mined on, and of those that are scored.
    libraries : sequence of Library
        Of all seeds and quarters.
    """
    quarters = {library.mined_on for library in libraries}
    lacking, left_out = missing_inputs(scored, list(libraries))
    empty = sum(not library.entries for library in libraries)
    return {
        "seeds": {
            "seeds": len({library.seed for library in libraries}),
            "quarters": len(quarters),
            "programs": sum(library.details["programs"] for library in libraries),
        },
        "left_out": left_out and {"count": left_out, "names": lacking},
        "empty": empty and {"count": empty, "total": len(libraries)},
    }


def rank_ic_findings(
    mined: pd.Series, textbook: pd.Series, residual: pd.Series, scored: Inputs
) -> dict[str, object]:
    """Return the moments of the weekly rank ICs, and how many weeks evidence would need.

    Parameters
    ----------
    mined, textbook, residual : Series, (K,)
        Weekly rank ICs of the mined score, of the textbook signals, and of what the first adds to
        the second.
    scored : Inputs
        Of the sectors that are scored.
    """
    series = {"mined": mined, "textbook": textbook, "residual": residual}
    findings: dict[str, object] = {
        f"ic_{name}": {
            "mean": ic.mean(),
            "error": ic.sem(),
            "weeks": len(ic),
            "lag": EXECUTION_LAG,
        }
        for name, ic in series.items()
    }
    findings["textbook_lacks"] = [name for name in TEXTBOOK if name not in scored.values]
    scatter, measured = mined.std(), abs(mined.mean())
    findings["power"] = {
        "scatter": scatter,
        "level": USUAL_RANK_IC,
        "weeks": (2 * scatter / USUAL_RANK_IC) ** 2,
        "measured": measured,
        "weeks_measured": (2 * scatter / measured) ** 2,
    }
    return findings
