"""The commentary: headline, key points, a paragraph per section and the risks, by rules over a
run's tables.
"""

from lib.report.commentary.compose import Commentary, comment, headline_of

__all__ = ["Commentary", "comment", "headline_of"]
