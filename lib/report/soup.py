"""Text and attributes of HTML elements, as strings: BeautifulSoup gives lists for some and None for
others.
"""

from __future__ import annotations

from bs4 import Tag


def attribute(tag: Tag, name: str) -> str:
    """Return an attribute as text, empty when the element does not have it."""
    value = tag.get(name) or ""
    return value if isinstance(value, str) else " ".join(value)


def classes(tag: Tag) -> list[str]:
    """Return the classes of an element."""
    return attribute(tag, "class").split()


def one_line(tag: Tag | None) -> str:
    """Return the text of an element on one line, empty for an element that does not exist."""
    return " ".join(tag.get_text(" ").split()) if tag else ""
