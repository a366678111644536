"""Progress of long computations: a bar in an interactive notebook, a printed line per step in a
run.
"""

from __future__ import annotations


class Progress:
    """Progress bar or log, called with a line of text after each step.

    Parameters
    ----------
    total : int
        Number of steps.
    interactive : bool
        Show a bar; otherwise print each line.
    """

    def __init__(self, total: int, interactive: bool):
        self._bar = _bar(total) if interactive else None

    def __call__(self, line: str) -> None:
        """Report a finished step."""
        if self._bar is None:
            print(line, flush=True)
            return
        self._bar.set_postfix_str(line)
        self._bar.update(1)
        if self._bar.n >= (self._bar.total or 0):
            self._bar.close()


def _bar(total: int):
    """Return a bar; imported when it is shown, since tqdm then looks which notebook it is in."""
    from tqdm.auto import tqdm

    return tqdm(total=total)
