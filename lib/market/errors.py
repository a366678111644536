"""Errors of the suite: each says what is wrong, where, and what to do about it."""

from __future__ import annotations


class SuiteError(Exception):
    """Base of every error the suite raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, in one sentence.
    remedy : str
        What the reader can do about it.
    file, symbol, date : optional
        Where it is wrong, as far as known.
    """

    def __init__(self, message: str, *, remedy: str, file=None, symbol=None, date=None):
        self.message = message
        self.remedy = remedy
        self.file = file
        self.symbol = symbol
        self.date = date
        super().__init__(str(self))

    def __str__(self) -> str:
        where = {"file": self.file, "symbol": self.symbol, "date": self.date}
        lines = [f"{label}: {value}" for label, value in where.items() if value is not None]
        return "\n  ".join([self.message, *lines, f"remedy: {self.remedy}"])

    def __reduce__(self):
        # keyword-only arguments survive pickling between processes
        state = dict(remedy=self.remedy, file=self.file, symbol=self.symbol, date=self.date)
        return (_rebuild, (type(self), self.message, state))


def _rebuild(error_class, message, state):
    return error_class(message, **state)


class DataError(SuiteError):
    """Data that cannot be read, or that no exhibit can be built on."""


class StaleDataError(DataError):
    """The data end too many sessions before the requested date."""


class StoreError(SuiteError):
    """The store cannot be opened, written or trusted."""


class RevisionError(StoreError):
    """An ingest would change history that is already stored."""


class ParameterError(SuiteError):
    """A parameter is unknown, of the wrong type or out of range."""

    def _render_traceback_(self) -> list[str]:
        # what IPython shows instead of a traceback: the value is at fault, not a line of code
        return [" ".join(f"{type(self).__name__}: {self}".split())]


class ModelError(SuiteError):
    """A model cannot be fitted or read with the given inputs."""


class RunError(SuiteError):
    """A run, a section or an export failed."""
