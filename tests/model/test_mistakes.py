"""Bad input: each mistake has its code, its place and a hint. `§` marks the place where the caret has to stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from good_shop import SHOP

from meshsim.errors import SpecError
from meshsim.model import load as loading
from meshsim.model.codes import CODES, explain

WORK = "- work: 5ms"
POISSON = "{poisson: 100/s}"
REPLICAS = "    replicas: 2\n"
END = "tenants: {web: {}}\n"

# (code, part of the good file, what stands there instead, part of the hint)
ERRORS = [
    ("M002", WORK, "- work: {exp: 5ms\n        - call: cart.get]", "quotes"),
    ("M002", WORK, "- work: §*nothing", ""),
    ("M002", REPLICAS, "§\treplicas: 2\n", "spaces instead"),
    ("M002", REPLICAS, "    §\treplicas: 2\n", "spaces instead"),
    ("M003", REPLICAS, "    replicas: 2\n    §replicas: 3\n", "line 4"),
    ("M005", WORK, "- work: §!!python/object/apply:os.system ['true']", "remove the tag"),
    ("M005", WORK, "- work: §!!str 5ms", "remove the tag"),
    ("M006", "replicas: 2", "replicas: §010", "write 10"),
    ("M007", "traffic:", "§---\ntraffic:", "one topology"),
    ("M009", END, "§[a, b]: 1\n", "name: value"),
    ("M010", "meshsim: 1", "meshsim: 1\nextends: §nowhere.yaml", "relative"),
    ("M101", REPLICAS, "    §replica: 2\n", "did you mean 'replicas'?"),
    ("M101", "tenants:", "§tenant:", "did you mean 'tenants'?"),
    ("M101", WORK, "- §wrk: 5ms", "did you mean 'work'?"),
    ("M101", "- call: cart.get", "- {call: cart.get, §tries: 2}", "did you mean 'retries'?"),
    ("M101", "{web: {}}", "{web: {slo: {§p999.5: 1ms}}}", "p99"),
    ("M101", END, "§cells: 3\n", "--arch '{ingress: gateway, cells: 3}'"),
    ("M101", "replicas: 2", "§cells: 3", "--arch '{ingress: gateway, cells: 3}'"),
    ("M102", "{name: web, entry", "§{entry", "add name"),
    ("M102", "{name: web, entry: shop.get,", "§{name: web,", "add entry"),
    ("M102", "meshsim: 1\n", "", "add meshsim"),
    ("M102", END, "policies: [§{name: p, to: cart}]\n", "add one of in_app"),
    ("M102", "replicas: 2", "§cpu: {}", "request: 1"),
    ("M103", "replicas: 2", 'replicas: §"2"', "without quotes"),
    ("M103", "replicas: 2", "replicas: §two", ""),
    ("M103", "replicas: 2", "replicas: §1_000", "write 1000"),
    ("M103", "replicas: 2", "replicas: §1.5", ""),
    ("M103", "replicas: 2", "replicas: §[2]", ""),
    ("M103", "replicas: 2", "replicas: §.nan", ""),
    ("M103", "- call: cart.get", "- {call: cart.get, optional: §no}", "write false"),
    ("M103", "[{work: 1ms}]\n      put", "§{work: 1ms}\n      put", "write get: ["),
    ("M103", "tenants: {web: {}}", "tenants: §[web]", "slo"),
    ("M104", "call: cart.get", "call: §crt.get", "did you mean 'cart'?"),
    ("M104", "call: cart.get", "call: §cart.gett", "did you mean 'get'?"),
    ("M104", "entry: shop.get", "entry: §chop.get", "did you mean 'shop'?"),
    ("M104", "{name: web, entry", "{name: web, tenant: §wob, entry", "did you mean 'web'?"),
    ("M104", END, "policies: [{name: p, to: §carte, in_app: true}]\n", "did you mean 'cart'?"),
    ("M104", END, "policies: [{name: p, from: §clint, in_app: true}]\n", "did you mean 'client'?"),
    ("M104", REPLICAS, "    versions: {v1: {}}\n    split: {§v2: 1, v1: 1}\n", "known: v1"),
    ("M104", REPLICAS, "    versions: {v1: {endpoints: {§gat: []}}}\n", "did you mean 'get'?"),
    ("M105", "replicas: 2", "§slow: {}", "for now"),
    ("M120", "replicas: 2", "§line: fair", "concurrency: 64"),
    ("M108", "replicas: 2", "bulkhead: §0", "write 1"),
    ("M106", "replicas: 2", "bandwidth: §100", "write 100Gbit/s or 100MB/s"),
    ("M107", "replicas: 2", "bandwidth: §1Gb/s", "did you mean 1Gbit/s?"),
    ("M108", "replicas: 2", "bandwidth: §0Mbit/s", ""),
    ("M106", "replicas: 2", "buffers: §64", "write 64KiB or 64MiB"),
    ("M105", END, "policies: [{name: p, §codel: {}, in_app: true}]\n", "for now"),
    ("M105", END, "mesh: {sidecar: {§filters: []}}\n", "for now"),
    ("M105", "{web: {}}", "{web: {§budget: 3}}", "for now"),
    ("M105", "replicas: 2", "versions: {v1: {§memory: 1GiB}}", "for now"),
    ("M106", "work: 5ms", "work: §5", "write 5ms or 5s"),
    ("M106", "work: 5ms", "work: {exp: §0.5}", "write 0.5ms or 0.5s"),
    ("M106", "100/s", "§100", "write 100/s"),
    ("M106", "replicas: 2", "memory: §64", "64MiB"),
    ("M106", END, "prices: {cpu: §0.03}\n", "$0.03/core/h"),
    ("M106", END, "run: {duration: §60}\n", "60s"),
    ("M107", "work: 5ms", "work: §5 msec", "did you mean 5ms?"),
    ("M107", "work: 5ms", "work: §-5ms", ""),
    ("M107", "work: 5ms", "work: §1:30", "5ms"),
    ("M107", "replicas: 2", "cpu: §unlimited", "limit: unlimited"),
    ("M107", "replicas: 2", "cpu: §500x", "write e.g. 2 (cores) or 250m"),
    ("M108", POISSON, "{poisson: §1e12/s}", "slip in the number or in its unit"),
    ("M107", END, "prices: {cpu: §$3/GiB}\n", "$0.03/core/h"),
    ("M107", END, "prices: {node: §$3/core/h}\n", "write node: $0.10/h"),
    ("M101", END, "prices: {§lcu: $0.008/LCU/h}\n", "meshsim cost --prices FILE"),
    ("M101", END, "prices: {§ram: $0.004/GiB/h}\n", "write memory: $0.0042/GiB/h"),
    ("M101", END, "§autoscale: []\n", "give it to a service"),
    ("M108", "replicas: 2", "replicas: §0", "write 1"),
    ("M108", "replicas: 2", "replicas: §-3", "write 1"),
    ("M108", "replicas: 2", "replicas: §100001", "write 100000"),
    ("M108", "replicas: 2", "replicas: §" + "9" * 5000, ""),
    ("M108", "replicas: 2", "cpu: {request: §3, limit: 2}", "raise the limit"),
    ("M108", "work: 5ms", "work: §200000d", ""),
    ("M108", "work: 5ms", "work: {exp: §0s}", "constant"),
    ("M108", "work: 5ms", "work: {lognormal: {mean: 5ms, cv: §.inf}}", ""),
    ("M108", "work: 5ms", "work: {lognormal: {p50: 5ms, p99: §4ms}}", "exchange"),
    ("M108", "work: 5ms", "work: {uniform: {low: 5ms, high: §4ms}}", "exchange"),
    ("M108", "work: 5ms", "work: {pareto: {shape: 2, scale: 5ms, upper: §4ms}}", "scale"),
    ("M108", "work: 5ms", "work: {empirical: §[]}", "at least one"),
    ("M108", "- call: cart.get", "- {call: cart.get, p: §5}", "did you mean 5%?"),
    ("M108", "- call: cart.get", "- parallel: §[]", "call: a.get"),
    ("M108", POISSON, "{mmpp: §{rates: [1/s], stay: [1s, 2s]}}", "each state"),
    ("M108", POISSON, "{rate: [{at: 0s, rate: 1/s}, {at: §0s, rate: 2/s}]}", "order"),
    ("M108", POISSON, "{rate: {diurnal: {mean: 1/s, peak: §3/s, period: 1h, peak_at: 0s}}}", "twice"),
    ("M108", END, "run: {duration: 10s, warmup: §20s}\n", "less than 10s"),
    ("M108", END, "run: {load: §0}\n", ""),
    ("M108", END, "§prices: {cpu: $1/core/h, memory: 1 EUR/GiB/h}\n", "one currency"),
    ("M108", "work: 5ms", "work: {gamma: {mean: 5ms, cv: §1.0e-200}}", "write 0"),
    ("M108", "work: 5ms", "work: {lognormal: §{p50: 1e-290s, p99: 99d}}", ""),
    ("M108", "work: 5ms", "work: {weibull: §{shape: 0.05, scale: 100d}}", ""),
    ("M108", POISSON, "{mmpp: {rates: [1/s, 2/s], stay: [§1ns, 1s]}}", ""),
    ("M108", POISSON, "{renewal: §0.1ns}", "1 ns"),
    ("M128", WORK, "- §work: {low: 1ms, mid: 2ms}", "add high"),
    ("M128", POISSON, "{§poisson: {low: 1/s, high: 2/s}}", "add mid"),
    ("M128", "replicas: 2", "§cpu: {mid: 2, high: 3}", "add low"),
    ("M128", "work: 5ms", "work: {exp: {low: 1ms, mid: 2ms, high: 3ms, §hihg: 4ms}}", "three values"),
    ("M128", "replicas: 2", "connections: {low: §3, mid: 2, high: 3}", "exchange"),
    ("M128", POISSON, "{poisson: {low: 1/s, mid: §2/s, high: 60/m}}", "exchange"),
    ("M128", WORK, "- work: {low: 1ms, mid: 2ms, §high: {low: 3ms, mid: 4ms, high: 5ms}}", "one value"),
    ("M128", WORK, "- work: {low: 1ms, mid: 2ms, §high: }", "one value"),
    ("M106", WORK, "- work: {low: 1ms, mid: 2ms, high: §3}", "write 3ms"),
    ("M108", "replicas: 2", "replicas: {low: §0, mid: 2, high: 3}", "write 1"),
    ("M107", POISSON, "{poisson: {low: §1ms, mid: 2/s, high: 3/s}}", ""),
    ("M103", "replicas: 2", 'connections: §"8"', "without quotes"),
    ("M109", "replicas: 2", "discipline: §LIFO", "did you mean 'lifo'?"),
    ("M109", END, "policies: [{name: p, load_balancer: §LEAST-REQUEST}]\n", "did you mean 'least_request'?"),
    ("M109", END, "mesh: {gateway: {profile: §linkerd}}\n", "envoy"),
    ("M109", END, "mesh: {ambient: {profile: §envoy}}\n", "istio-1.24"),
    ("M109", WORK, "- {parallel: [{call: cart.get}], join: §any}", "quorum: 1"),
    ("M109", "replicas: 2", "discipline: §fairly", "did you mean 'fair'?"),
    ("M108", "{web: {}}", "{web: {weight: §0}}", "weight above 0"),
    ("M109", "- call: cart.get", "- {call: cart.get, times: {§exp: 3}}", "geometric"),
    ("M109", "work: 5ms", "work: {§geometric: 5}", "exp"),
    ("M109", WORK, "- fail: {as: §404}", "500"),
    ("M109", END, "mesh: {sidecar: {profile: §istio-1.2}}\n", "istio-1.24"),
    ("M102", END, "mesh: {sidecar: {§cpu_falls: {at: 1000/s}}}\n", "add exponent"),
    ("M103", END, "mesh: {gateway: {cpu_falls: §0.2}}\n", "exponent: 0.2"),
    ("M108", END, "mesh: {gateway: {cpu_falls: {exponent: §1.5}}}\n", ""),
    ("M108", END, "mesh: {gateway: {cpu_falls: {exponent: §-0.2}}}\n", ""),
    ("M106", END, "mesh: {gateway: {cpu_falls: {exponent: 0.2, at: §1000}}}\n", "write 1000/s"),
    ("M108", END, "mesh: {gateway: {cpu_falls: {exponent: 0.2, from: §0/s}}}\n", ""),
    ("M108", END, "mesh: {gateway: {cpu_falls: §{exponent: 0.2, from: 2000/s, to: 500/s}}}\n", "from the lower rate"),
    ("M108", END, "mesh: {gateway: {cpu_falls: §{exponent: 0.2, at: 5000/s}}}\n", "lies between"),
    ("M101", END, "mesh: {gateway: {cpu_falls: {§exponant: 0.2}}}\n", "exponent"),
    ("M109", "replicas: 2", "connections: §always", "per_request"),
    ("M110", "  cart:\n", "  §my.cart: {endpoints: {get: []}}\n  cart:\n", "letters"),
    ("M110", "  cart:\n", "  §client: {endpoints: {get: []}}\n  cart:\n", "client-service"),
    ("M111", "{name: put", "{name: §web", "line 15"),
    ("M111", END, "nodes: {zones: [a, §a]}\n", "once"),
    ("M112", "put: [{work: 1ms}]", "§put:", "give it one"),
    ("M113", "meshsim: 1", "meshsim: §2", "meshsim: 1"),
    ("M114", WORK, "- §{work: 5ms, wait: 1ms}", "two steps"),
    ("M114", "work: 5ms", "§work: {exp: 1ms, gamma: {mean: 1ms, cv: 1}}", "exp"),
    ("M114", "work: 5ms", "work: {§lognormal: {mean: 1ms, p99: 2ms}}", "mean"),
    ("M114", POISSON, "§{poisson: 1/s, constant: 1/s}", "poisson"),
    ("M115", WORK, "- §choose: [{p: 0.7}, {p: 40%}]", "1"),
    ("M115", REPLICAS, "    versions: {v1: {}}\n    §split: {v1: 0}\n", "90"),
    ("M116", "- call: cart.get", "- {parallel: [{call: cart.get}], quorum: §2}", "from 1 to 1"),
    ("M117", "get: [{work: 1ms}]", "§get: [{call: shop.get}]", "p below 1"),
    ("M118", "- call: cart.get", "- {call: cart.get, times: 1000000}\n        - {call: cart.get, times: 2}", ""),
    ("M119", SHOP[SHOP.index("traffic") :], "traffic: §[]\n", "poisson"),
    ("M120", REPLICAS, "    §queue: 4\n", "concurrency"),
    ("M120", REPLICAS, "    §split: {v1: 1}\n", "versions"),
    ("M120", "- call: cart.get", "- {call: cart.get, async: true, fallback: §[]}", "remove"),
    ("M120", POISSON, "{closed: {users: 1, think: 1s}}, sessions: §{requests: 2, gap: 1s}", "poisson"),
    ("M120", "- call: cart.get", "- {call: cart.get, optional: §true, fallback: []}", "remove optional"),
    ("M121", "call: cart.get", "call: §cart", "cart.get, cart.put"),
    ("M121", "{web: {}}\ntraffic:\n  - {", "{web: {}, app: {}}\ntraffic:\n  - §{", "tenant: web"),
    ("M122", POISSON, "{trace: {file: §nowhere.csv}}", "relative"),
    ("M123", END,
     "policies: [{name: one, to: cart, in_app: true}, §{name: two, to: cart, in_app: false}]\ntenants: {web: {}}\n",
     "narrower"),
    ("M124", END, "call_depth: 1\n", "call_depth: 2"),
    ("M125", POISSON, "{spike: {base: 1/s, peak: 9/s, at: 5s, lasts: 5s}}", "warmup: 10s"),
]  # fmt: skip

WARNINGS = [
    ("M201", REPLICAS, "    §concurrency: 4\n", "queue: 256"),
    ("M203", "  shop:\n    replicas: 2\n", "  §shop:\n    cpu: 250m\n", "3 replicas"),
    ("M204", "  cart:\n", "  §idle: {endpoints: {get: []}}\n  cart:\n", "remove it"),
    ("M205", "  - {name: put, entry: cart.put, arrivals: {poisson: 1/s}}\n", "", "traffic"),
    ("M206", "{web: {}}\ntraffic:\n  - {name: web,",
     "{web: {}, §app: {}}\ntraffic:\n  - {name: web, tenant: web,", "app"),
    ("M230", "{web: {}}", "{web: {weight: §3}}", "discipline: fair"),
    ("M230", "{web: {}}", "{web: {priority: §1}}", "line: priority"),
    ("M208", REPLICAS, "    §replicas: 2\n    versions: {v1: {}, v2: {}}\n", "2 of its own"),
    ("M203", END, "run: {duration: 30s, warmup: 0s, load: 4.5}\n", "it fits from 3 replicas"),
    ("M203", "    replicas: 2\n", "    concurrency: 1\n    queue: 9\n    replicas: 2\n", ""),
    ("M211", POISSON, "{trace: {times: [90s]}}", "0s"),
    ("M212", "- call: cart.get", "- {call: cart.put, timeout: §500us}", "raise"),
    ("M213", END, "policies: [§{name: p, from: cart, to: shop, in_app: true}]\n", "from"),
    ("M214", END, "run: {duration: §2000d}\n", "shorten"),
    ("M215", END, "nodes: {cpu: 500m}\n", "larger"),
    ("M215", END, "§nodes: {cpu: 2}\n", "pods_per_node"),
    ("M209", "work: 5ms", "work: {pareto: {shape: 1, scale: 1ms}}", "upper"),
]  # fmt: skip


def _broken(old: str, new: str) -> tuple[str, tuple[int, int] | None]:
    assert old in SHOP
    text = SHOP.replace(old, new, 1)
    before, mark, after = text.partition("§")
    if not mark:
        return text, None
    return before + after, (before.count("\n") + 1, len(before) - before.rfind("\n"))


def _diagnostics(text: str, tmp_path: Path):
    file = tmp_path / "shop.yaml"
    file.write_text(text, encoding="utf-8")
    topology, found = loading.validate(file)
    assert (topology is None) == any(d.severity == "error" for d in found)
    return found


@pytest.mark.parametrize(("code", "old", "new", "hint"), ERRORS)
def test_each_error_has_its_code_place_and_hint(code: str, old: str, new: str, hint: str, tmp_path: Path) -> None:
    text, place = _broken(old, new)
    errors = [d for d in _diagnostics(text, tmp_path) if d.severity == "error"]
    error = next((d for d in errors if d.code == code and (place is None or (d.line, d.col) == place)), None)
    assert error, errors
    assert hint in error.hint
    assert error.file.endswith("shop.yaml")


@pytest.mark.parametrize(("code", "old", "new", "hint"), WARNINGS)
def test_each_warning(code: str, old: str, new: str, hint: str, tmp_path: Path) -> None:
    text, place = _broken(old, new)
    if code == "M206":
        text = text.replace("{name: put,", "{name: put, tenant: web,")
    if code == "M211":
        text += "run: {warmup: 0s}\n"
    if "concurrency: 1" in new:
        text = text.replace("work: 5ms", "wait: 30ms")  # 100/s for 31 ms at two places
    found = _diagnostics(text, tmp_path)
    warning = next((d for d in found if d.code == code and (place is None or (d.line, d.col) == place)), None)
    assert warning and warning.severity == "warning", found
    assert place is None or (warning.line, warning.col) == place
    assert hint in warning.hint
    assert not any(d.severity == "error" for d in found)


def test_a_timeout_below_the_inner_ones_is_told(tmp_path: Path) -> None:
    text = SHOP.replace("- call: cart.get", "- {call: cart.get, timeout: 500ms}")
    text = text.replace("get: [{work: 1ms}]", "get: [{call: cart.put, timeout: 300ms, retries: 1}]")
    (warning,) = (d for d in _diagnostics(text, tmp_path) if d.code == "M202")
    assert "500ms" in warning.message and "600ms" in warning.message  # two tries of 300 ms
    assert (warning.line, warning.col) == (8, 37)
    enough = text.replace("timeout: 500ms", "timeout: 600ms")
    assert not any(d.code == "M202" for d in _diagnostics(enough, tmp_path))


def test_retries_at_several_levels_multiply(tmp_path: Path) -> None:
    text = SHOP.replace("- call: cart.get", "- {call: cart.get, retries: 3}")
    text = text.replace("get: [{work: 1ms}]", "get: [{call: cart.put, retries: 2}]")
    (warning,) = (d for d in _diagnostics(text, tmp_path) if d.code == "M207")
    assert "12 tries" in warning.message and "shop.get -> cart.get -> cart.put" in warning.message


def test_a_good_file_has_no_diagnostics(tmp_path: Path) -> None:
    assert _diagnostics(SHOP, tmp_path) == []


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    text = SHOP.replace("replicas: 2", "replicas: 0").replace("5ms", "5").replace("cart.get", "crt.get")
    text = text.replace("100/s", "100")
    assert [d.code for d in _diagnostics(text, tmp_path)] == ["M108", "M106", "M104", "M106"]


def test_entries_without_a_name_are_read_for_their_other_mistakes(tmp_path: Path) -> None:
    text = SHOP.replace("{name: web, entry: shop.get", "{entry: shp.get")
    assert {d.code for d in _diagnostics(text, tmp_path)} == {"M102", "M104"}


def test_an_unavoidable_cycle_is_named(tmp_path: Path) -> None:
    text = SHOP.replace("get: [{work: 1ms}]", "get: [{call: shop.get}]")
    (error,) = _diagnostics(text, tmp_path)
    assert "cart.get -> shop.get -> cart.get" in error.message
    avoidable = SHOP.replace("get: [{work: 1ms}]", "get: [{call: shop.get, p: 10%}]")
    assert not any(d.severity == "error" for d in _diagnostics(avoidable, tmp_path))


def test_the_error_shows_line_caret_hint_and_count(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP.replace("call: cart.get", "call: crt.get"))
    with pytest.raises(SpecError) as caught:
        loading.load(file)
    assert str(caught.value).splitlines() == [
        f"{file}:8:17: error[M104]: unknown service 'crt'",
        "   8 |         - call: crt.get",
        "     |                 ^",
        "  hint: did you mean 'cart'?",
        "1 error, 0 warnings",
    ]
    assert caught.value.exit_code == 2


def test_a_flood_of_errors_is_cut(tmp_path: Path) -> None:
    text = SHOP + "".join(f"x{i}: 1\n" for i in range(5000))
    found = _diagnostics(text, tmp_path)
    assert len(found) == 100


def test_every_code_is_in_the_catalogue_and_every_entry_is_used() -> None:
    import re

    import meshsim.model

    sources = Path(meshsim.model.__file__).parent.rglob("*.py")
    used = {code for file in sources if file.name != "codes.py" for code in re.findall(r'"(M\d{3})"', file.read_text())}
    assert used == set(CODES)


def test_every_code_is_met_in_these_tests() -> None:
    elsewhere = {"M001", "M004", "M008", "M011", "M012", "M202", "M207", "M210"}
    elsewhere |= {"M216", "M217", "M218", "M219", "M220", "M221", "M222", "M223"}  # test_policy_mistakes.py
    elsewhere |= {"M224", "M225", "M226", "M228"}  # test_cache_mistakes.py
    elsewhere |= {"M227", "M229"}  # test_key_traces.py
    elsewhere |= {"M126", "M127"}  # test_event_mistakes.py
    assert {case[0] for case in [*ERRORS, *WARNINGS]} | elsewhere == set(CODES)


def test_explain_shows_wrong_and_right() -> None:
    text = explain("m104")
    assert "wrong:" in text and "chekout" in text and "right:" in text


def test_time_goes_through_calls_without_a_timeout(tmp_path: Path) -> None:
    services = """
  a: {endpoints: {x: [{call: b.x, timeout: 1s}]}}
  b: {endpoints: {x: [{call: c.x}]}}
  c: {endpoints: {x: [{call: d.x, timeout: 5s, retries: 2}]}}
  d: {endpoints: {x: [{work: 1ms}]}}
"""
    traffic = "traffic: [{name: web, entry: a.x, arrivals: {poisson: 1/s}}]\n"
    (warning,) = (d for d in _diagnostics(f"meshsim: 1\nservices:{services}{traffic}", tmp_path) if d.code == "M202")
    assert "15s" in warning.message and warning.line == 3


@pytest.mark.parametrize(
    ("override", "place"),
    [
        ("run.duration=2000d", "--set run.duration=…"),
        ("run.load=999999", "--set run.load=…"),
        ("traffic.web.arrivals.poisson=1e7/s", "shop.yaml"),
    ],
)
def test_a_long_run_is_told_where_it_was_asked_for(tmp_path: Path, override: str, place: str) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP + "run: {duration: 300s, warmup: 0s}\n")
    (warning,) = (d for d in loading.validate(file, [override])[1] if d.code == "M214")
    assert warning.file.endswith(place)


def test_the_peak_of_a_spike_counts(tmp_path: Path) -> None:
    text = SHOP.replace(POISSON, "{spike: {base: 1/s, peak: 500/s, at: 30s, lasts: 1s}}") + "run: {warmup: 0s}\n"
    (warning,) = (d for d in _diagnostics(text, tmp_path) if d.code == "M203")
    assert "at its peak (30s)" in warning.message and "2.5 cores" in warning.message
    after_the_run = text.replace("warmup: 0s", "warmup: 0s, duration: 20s")
    assert not _diagnostics(after_the_run, tmp_path)


def test_values_of_files_are_judged_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "sizes.txt").write_text("3,secret\n0,secret\nx y,secret\nz,secret\n")
    text = SHOP.replace(POISSON, "{batch: {rate: 1/s, size: {empirical: {file: sizes.txt}}}}")
    (tmp_path / "shop.yaml").write_text(text)
    checked = loading.check(tmp_path / "shop.yaml")
    assert [(d.code, d.line) for d in checked.diagnostics] == [("M108", 2), ("M103", 3)]
    assert "secret" not in checked.render()
    (tmp_path / "sizes.txt").write_text("")
    assert [d.code for d in loading.validate(tmp_path / "shop.yaml")[1]] == ["M122"]


def test_messages_cannot_be_faked(tmp_path: Path) -> None:
    text = SHOP.replace("call: cart.get", 'call: "crt\\e[2J\\u202e"')
    (tmp_path / "shop.yaml").write_text(text)
    shown = loading.check(tmp_path / "shop.yaml").render()
    assert "\\x1b[2J\\u202e" in shown and "\x1b" not in shown and "\u202e" not in shown


def test_join_all_is_the_default(tmp_path: Path) -> None:
    text = SHOP.replace("- call: cart.get", "- {parallel: [{call: cart.get}], join: all}")
    assert _diagnostics(text, tmp_path) == []


def test_items_of_lists_are_named(tmp_path: Path) -> None:
    errors = _diagnostics(SHOP.replace(WORK, "- 5ms"), tmp_path)
    assert "step 0 of shop.get" in errors[0].message


def test_many_unknown_names_are_cut_and_the_first_get_a_hint(tmp_path: Path) -> None:
    text = SHOP.replace(WORK, "\n".join([WORK, *(f"        - call: crt{i}.get" for i in range(200))]))
    found = _diagnostics(text, tmp_path)
    assert len(found) == 100 and "did you mean 'cart'?" in found[0].hint


def test_profiles_are_those_of_the_architectures() -> None:
    from meshsim.architectures import profiles
    from meshsim.model.topology import PROFILES

    assert {name: set(kinds) for name, kinds in PROFILES.items()} == {
        name: set(kinds) for name, kinds in profiles.PROFILES.items()
    }
