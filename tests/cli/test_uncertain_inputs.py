"""Commands tell how many inputs of a topology are uncertain, and go on with the middle."""

from __future__ import annotations

import json
from pathlib import Path

SHOP = """\
meshsim: 1
services: {web: {cpu: {low: 250m, mid: 1, high: 2}, endpoints: {get: [{work: 1ms}]}}}
traffic: [{name: t, entry: web.get, arrivals: {poisson: {low: 3000/m, mid: 100/s, high: 300/s}}}]
"""


def test_validate_and_lower_tell_them(command, tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(SHOP, encoding="utf-8")
    for words in ("validate", "lower"):
        code, out, _ = command(f"meshsim {words} {file}")
        assert code == 0
        assert "2 uncertain inputs, taken at mid here" in out
        assert "  traffic.t.arrivals.poisson: 3000/m to 300/s, mid 100/s" in out
        _, out, _ = command(f"meshsim {words} {file} -o json")
        assert json.loads(out)["uncertain"]["services.web.cpu"] == ["250m", "1", "2"]
