"""Synthetic market, generated on demand: the default source of the suite."""

from lib.market.sample.source import SampleSource

__all__ = ["SampleSource"]
