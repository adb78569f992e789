"""Charts as SVG within a page: nothing is fetched, no two parts have one name, and they tell what they show."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Final

from matplotlib.axes import Axes

from meshsim.charts.saving import picture
from meshsim.errors import UsageError
from meshsim.reports.blocks import Picture, Points

_SVG: Final = "http://www.w3.org/2000/svg"
_XLINK: Final = "http://www.w3.org/1999/xlink"
_HREF: Final = f"{{{_XLINK}}}href"
_DROPPED: Final = (f"{{{_SVG}}}style", f"{{{_SVG}}}metadata")  # rules for a whole page, and a date
_REFERENCE: Final = re.compile(r"#([^)\s]+)")
_PLACES: Final = re.compile(r"-?\d+\.\d{3,}")  # numbers with more digits than can be seen
_MOVED: Final = re.compile(r"translate\([^)]*\)")
_PX_PER_PT: Final = 4 / 3


def drawn(key: str, caption: str, draw: Callable[[], Axes]) -> Picture | Points:
    """A chart, or why it cannot be drawn.

    Parameters
    ----------
    key
        What names within it begin with: another one for each chart of a page.
    caption
        What it shows, for those who cannot see it, too.
    draw
        Draws it.
    """
    try:
        return Picture(caption, inline(picture(draw(), ".svg").decode(), key, caption))
    except UsageError as error:
        return Points([f"{caption}: not drawn: {error}"])


def inline(text: str, key: str, label: str) -> str:
    """SVG of a file as a part of a page.

    Parameters
    ----------
    text
        Of the file.
    key
        What names within it begin with.
    label
        What is read aloud.
    """
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    root = ET.fromstring(text)  # matplotlib wrote it
    _drop(root)
    _rename(root, key)
    _round(root)
    width = float(root.attrib.pop("width").removesuffix("pt")) * _PX_PER_PT
    root.attrib.pop("height", None)
    root.set("role", "img")
    root.set("aria-label", label)
    root.set("style", f"max-width:{width:.0f}px")
    return ET.tostring(root, encoding="unicode")


def _drop(root: ET.Element) -> None:
    for parent in list(root.iter()):
        for child in [one for one in parent if one.tag in _DROPPED]:
            parent.remove(child)


def _rename(root: ET.Element, key: str) -> None:
    """Number the names that are used; drop the others, which charts make of what users wrote."""
    used = [name for element in root.iter() for value in _referring(element).values() for name in _names(value)]
    new = {name: f"{key}-{number}" for number, name in enumerate(dict.fromkeys(used), 1)}
    for element in root.iter():
        for name, value in _referring(element).items():
            element.set(name, _REFERENCE.sub(lambda found: f"#{new[found[1]]}", value))
        old = element.attrib.pop("id", None)
        if old in new:
            element.set("id", new[old])


def _round(root: ET.Element) -> None:
    """Places to a hundredth of a point: the last digits of a layout are not always the same, and nobody sees them."""
    for element in root.iter():
        for name in ("d", "x", "y", "width", "height"):
            if name in element.attrib:
                element.set(name, _rounded(element.attrib[name]))
        if "transform" in element.attrib:  # scales keep their digits
            element.set("transform", _MOVED.sub(lambda found: _rounded(found[0]), element.attrib["transform"]))


def _rounded(text: str) -> str:
    return _PLACES.sub(lambda found: f"{round(float(found[0]), 2) + 0.0:g}", text)


def _referring(element: ET.Element) -> dict[str, str]:
    """Attributes that name another element."""
    return {name: value for name, value in element.attrib.items() if name == _HREF or "url(#" in value}


def _names(value: str) -> list[str]:
    return _REFERENCE.findall(value)
