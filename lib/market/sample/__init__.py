"""A synthetic market, made on the spot: what the suite runs on when there is no other."""

from lib.market.sample.source import SampleSource

__all__ = ["SampleSource"]
