"""Annualisation: the one place that says how many periods a year has.

Performance tables annualise by the calendar (``DAYS_PER_YEAR``), which is right for Shanghai and
for global sessions alike. Everything that rests on counted rows, such as a covariance or an
information ratio, uses the counts below.
"""

from __future__ import annotations

#: calendar days of an average year
DAYS_PER_YEAR = 365.25
#: sessions of the Shanghai exchange in an average year, 2005 to 2024
SESSIONS_PER_YEAR = 243.0
#: weekly observations in a year
WEEKS_PER_YEAR = 52.0
#: day count of a money-market rate (Actual/365, as Chinese repo rates are quoted)
MONEY_MARKET_DAYS = 365.0
