"""docs/controllers.md tells all that a controller may look at and change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshsim.control import Control, TrafficWindow, Window, WorkWindow

PAGE = Path(__file__).parents[2] / "docs" / "controllers.md"


@pytest.mark.parametrize("kind", [Control, Window, WorkWindow, TrafficWindow])
def test_all_that_is_public_is_on_the_page(kind: type) -> None:
    told = set(re.findall(r"`(?:control\.)?(\w+)", PAGE.read_text(encoding="utf-8")))
    public = {name for name in dir(kind) if not name.startswith("_")}
    assert public <= told, public - told
