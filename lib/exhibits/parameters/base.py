"""Base class of the parameters, and the parameters that all notebooks of a run share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lib.exhibits.translations import Language

#: a code such as "000300.SH"; always text, because YAML reads an unquoted 000300 as the number 192
Symbol = Annotated[str, Field(min_length=1, description="an instrument's code, in quotes")]

#: stem of a list in params/universe
Universe = Annotated[str, Field(min_length=1)]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
#: fraction of the traded value, one way
Cost = Annotated[float, Field(ge=0, le=0.05)]
#: a fraction that may be zero, and one that may not
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
#: processes or threads; no result depends on it
Jobs = Annotated[int, Field(ge=1, le=64)]

#: set by the command line, the same for every notebook of a run
RUN_PARAMETERS = ("as_of", "data", "out", "language")


class Parameters(BaseModel):
    """The parameters of one notebook, without those of the whole run.

    Subclasses declare one field per parameter, without a default: the production value is in
    ``params/<notebook>.yaml`` and, equal to it, in the notebook's ``parameters`` cell. Types are
    strict: text is never converted to a number, nor a number to text.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class RunParameters(Parameters):
    """The parameters of a run that the command line passes to every notebook.

    Attributes
    ----------
    as_of : str
        Date as 2025-06-13; the run is as of the last stored session on or before it.
    data : str
        ``sample``, ``sample-null``, ``store`` or a folder.
    out : str
        Folder of the run.
    language : str
        Of titles, texts and axes.
    """

    as_of: Annotated[str, Field(min_length=1)]
    data: Annotated[str, Field(min_length=1)]
    out: str
    language: Language
