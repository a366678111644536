"""References of a page to anything outside it."""

import re

from bs4 import BeautifulSoup

from lib.report.html import OUTSIDE_URL
from lib.report.soup import attribute

#: a file of the run, such as tables/s01_closes.csv or evidence.html#exhibit-s01
BESIDE = re.compile(r"(?:[\w-]+/)*[\w.-]+\.(?:html|pdf|csv|json)(?:#[\w-]+)?")


def outside_references(html: str) -> list[str]:
    """Return everything on a page that a browser would fetch, or follow to outside the run's
    folder; links to the files beside the page and the page's own script are none.
    """
    soup = BeautifulSoup(html, "html.parser")
    references = []
    for tag in soup.find_all(True):
        if tag.name in ("link", "object", "base") or (tag.name == "script" and tag.get("src")):
            references.append(str(tag)[:120])
        for name in ("href", "src", "srcset", "data", "action", "poster", "xlink:href"):
            value = attribute(tag, name)
            beside = tag.name == "a" and BESIDE.fullmatch(value)
            if value and not value.startswith(("#", "data:")) and not beside:
                references.append(f"{tag.name} {name}={value[:80]}")
    styles = [tag.string or "" for tag in soup.find_all("style")]
    styles += [attribute(tag, "style") for tag in soup.select("[style]")]
    return references + [match.group() for style in styles for match in OUTSIDE_URL.finditer(style)]
