"""Mistakes in events, pushes, rollouts, the control plane and people: one error each, where `§` stands, with a hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from good_events import EVENTS, SYSTEM

from meshsim.errors import Diagnostic
from meshsim.model import faults
from meshsim.model import load as loading
from meshsim.model.read import keys

FAULT = "fault: {dns: {service: geo}}"
PUSH = "fault: {expired_certificate: {to: geo}}"

# (code, what stands beside the name of an event, part of the hint)
IN_EVENTS = [
    ("M101", f"§start: 20s, {FAULT}", "write at"),
    ("M101", f"§when: 20s, {FAULT}", "write at"),
    ("M101", f"at: 20s, §duration: 3s, {FAULT}", "write for"),
    ("M101", f"at: 20s, §fro: 3s, {FAULT}", "did you mean 'for'?"),
    ("M101", "at: 20s, §type: crash", "fault:"),
    ("M101", "at: 20s, §crash: {service: geo}", "write fault"),
    ("M101", "at: 20s, §set: {}", "push"),
    ("M102", f"§{FAULT}", "add at"),
    ("M103", "at: 20s, fault: §crash", "crash: {service"),
    ("M103", "at: 20s, push: §canary", "set:"),
    ("M106", f"at: §20, {FAULT}", "20s"),
    ("M108", f"at: §120s, {FAULT}", "less than 2m"),
    ("M108", f"at: 20s, for: §0s, {FAULT}", ""),
    ("M114", "§at: 20s", "add fault"),
    ("M114", f"§at: 20s, {FAULT}, push: {{{PUSH}}}", "two events"),
    ("M120", f"at: 20s, §for: 5s, push: {{{PUSH}}}", "until it is rolled back"),
    ("M120", "at: 20s, §for: 5s, fault: {cold_cache: {service: page}}", "remove for"),
    ("M120", "at: 20s, §for: 5s, fault: {crash: {service: page}}", "restart"),
    ("M120", "at: 20s, §for: 5s, fault: {restart_herd: {service: page}}", "restart"),
    ("M126", f"at: §5s, {FAULT}", "lower run.warmup to 5s"),
]

# (code, what is written under fault, part of the hint)
IN_FAULTS = [
    ("M101", "{§kill: {service: geo}}", "process_killer"),
    ("M101", "{§pod-kill: {service: geo}}", "process_killer"),
    ("M101", "{§network-latency: {service: geo}}", "write latency"),
    ("M101", "{§netem: {service: geo}}", "write latency"),
    ("M101", "{§cpu-stress: {service: geo}}", "write cpu"),
    ("M101", "{§io_stress: {service: geo}}", "write io"),
    ("M101", "{§TimeChaos: {service: geo}}", "write time_travel"),
    ("M101", "{§az_failure: {zone: a}}", "write zone_loss"),
    ("M101", "{§netsplit: {}}", "write partition"),
    ("M101", "{§drain: {service: geo}}", "write shutdown"),
    ("M101", "{§wrong_route: {to: geo}}", "write push"),
    ("M101", "{§packetloss: {service: geo}}", "did you mean 'packet_loss'?"),
    ("M101", "{cpu: {service: geo, §lod: 50%}}", "did you mean 'load'?"),
    ("M101", "{cpu: {service: geo, §percent: 50%}}", "replicas: 50%"),
    ("M101", "{latency: {service: geo, §duration: 5s}}", "belongs to the event"),
    ("M101", "{dns: {service: geo, §replicas: 1}}", ""),
    ("M101", "{crash: {service: geo, §count: 1}}", "write replicas"),
    ("M101", "{crash: {§target: geo}}", "write service"),
    ("M102", "{§crash: {}}", "add service"),
    ("M102", "{§zone_loss: {}}", "add zone"),
    ("M102", "{§partition: {}}", "add zones"),
    ("M102", "{§load_spike: {}}", "add stream"),
    ("M103", "{crash: §geo}", "service: geo"),
    ("M103", "{crash: {service: geo, replicas: §some}}", "replicas"),
    ("M103", "{partition: {zones: §a}}", "[a, b]"),
    ("M104", "{crash: {service: §gio}}", "did you mean 'geo'?"),
    ("M104", "{crash: {service: §sidecar@geo}}", "name the service"),
    ("M104", "{zone_loss: {zone: §d}}", "known: a, b, c"),
    ("M104", "{partition: {zones: [a, §d]}}", "known: a, b, c"),
    ("M104", "{load_spike: {stream: §wob}}", "did you mean 'web'?"),
    ("M104", "{cold_cache: {service: page, cache: §tile}}", "did you mean 'tiles'?"),
    ("M104", "{cold_cache: {service: §geo}}", "with caches"),
    ("M104", "{cold_cache: {service: §waypoint}}", "mesh.ambient.waypoint"),
    ("M106", "{latency: {service: geo, delay: §100}}", "100ms"),
    ("M108", "{cpu: {service: geo, load: §100%}}", "90%"),
    ("M108", "{packet_loss: {service: geo, share: §100%}}", "90%"),
    ("M108", "{latency: {service: geo, delay: §0s}}", ""),
    ("M108", "{crash: {service: geo, replicas: §4}}", "write 3"),
    ("M108", "{crash: {service: reviews, replicas: §4}}", "write 3"),
    ("M108", "{crash: {service: gateway, replicas: §3}}", "write 2"),
    ("M108", "{crash: {service: geo, replicas: §0}}", "write 1"),
    ("M108", "{crash: {service: geo, replicas: §0%}}", "write 1"),
    ("M108", "{crash: {service: geo, replicas: §150%}}", ""),
    ("M108", "{slow_node: {factor: §0}}", ""),
    ("M108", "{batch_job: {gap: §0s}}", "a gap above 0"),
    ("M108", "{process_killer: {service: geo, every: §0s}}", ""),
    ("M108", "{partition: {§zones: [a, a]}}", "zones: [a, b]"),
    ("M108", "{partition: {§zones: [a, b, c]}}", "zones: [a, b]"),
    ("M108", "{§time_travel: {service: geo, skew: 1m}}", "skew: 10m"),
    ("M109", "{dependency_down: {service: geo, as: §404}}", ""),
    ("M109", "{certificate_expiry: {service: geo, connections: §old}}", "all, new"),
    ("M114", "§{dns: {service: geo}, crash: {service: geo}}", "two events"),
    ("M114", "§{}", "crash"),
    ("M120", "{io: {service: §geo}}", "wait: 5ms"),
    ("M120", "{io: {service: §gateway}}", "wait: 5ms"),
    ("M120", "{cold_cache: {service: gateway, §cache: tiles}}", "remove cache"),
]

# (code, what is written under push, part of the hint)
IN_PUSHES = [
    ("M011", "{set: {§policies.gio.timeout: 5ms}}", "did you mean 'geo'?"),
    ("M011", "{set: {policies.geo.timeout: 5ms, §routes.any.split: v1}}", "all"),
    ("M101", "{set: {policies.geo: {name: geo, §timout: 5ms}}}", "did you mean 'timeout'?"),
    ("M101", "{set: {§policies.geo.timout: 5ms}}", "did you mean 'timeout'?"),
    ("M101", f"{{§share: 50%, {PUSH}}}", "write reaches"),
    ("M101", f"{{§validated: 50%, {PUSH}}}", "write validation"),
    ("M101", f"{{§strategy: canary, {PUSH}}}", "write rollout"),
    ("M101", "{§policies: [{name: geo, timeout: 5ms}]}", "dotted paths"),
    ("M101", "{§retry_storm: {to: geo}}", "write fault"),
    ("M101", "{fault: {§rate_limit: {to: geo}}}", "write strict_limit"),
    ("M101", "{fault: {§process_killer: {service: geo}}}", "in the place of push"),
    ("M101", "{fault: {§slow_filtr: {}}}", "did you mean 'slow_filter'?"),
    ("M101", "{fault: {retry_storm: {to: geo, §attemts: 3}}}", "did you mean 'attempts'?"),
    ("M101", f"{{match: {{§header: x, tenant: web}}, {PUSH}}}", ""),
    ("M102", f"{{§match: {{}}, {PUSH}}}", "add tenant"),
    ("M102", "{fault: {§wrong_route: {to: geo.near}}}", "add instead"),
    ("M102", "{fault: {§short_timeout: {}}}", "add to"),
    ("M102", "{fault: {§wrong_weight: {to: reviews}}}", "add split"),
    ("M102", "{fault: {§cache_key: {}}}", "add key"),
    ("M103", "{set: §policies.geo.timeout}", "policies.geo.timeout: 5ms"),
    ("M103", "{set: {policies: §{geo: {timeout: 5ms}}}}", "policies.NAME.timeout: 5ms"),
    ("M104", "{set: {policies.geo.to: §gio}}", "did you mean 'geo'?"),
    ("M104", "{set: {routes.all.split: §v3}}", "known: v1, v2"),
    ("M104", f"{{scope: §service/gio, {PUSH}}}", "did you mean 'geo'?"),
    ("M104", f"{{scope: §tenant/wob, {PUSH}}}", "did you mean 'web'?"),
    ("M104", f"{{match: {{tenant: §wob}}, {PUSH}}}", "did you mean 'web'?"),
    ("M104", f"{{rollout: §canry, {PUSH}}}", "did you mean 'canary'?"),
    ("M104", "{fault: {blackhole: {to: §gio}}}", "did you mean 'geo'?"),
    ("M104", "{fault: {blackhole: {to: §geo.nere}}}", "did you mean 'near'?"),
    ("M104", "{fault: {wrong_route: {to: geo.near, instead: §gio.near}}}", "did you mean 'geo'?"),
    ("M104", "{fault: {wrong_weight: {to: reviews, split: {v1: 1, §v3: 1}}}}", "known: v1, v2"),
    ("M104", "{fault: {cache_key: {key: [§itm]}}}", "did you mean 'item'?"),
    ("M106", "{set: {policies.geo.timeout: §5}}", "5ms"),
    ("M106", "{fault: {slow_filter: {cpu: §50}}}", "50ms"),
    ("M108", f"{{reaches: §0%, {PUSH}}}", "50%"),
    ("M108", f"{{reaches: §50, {PUSH}}}", "did you mean 50%?"),
    ("M108", "{§set: {}}", "policies.geo.timeout: 5ms"),
    ("M108", "{fault: {retry_storm: {to: geo, attempts: §0}}}", "write 1"),
    ("M108", "{fault: {short_timeout: {to: geo, timeout: §0s}}}", ""),
    ("M108", "{fault: {slow_filter: {cpu: §0s}}}", ""),
    ("M108", "{fault: {crash_on_load: {restart: §0s}}}", ""),
    ("M108", "{fault: {strict_limit: {to: geo, burst: §0}}}", "write 1"),
    ("M108", "{fault: {wrong_route: {to: geo.near, instead: §geo.near}}}", "another"),
    ("M109", f"{{scope: §geo, {PUSH}}}", "scope: service/geo"),
    ("M109", f"{{scope: §everything, {PUSH}}}", "service/NAME"),
    ("M109", f"{{scope: §service, {PUSH}}}", "service/geo"),
    ("M109", f"{{scope: §cell/one, {PUSH}}}", "cell/0"),
    ("M109", f"{{via: §helm, {PUSH}}}", "raw"),
    ("M109", "{fault: {wrong_weight: {to: §reviews.get, split: {v1: 1}}}}", "to: reviews"),
    ("M112", "{set: {policies.geo.retries: {§attempts: }}}", ""),
    ("M114", "§{scope: gateway}", "set"),
    ("M114", f"§{{set: {{policies.geo.timeout: 5ms}}, {PUSH}}}", "two events"),
    ("M114", "{fault: §{slow_filter: {}, crash_on_load: {}}}", "two events"),
    ("M117", "{fault: {wrong_route: {to: geo, instead: page.show}}}", ""),
    ("M120", "{fault: {wrong_weight: {to: geo, §split: {v1: 1}}}}", "versions"),
    ("M120", f"{{scope: tenant/web, §match: {{tenant: web}}, {PUSH}}}", "remove match"),
    ("M121", "{fault: {wrong_route: {to: reviews, instead: §geo}}}", "geo.lookup, geo.near"),
    ("M123", "{set: {policies: [{name: a, panic: 0%}, §{name: b, panic: 1%}]}}", "narrower"),
    ("M127", "{set: {§services.geo.replicas: 1}}", "policies, routes, mesh"),
    ("M127", "{set: {§run.load: 2}}", "policies, routes, mesh"),
    ("M127", "{scope: service/geo, via: §template, fault: {slow_filter: {}}}", "via: raw"),
    ("M127", "{via: §template, fault: {short_timeout: {to: geo}}}", "scope: service/NAME"),
    ("M127", "{scope: §mesh, via: template, set: {policies.geo.timeout: 5ms}}", "scope: service/NAME"),
    ("M127", "{match: §{tenant: web}, fault: {retry_storm: {to: geo}}}", "wrong_route"),
    ("M127", "{scope: §tenant/web, fault: {strict_limit: {to: geo}}}", "wrong_route"),
    ("M127", "{scope: §tenant/web, set: {policies.geo.timeout: 5ms}}", "match"),
    ("M127", "{match: §{tenant: web}, fault: {crash_on_load: {}}}", "remove the tenant"),
    ("M127", "{match: §{tenant: web}, fault: {cache_key: {key: item}}}", "remove the tenant"),
    ("M127", "{§set: {mesh.gateway.cpu: 100m}}", "write cpu into mesh"),
    ("M127", "{§set: {mesh.sidecar.bulkhead: 3}}", "write bulkhead into mesh"),
    ("M127", "{§set: {mesh.gateway.memory: 1GiB}}", "write memory into mesh"),
    ("M127", "{§set: {mesh.gateway.cache.capacity: 3}}", "its only, or its key"),
]

# (code, what stands at the top level, part of the hint)
AT_THE_TOP = [
    ("M101", "§chaos: []", "write events"),
    ("M101", "§controlPlane: {}", "write control_plane"),
    ("M103", "events: §{}", "write events"),
    ("M102", "events: [§{at: 20s, fault: {dns: {service: geo}}}]", "add name"),
    ("M111", "events: [{name: a, at: 20s, fault: {dns: {service: geo}}}, "
             "{name: §a, at: 20s, fault: {dns: {service: geo}}}]", "another name"),
    ("M101", "rollouts: {slow: {§pause: 5m}}", "write bake"),
    ("M101", "rollouts: {slow: {analysis: {fixed: {§bad: 1%}}}}", ""),
    ("M103", "rollouts: §[slow]", "careful"),
    ("M108", "rollouts: {slow: {steps: [50%, §10%, 100%]}}", "[1%, 10%, 50%, 100%]"),
    ("M108", "rollouts: {slow: {steps: [§0%, 100%]}}", "[1%, 10%, 50%, 100%]"),
    ("M108", "rollouts: {slow: {§steps: [10%, 50%]}}", "100%"),
    ("M108", "rollouts: {slow: {§steps: []}}", "100%"),
    ("M108", "rollouts: {slow: {batch: §0, by: zone}}", "write 1"),
    ("M108", "rollouts: {slow: {analysis: {sequential: {baseline: 5%, bad: §5%}}}}", "more than 0.05"),
    ("M108", "rollouts: {slow: {analysis: {sequential: {false_alarm: §60%, miss: 50%}}}}", "coin"),
    ("M108", "rollouts: {slow: {analysis: {fixed: {false_alarm: §0%}}}}", "1%"),
    ("M108", "rollouts: {slow: {analysis: {fixed: {requests: §0}}}}", "write 1"),
    ("M109", "rollouts: {slow: {by: §region}}", "zone"),
    ("M109", "rollouts: {slow: {rollback: §never}}", "none"),
    ("M110", "rollouts: {§my.slow: {}}", "letters"),
    ("M114", "rollouts: {slow: {§analysis: {fixed: {}, sequential: {}}}}", "none"),
    ("M120", "rollouts: {slow: {by: zone, §steps: [100%]}}", "by: share"),
    ("M120", "rollouts: {slow: {§batch: 2}}", "by: zone"),
    ("M101", "control_plane: {§throttle: 20}", "cores"),
    ("M101", "control_plane: {§cpu_per_cluster: 20us}", "write per_cluster"),
    ("M102", "control_plane: {down: [§{from: 1s}]}", "add to"),
    ("M106", "control_plane: {delay: §10}", "10ms"),
    ("M108", "control_plane: {debounce_max: §50ms}", "raise debounce_max"),
    ("M108", "control_plane: {debounce: §20s}", "raise debounce_max"),
    ("M108", "control_plane: {cores: §0}", ""),
    ("M108", "control_plane: {down: [{from: 9s, to: §9s}]}", "exchange"),
    ("M108", "control_plane: {down: [{from: 1s, to: 9s}, {from: §8s, to: 10s}]}", "overlap"),
    ("M101", "people: {§mttd: 5m}", "write detect"),
    ("M106", "people: {detect: §5}", "5m"),
    ("M108", "people: {monitoring: §0s}", ""),
    ("M108", "people: {threshold: §5}", "5%"),
]  # fmt: skip


def _diagnostics(text: str, tmp_path: Path) -> list[Diagnostic]:
    file = tmp_path / "events.yaml"
    file.write_text(text, encoding="utf-8")
    topology, found = loading.validate(file)
    assert (topology is None) == any(d.severity == "error" for d in found)
    return found


def _is_one_error(code: str, text: str, hint: str, tmp_path: Path) -> None:
    before, mark, after = text.partition("§")
    found = _diagnostics(before + after, tmp_path)
    assert [d.code for d in found] == [code], found
    assert found[0].severity == "error" and hint in found[0].hint, found
    if mark:
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        assert (found[0].line, found[0].col) == place, found
    assert found[0].line == SYSTEM.count("\n") + 1 and found[0].file.endswith("events.yaml")


@pytest.mark.parametrize(("code", "line", "hint"), IN_EVENTS)
def test_mistakes_in_events(code: str, line: str, hint: str, tmp_path: Path) -> None:
    of_all = line.startswith("§") and code != "M101"
    event = f"§{{name: one, {line[1:]}}}" if of_all else f"{{name: one, {line}}}"
    _is_one_error(code, f"{SYSTEM}events: [{event}]\n", hint, tmp_path)


@pytest.mark.parametrize(("code", "fault", "hint"), IN_FAULTS)
def test_mistakes_in_faults(code: str, fault: str, hint: str, tmp_path: Path) -> None:
    line = f"§fault: {fault[1:]}" if fault.startswith("§") else f"fault: {fault}"
    _is_one_error(code, f"{SYSTEM}events: [{{name: one, at: 20s, {line}}}]\n", hint, tmp_path)


@pytest.mark.parametrize(("code", "push", "hint"), IN_PUSHES)
def test_mistakes_in_pushes(code: str, push: str, hint: str, tmp_path: Path) -> None:
    line = f"§push: {push[1:]}" if push.startswith("§") else f"push: {push}"
    line = line.replace("fault: §{", "§fault: {")
    _is_one_error(code, f"{SYSTEM}events: [{{name: one, at: 20s, {line}}}]\n", hint, tmp_path)


@pytest.mark.parametrize(("code", "line", "hint"), AT_THE_TOP)
def test_mistakes_at_the_top(code: str, line: str, hint: str, tmp_path: Path) -> None:
    _is_one_error(code, f"{SYSTEM}{line}\n", hint, tmp_path)


def test_a_good_file_has_no_diagnostics(tmp_path: Path) -> None:
    assert _diagnostics(EVENTS, tmp_path) == []


def test_events_need_a_warm_up_that_is_written(tmp_path: Path) -> None:
    for run in ("", "run: {duration: 120s}\n", "run: {warmup: auto}\n"):
        text = SYSTEM.replace("run: {duration: 120s, warmup: 10s}\n", run)
        text += f"events: [{{name: one, at: 20s, {FAULT}}}, {{name: two, at: 1s, {FAULT}}}]\n"
        (error,) = _diagnostics(text, tmp_path)
        assert error.code == "M126" and "run: {warmup: 10s}" in error.hint
        assert (error.line, error.col) == (text[: text.index("events:")].count("\n") + 1, 1)
    at_once = SYSTEM + f"events: [{{name: one, at: 10s, {FAULT}}}]\n"  # the end of the warm-up is early enough
    assert _diagnostics(at_once, tmp_path) == []


@pytest.mark.parametrize("path", ["policies.geo.timeout: 5ms", "policies.geo: {name: geo, timeout: 5ms}"])
def test_a_part_of_a_list_that_is_not_there(path: str, tmp_path: Path) -> None:
    text = SYSTEM.replace("policies: [{name: geo, to: geo, timeout: 500ms}]", "policies: []")
    text += f"events: [{{name: one, at: 20s, push: {{set: {{§{path}}}}}}}]\n"
    _is_one_error("M011", text, "policies: [{name: geo, …}]", tmp_path)
    whole = text.replace(f"§{path}", "policies: [{name: geo, timeout: 5ms}]")
    assert _diagnostics(whole, tmp_path) == []


def test_a_spike_of_users_who_wait_for_answers(tmp_path: Path) -> None:
    text = SYSTEM.replace("arrivals: {poisson: 1/s}", "arrivals: {closed: {users: 3, think: 1s}}")
    text += "events: [{name: one, at: 20s, fault: {load_spike: {stream: §beta}}}]\n"
    _is_one_error("M120", text, "poisson", tmp_path)


def test_a_key_of_a_cache_that_nobody_has(tmp_path: Path) -> None:
    text = SYSTEM.replace("mesh: {gateway: {cache: {capacity: 50, key: item}}}", "mesh: {}")
    text += "events: [{name: one, at: 20s, push: {§fault: {cache_key: {key: item}}}}]\n"
    _is_one_error("M120", text, "mesh: {gateway: {cache", tmp_path)


def test_what_is_wrong_without_the_push_is_told_once(tmp_path: Path) -> None:
    text = SYSTEM.replace("to: geo, timeout", "to: gio, timeout")
    text += "events: [{name: one, at: 20s, push: {set: {policies.geo.timeout: 5}}}]\n"
    assert [(d.code, d.line) for d in _diagnostics(text, tmp_path)] == [
        ("M104", SYSTEM[: SYSTEM.index("policies:")].count("\n") + 1), ("M106", text.count("\n"))
    ]  # fmt: skip


def test_an_error_shows_the_line_and_the_caret(tmp_path: Path) -> None:
    file = tmp_path / "events.yaml"
    file.write_text(
        SYSTEM + "events:\n  - name: one\n    at: 20s\n    push: {set: {policies.geo.retries: {attemts: 3}}}\n"
    )
    assert loading.check(file).render().splitlines()[1:4] == [
        "  28 |     push: {set: {policies.geo.retries: {attemts: 3}}}",
        "     |                                         ^",
        "  hint: did you mean 'attempts'?",
    ]


def test_an_endpoint_that_only_a_push_reaches_is_called(tmp_path: Path) -> None:
    text = SYSTEM.replace("near: [{work: 1ms}]", "near: [{work: 1ms}], far: [{work: 1ms}]")
    assert [d.code for d in _diagnostics(text, tmp_path)] == ["M205"]
    astray = "fault: {wrong_route: {to: geo.near, instead: geo.far}}"
    written = "set: {routes.all: {name: all, to: geo.near, rewrite: geo.far}}"
    for push in (astray, written):
        assert _diagnostics(f"{text}events: [{{name: one, at: 20s, push: {{{push}}}}}]\n", tmp_path) == []


def test_very_many_events_are_refused(tmp_path: Path) -> None:
    lines = "".join(f"  - {{name: e{i}, at: 20s, {FAULT}}}\n" for i in range(1001))
    (error,) = _diagnostics(f"{SYSTEM}events:\n{lines}", tmp_path)
    assert error.code == "M108" and "1,001 events" in error.message


def test_every_kind_has_keys_and_a_class() -> None:
    assert set(keys.FAULTS) == set(faults.FAULTS)
    assert set(keys.PUSH_FAULTS) == set(faults.PUSH_FAULTS)


def test_hints_do_not_hide_keys_of_the_language() -> None:
    assert not set(keys.ELSEWHERE_EVENT) & set(keys.EVENT)
    assert not set(keys.ELSEWHERE_FAULTS) & set(keys.FAULTS)
    assert not set(keys.ELSEWHERE_PUSH) & set(keys.PUSH)
    assert not set(keys.ELSEWHERE_PUSH_FAULTS) & set(keys.PUSH_FAULTS)
    assert not set(keys.ELSEWHERE_ROLLOUT) & set(keys.ROLLOUT)
    assert not set(keys.ELSEWHERE_CONTROL_PLANE) & set(keys.CONTROL_PLANE)
    assert not set(keys.ELSEWHERE_PEOPLE) & set(keys.PEOPLE)
    assert not set(keys.ELSEWHERE_TOP) & {*keys.TOP, *keys.LATER_TOP}
    assert not set(keys.ELSEWHERE_SERVICE) & {*keys.SERVICE, *keys.LATER_SERVICE}
