"""What every notebook's parameters have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

#: a code such as "000300.SH"; always text, since YAML reads an unquoted 000300 as the number 192
Symbol = Annotated[str, Field(min_length=1, description="an instrument's code, in quotes")]

#: set by the command line, the same for every notebook of a run
RUN_PARAMETERS = ("as_of", "data", "out", "language")


class Parameters(BaseModel):
    """The parameters of one notebook, without those that belong to the whole run.

    Subclasses declare one field per parameter, without a default: the production value stands in
    ``params/<notebook>.yaml`` and, equal to it, in the notebook's ``parameters`` cell. Values are taken as they are
    written: text is never turned into a number, nor a number into text.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class RunParameters(Parameters):
    """The parameters that the command line gives to every notebook.

    Attributes
    ----------
    as_of : str
        Date as 2025-06-13; the run uses the last stored session on or before it.
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
    language: Literal["en", "zh"]
