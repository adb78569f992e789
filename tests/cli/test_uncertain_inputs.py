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


def test_plan_has_scenarios_unless_they_are_left_out(command, tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(SHOP, encoding="utf-8")
    line = f"meshsim plan {file} --slo 'p90<100ms' --arch none --engine analytic --no-growth -q"
    code, out, _ = command(line)
    assert code == 0 and "2 uncertain inputs: the plan holds in" in out
    code, out, _ = command(f"{line} -o md")
    assert code == 0 and "\n| scenario | this plan | its own plan | replicas a month | regret a month |\n" in out
    code, out, _ = command(f"{line} --no-uncertain")
    assert code == 0 and "uncertain input" not in out and "--no-uncertain" in out
    code, out, _ = command(f"{line} --choice services.web.cpu=1,2 -o json")
    assert set(json.loads(out)["asked"]["uncertain"]) == {"traffic.t.arrivals.poisson"}
