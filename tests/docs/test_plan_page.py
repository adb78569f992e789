"""docs/plan.md tells what JSON of plans has."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "plan.md"
TEXT = PAGE.read_text()


def test_keys_of_json_are_those_of_the_page() -> None:
    import meshsim as ms
    from meshsim.planning.written import to_dict

    shop = {
        "meshsim": 1,
        "services": {"web": {"cpu": 1, "endpoints": {"page": [{"work": {"exp": "5ms"}}]}}},
        "tenants": {"shop": {"slo": {"p90": "80ms"}}},
        "traffic": [{"name": "shop", "tenant": "shop", "entry": "web.page", "arrivals": {"poisson": "90/s"}}],
    }
    found = to_dict(ms.plan(shop, ["none"], engine="analytic", quiet=True))
    told = set(re.findall(r"`(\w+)`", TEXT[TEXT.index("`-o json`") : TEXT.index("## What it does not know")]))
    keys = {*found, *found["architectures"]["none"]} - {"schema_version", "topology", "architectures"}
    assert keys <= told | {"architectures", "feasible"}
