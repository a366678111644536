"""Random processes with stylised facts: fat tails, volatility clusters, consistent OHLC."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter


def decay(half_life: float) -> float:
    """Return the daily factor of a process that halves in ``half_life`` days."""
    return 0.5 ** (1.0 / half_life)


def autoregression(shocks: np.ndarray, factor: float) -> np.ndarray:
    """Return x_t = factor * x_{t-1} + sqrt(1 - factor^2) * shock_t, (T, ...).

    The variance is that of the shocks. The first value is the first shock itself, so the process
    starts in its stationary distribution.
    """
    start = shocks[:1] * (1.0 - np.sqrt(1.0 - factor**2))
    driven = np.sqrt(1.0 - factor**2) * shocks
    return lfilter([1.0], [1.0, -factor], driven, axis=0, zi=start)[0]


def fat_tails(rng: np.random.Generator, shape, freedom: float = 5.0) -> np.ndarray:
    """Return Student-t shocks of unit variance, clipped at five: larger ones look like errors.

    Parameters
    ----------
    rng : Generator
        Source of the shocks.
    shape : int or tuple
        Shape of the result.
    freedom : float
        Degrees of freedom.
    """
    return np.clip(rng.standard_t(freedom, shape) * np.sqrt((freedom - 2.0) / freedom), -5.0, 5.0)


def volatility(
    rng: np.random.Generator,
    shape,
    *,
    half_life: float = 35.0,
    spread: float = 0.35,
    common: np.ndarray | None = None,
) -> np.ndarray:
    """Return a clustered volatility with mean square about one: exp of an autoregression.

    Parameters
    ----------
    rng : Generator
        Source of the shocks.
    shape : int or tuple
        (T, ...)
    half_life : float
        Days after which half of a change of log volatility has decayed.
    spread : float
        Standard deviation of log volatility.
    common : array, optional
        Log volatility shared with others, (T,) or (T, 1); its variance is not normalised here.

    Returns
    -------
    array, (T, ...)
    """
    log_volatility = (
        spread * autoregression(rng.standard_normal(shape), decay(half_life)) - spread**2
    )
    return np.exp(log_volatility if common is None else log_volatility + common)


def bars_around(
    rng: np.random.Generator,
    close: np.ndarray,
    previous: np.ndarray,
    scale: np.ndarray | float,
    overnight: float = 0.3,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw open, high and low around closes.

    Parameters
    ----------
    rng : Generator
        Source of the shocks.
    close, previous : arrays of one shape
        Close of the day and of the day before; NaN gives NaN.
    scale : array or float
        Daily volatility of log returns, of the shape of ``close`` or the same on all days.
    overnight : float
        Share of the day's move that is in the open.

    Returns
    -------
    open, high, low : arrays of that shape
        high >= max(open, close) and low <= min(open, close) always.
    """
    noise = rng.standard_normal((3, *close.shape))
    opening = previous * np.exp(overnight * np.log(close / previous) + 0.3 * scale * noise[0])
    high = np.maximum(opening, close) * np.exp(0.4 * scale * np.abs(noise[1]))
    low = np.minimum(opening, close) * np.exp(-0.4 * scale * np.abs(noise[2]))
    return opening, high, low
