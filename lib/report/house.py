"""The house that publishes the report: its name, authors, logo and disclaimer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lib.exhibits.parameters import PARAMS, checked, read_yaml
from lib.market.errors import ParameterError

FILE = "house.yaml"
#: kinds of pictures that a page and a PDF both show
LOGOS = (".svg", ".png")
Text = Annotated[str, Field(min_length=1)]


class Words(BaseModel):
    """A text in both languages."""

    model_config = ConfigDict(extra="forbid", strict=True)

    en: Text
    zh: Text

    def of(self, language: str) -> str:
        """Return the text in one language."""
        return self.zh if language == "zh" else self.en


class House(BaseModel):
    """What a desk puts on its report.

    Attributes
    ----------
    name, desk : Words
        On the masthead.
    authors : list of str
    logo : str
        File name of an SVG or PNG next to the file; empty for none.
    disclaimer : Words
        At the foot.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Words
    desk: Words
    authors: list[Text] = []
    logo: str = ""
    disclaimer: Words


def read_house(params: Path = PARAMS) -> House:
    """Read and check ``house.yaml``.

    Raises
    ------
    ParameterError
        The name is missing, or the logo does not exist or is of another kind.
    """
    path = Path(params) / FILE
    house = checked(House, read_yaml(path), path)
    if house.logo:
        logo = path.with_name(house.logo)
        if logo.suffix.lower() not in LOGOS or not logo.is_file():
            raise ParameterError(
                f"no logo {house.logo}",
                file=path,
                remedy=f"put an {' or '.join(LOGOS)} file next to it, or leave the logo empty",
            )
    return house
