"""Parameters of the notebooks: typed, and checked before a run starts."""

from lib.exhibits.parameters.base import RUN_PARAMETERS, Parameters, RunParameters, Symbol
from lib.exhibits.parameters.reading import PARAMS, checked, load, model_of, read_yaml

__all__ = [
    "PARAMS",
    "RUN_PARAMETERS",
    "Parameters",
    "RunParameters",
    "Symbol",
    "checked",
    "load",
    "model_of",
    "read_yaml",
]
