"""References of a page to anything outside it."""

from bs4 import BeautifulSoup

from lib.report.html import OUTSIDE_URL
from lib.report.soup import attribute


def outside_references(html: str) -> list[str]:
    """Return everything on a page that a browser would fetch or follow outside it."""
    soup = BeautifulSoup(html, "html.parser")
    references = []
    for tag in soup.find_all(True):
        if tag.name in ("script", "link", "object", "base"):
            references.append(str(tag)[:120])
        for name in ("href", "src", "srcset", "data", "action", "poster", "xlink:href"):
            value = attribute(tag, name)
            if value and not value.startswith(("#", "data:")):
                references.append(f"{tag.name} {name}={value[:80]}")
    styles = [tag.string or "" for tag in soup.find_all("style")]
    styles += [attribute(tag, "style") for tag in soup.select("[style]")]
    return references + [match.group() for style in styles for match in OUTSIDE_URL.finditer(style)]
