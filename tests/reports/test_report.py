"""A report says what the studies say that it is made of, and loses nothing when one of them cannot be made."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from small_reports import ARCHITECTURES, EVIL, Page, duo, plain, whole, whole_text

import meshsim as ms
from meshsim.blasts import report as blast_report
from meshsim.costs import report as cost_report
from meshsim.errors import EngineLimit
from meshsim.interference import report as tenants_report
from meshsim.model.load import load
from meshsim.planning import report as plan_report
from meshsim.reports import study


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(whole_text())


def test_the_comparison_is_that_of_compare(page: Page) -> None:
    found = ms.compare(duo(), ARCHITECTURES, quiet=True)
    (shown,) = [rows for caption, rows in page.tables.items() if caption.startswith(found.headline())]
    assert shown == found.table()
    assert set(found.sentences()) | set(found.verdict) <= set(page.texts["li"])


def test_the_bill_is_that_of_cost(page: Page) -> None:
    found = ms.cost(duo(), ARCHITECTURES, quiet=True)
    for told in cost_report.tables(found):
        assert page.tables[told.title] == told.rows
    assert whole().costs.to_dict()["architectures"] == found.to_dict()["architectures"]


def test_blast_plan_and_neighbours_are_theirs(page: Page) -> None:
    blast = ms.blast(duo(), ARCHITECTURES, quiet=True)
    assert blast_report.reach_rows(blast) in page.tables.values()
    assert blast_report.worst_rows(blast, blast_report.WORST) in page.tables.values()
    plan = ms.plan(duo(), ARCHITECTURES, growth=False, quiet=True)
    for name in ARCHITECTURES:
        assert plan_report.part_rows(plan[name]) in page.tables.values()
        assert any(plan_report.money(plan[name]) in text for text in page.texts["li"])
    tenants = ms.tenants(duo(), ARCHITECTURES, headroom=False, quiet=True)
    for title, rows in tenants_report.matrices(tenants):
        assert page.tables[title] == rows


def test_what_cannot_happen_is_not_counted_as_survived(page: Page) -> None:
    blast = whole().blast
    assert blast is not None
    ways = list(dict.fromkeys(cell.rollout for cell in blast.cells if cell.rollout))
    none, sidecar = ([text for text in page.texts["li"] if text.startswith(f"{name}: ")] for name in ARCHITECTURES)
    for way in ways:
        assert not any(re.search(rf"\d pushed {way}", text) for text in none)
        got = [c for c in blast.cells if c.architecture == "sidecar" and c.rollout == way and c.proxies]
        far = sum(len(cell.harm.tenants) > 1 for cell in got)
        assert any(f"{far} of {len(got)} pushed {way}" in text for text in sidecar)
    assert any(text.endswith(f"pushed {' or '.join(ways)}: does not apply, nothing to push to") for text in none)
    rows = blast_report.reach_rows(blast)
    apart = [row[1:3] for row in rows if row[0] == "none" and row[1] != "ordinary"]
    assert apart == [[f"pushed {way}", "does not apply, nothing to push to"] for way in ways]
    assert any(text.startswith("beyond: share of requests that failed") for text in page.texts["p"])


def test_each_thing_is_simulated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(*_: object, **__: object) -> None:
        raise AssertionError("the bill and the map are of the comparison")

    monkeypatch.setattr("meshsim.costs.study.compare", twice)
    monkeypatch.setattr("meshsim.costs.study.run", twice)
    found = ms.report(plain(), ["none", "sidecar"], parts=["compare", "cost", "map"], quiet=True)
    assert not found.errors
    assert found.costs is not None


def test_the_verdict_comes_first(page: Page) -> None:
    first = next(tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag))
    assert first == "h1"
    assert len(page.texts["h1"]) == 1
    assert page.texts["h1"][0] == whole().summary().splitlines()[0]


def test_the_same_report_is_the_same_bytes() -> None:
    words = {"parts": ["compare", "cost", "map"], "quiet": True}
    first, second = (ms.report(plain(), ["none", "ambient"], jobs=n, **words).html() for n in (1, 2))
    assert first == second
    assert not re.search(r"20\d\d-\d\d-\d\dT|\d\d:\d\d:\d\d", first)


def test_nothing_is_fetched_and_no_name_is_twice() -> None:
    text = whole_text()
    ids = re.findall(r'\sid="([^"]*)"', text)
    assert len(ids) == len(set(ids)) > 20
    assert set(re.findall(r'href="#([^"]*)"', text)) | set(re.findall(r"url\(#([^)]*)\)", text)) <= set(ids)
    assert not re.search(r'(?:src|href|srcset|action)="(?!#|data:)', text)
    assert "<script" not in text
    assert "@import" not in text


def test_what_users_wrote_is_text() -> None:
    spec = load(plain())
    evil = spec.model_copy(update={"name": EVIL, "uncertain": {EVIL: ("1", "2", "<b>3</b>")}})
    text = ms.report(evil, ["none"], parts=["compare", "map"], quiet=True).html()
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "b" not in {tag for tag, _ in page.tags}
    assert any(EVIL in row for rows in page.tables.values() for row in rows)
    assert text.count("&lt;script&gt;") > 3


def test_parts_that_do_not_apply_say_why() -> None:
    found = ms.report(plain(), ["none", "sidecar"], without=["blast"], quiet=True)
    assert set(found.errors) == {"plan", "tenants"}
    assert not found.found.failed
    text = found.html()
    assert "a plan needs objectives" in text
    assert "slo: {p99: 250ms}" in text
    assert "interference needs two tenants" in text
    assert "Blast radius" not in text


def test_a_part_that_fails_does_not_lose_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise EngineLimit("call_depth 32 was met at <shop>")

    monkeypatch.setattr(study, "blast", broken)
    found = ms.report(plain(), ["none"], parts=["compare", "blast"], quiet=True)
    assert list(found.found.failed) == ["blast"]
    page = Page(found.html())
    assert any("call_depth 32 was met at <shop>" in text for text in page.texts["p"])
    assert any("blast is missing" in text for text in page.texts["li"])
    assert found.comparison is not None


def test_a_comparison_that_fails_takes_its_bill_along(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise EngineLimit("too many events")

    monkeypatch.setattr(study, "compare", broken)
    found = ms.report(plain(), ["none", "sidecar"], parts=["compare", "cost", "map"], quiet=True)
    assert set(found.found.failed) == {"compare", "cost", "map"}
    assert found.html().count("too many events") >= 3


def test_an_infeasible_plan_is_shown_with_its_reason() -> None:
    objective = [ms.model.traffic.Objective(quantity="p90", limit=0.001)]
    found = ms.report(plain(), ["none"], parts=["plan"], objectives=objective, quiet=True, duration_s=5.0)
    text = found.html()
    assert found.plan is not None
    assert not found.plan.feasible
    assert "no plan" in text
    assert "is not kept" in text


def test_an_interval_that_does_not_decide_is_not_decided() -> None:
    """The same architecture under two labels that mean the same to these services: nothing can decide."""
    found = ms.report(plain(), ["none", "{mesh: sidecar, ingress: none, include: []}"], parts=["compare"], quiet=True)
    assert "Nothing that was simulated decides" in found.summary()


def test_a_headline_says_that_runs_are_too_short_for_p99() -> None:
    words = {"parts": ["compare", "cost"], "quiet": True}
    found = ms.report(plain(), ["none", "sidecar"], duration_s=1.0, **words)
    assert found.comparison is not None
    assert found.comparison.differences["sidecar"].latency_s["p99"].low is None
    assert "“none” comes first. Not decided: p99, for which the runs are too short." in found.summary()


def test_unstable_runs_are_warned_of() -> None:
    spec = plain()
    spec["traffic"][0]["arrivals"] = {"poisson": "900/s"}
    found = ms.report(spec, ["none", "sidecar"], parts=["compare", "cost"], quiet=True, duration_s=4.0)
    page = Page(found.html())
    assert "All are unstable" in page.texts["h1"][0]
    assert any("unstable" in text or "grows" in text for text in page.texts["li"])
    assert any(text.startswith("What to know before acting") for text in page.texts["p"])


def test_who_comes_first_and_misses_objectives_is_told_so() -> None:
    spec = plain() | {"tenants": {"web": {"slo": {"p90": "5.2ms"}}}}
    spec["network"] = {"client": "10us"}
    found = ms.report(spec, ["none", "sidecar"], parts=["compare", "cost"], quiet=True)
    judged = {name: one.by_tenant["web"].objectives[0].judgement for name, one in found.found.results.items()}
    missed = [name for name, word in judged.items() if word == "missed"]
    headline = found.summary().splitlines()[0]
    assert missed == ["sidecar"]
    assert headline.endswith("“sidecar” is missing objectives.")


def test_assumptions_have_sources(page: Page) -> None:
    rows = page.tables["A sidecar, profile istio-1.24"]
    assert rows[0] == ["what", "value", "source"]
    by_name = {row[0]: row for row in rows}
    assert by_name["CPU of a request and its answer"][2].startswith("istio.io, Performance and Scalability")
    assert by_name["and for a connection"][2] == "assumed"
    assert all(all(row) for row in rows)
    assert any(caption.startswith("Prices") for caption in page.tables)


def test_values_of_a_file_keep_their_marks(tmp_path: Path) -> None:
    page = Page(ms.report("bookinfo", ["sidecar"], parts=["cost"], duration_s=1.0, replications=2, quiet=True).html())
    (rows,) = [rows for caption, rows in page.tables.items() if "are marked as sourced or assumed" in caption]
    assert ["bookinfo.yaml:29", "replicas: 1", "sourced"] in rows
    assert any("Nothing" not in text and "Sourced from istio/istio" in text for text in page.texts["pre"])


def test_commands_repeat_the_parts() -> None:
    found = ms.report("bookinfo", ["none"], parts=["compare", "cost"], duration_s=1.0, replications=2, quiet=True)
    assert found.command == (
        "meshsim report bookinfo --arch none --duration 1s --seed 1 --replications 2 --part compare,cost -o report.html"
    )
    assert found.costs is not None
    assert found.costs.command == "meshsim cost bookinfo --arch none --duration 1s --seed 1 --replications 2"
    again = ms.report("bookinfo", ["none"], parts=["compare", "cost"], duration_s=1.0, replications=2, quiet=True)
    assert again.html() == found.html()


def test_it_is_refused_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ms.UsageError, match="did you mean 'blast'"):
        ms.report(plain(), parts=["blasts"], quiet=True)
    with pytest.raises(ms.UsageError, match="did you mean 'cost'"):
        ms.report(plain(), parts=["bill"], quiet=True)
    with pytest.raises(ms.UsageError, match="not both"):
        ms.report(plain(), parts=["cost"], without=["plan"], quiet=True)
    with pytest.raises(ms.UsageError, match="architecture"):
        ms.report(plain(), ["sidecars"], quiet=True)
    with pytest.raises(ms.UsageError, match=r"must end in \.html"):
        whole().save(tmp_path / "report.pdf")


def test_saving_is_whole_or_not_at_all(tmp_path: Path) -> None:
    found = ms.report(plain(), ["none"], parts=["plan"], quiet=True)
    found.save(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == found.html()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(ms.StoreError):
        found.save(tmp_path / "nowhere" / "report.html")


def test_numbers_of_the_page_are_none_typed_by_hand() -> None:
    """Another seed gives other numbers: what a page says comes from its results."""
    found = ms.report(plain(), ["none", "sidecar"], parts=["compare"], quiet=True)
    other = ms.report(plain(), ["none", "sidecar"], parts=["compare"], quiet=True, seed=6)
    assert found.comparison is not None
    moved = replace(found, found=replace(found.found, comparison=other.comparison))
    (shown,) = [rows for caption, rows in Page(moved.html()).tables.items() if "seed 6" in caption]
    assert shown == other.comparison.table()
