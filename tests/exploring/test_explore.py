"""Sliders, without a browser: what they are of, what they show, and that it is what `compare` finds."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

import meshsim as ms
from meshsim.cli import app
from meshsim.exploring import explore as opening
from meshsim.exploring import panel
from meshsim.exploring.knobs import knobs_of
from meshsim.exploring.looks import Chosen, Look, fitting_duration_s
from meshsim.exploring.panel import Explorer
from meshsim.exploring.picture import picture
from meshsim.model.files import shipped

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SHOP: dict[str, Any] = {
    "meshsim": 1,
    "name": "shop",
    "services": {
        "web": {
            "replicas": 3,
            "endpoints": {"page": [{"work": {"exp": "2ms"}}, {"call": "cart.get", "timeout": "20ms", "retries": 1}]},
        },
        "cart": {
            "replicas": 2,
            "caches": {"carts": {"capacity": 64}},
            "endpoints": {"get": [{"cache": {"name": "carts", "key": "item", "miss": [{"work": {"exp": "8ms"}}]}}]},
        },
    },
    "tenants": {"shop": {"slo": {"p99": "100ms"}}},
    "traffic": [
        {
            "name": "shop",
            "tenant": "shop",
            "entry": "web.page",
            "arrivals": {"poisson": "200/s"},
            "keys": {"item": {"zipf": {"items": 500, "exponent": 0.8}}},
        }
    ],
    "policies": [{"name": "cart", "to": "cart", "retries": {"attempts": 2}}],
}
SHORT: dict[str, Any] = {"duration_s": 4, "replications": 2}
LOAD, CART, CACHE = "run.load", "services.cart.replicas", "services.cart.caches.carts.capacity"


@pytest.fixture(autouse=True)
def _sketches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn where a test is about them; elsewhere they only have to be another one when they should be."""
    monkeypatch.setattr(panel, "picture", lambda look: repr((look.command, look.changes)).encode())


@pytest.fixture
def shown() -> Explorer:
    return ms.explore(SHOP, ["none", "sidecar"], **SHORT)


def numbers(results: Any) -> dict[str, dict[str, object]]:
    """Of each architecture, but for when and how they were asked for."""
    return {
        name: {key: value for key, value in result.to_dict().items() if key != "manifest"}
        for name, result in results.items()
    }


# -- what can be turned ------------------------------------------------------------------------------------------


def test_there_is_a_slider_for_load_replicas_caches_and_retries(shown: Explorer) -> None:
    assert {path: slider.value for path, slider in shown.controls.items()} == {
        LOAD: 1.0,
        CART: 2,
        "services.web.replicas": 3,
        "mesh.gateway.replicas": 2,
        CACHE: 64.0,
        "services.web.endpoints.page.1.retries": 1,
        "policies.cart.retries.attempts": 2,
    }


@pytest.mark.parametrize("name", [name for name, _ in shipped() if name != "front-door-large"])
def test_every_slider_of_what_is_shipped_has_what_is_written_and_ends_that_can_be_read(name: str) -> None:
    """The paths are those of the text, or the first override would not be read, or change nothing."""
    topology = ms.load(name)
    knobs = knobs_of(topology)
    ms.load(topology, overrides=[knob.override(knob.choices[0]) for knob in knobs])
    ms.load(topology, overrides=[knob.override(knob.choices[-1]) for knob in knobs])
    as_written = ms.load(topology, overrides=[knob.override(knob.written) for knob in knobs])
    assert as_written.digest == topology.digest
    for knob in knobs:
        assert list(knob.choices) == sorted(set(knob.choices)) and knob.written in knob.choices
        changed = ms.load(topology, overrides=[knob.override(knob.choices[-1])])
        assert changed.digest != topology.digest, knob.path


def test_the_services_that_are_named_have_sliders_and_others_are_refused() -> None:
    topology = ms.load("bookinfo")
    paths = [knob.path for knob in knobs_of(topology, ["reviews"]) if knob.group == "replicas"]
    assert paths == [*(f"services.reviews.versions.v{i}.replicas" for i in (1, 2, 3)), "mesh.gateway.replicas"]
    with pytest.raises(ms.UsageError, match="no service 'revews'; there is details, productpage"):
        knobs_of(topology, ["revews"])
    with pytest.raises(ms.UsageError, match="'web' autoscales"):
        knobs_of(ms.load("autoscaled-day"), ["web"])


def test_users_who_wait_for_their_answers_have_no_load_to_scale() -> None:
    closed = {"closed": {"users": 5, "think": {"exp": "1s"}}}
    traffic = [{"name": "u", "entry": "a.get", "arrivals": closed}]
    spec = {"meshsim": 1, "services": {"a": {"endpoints": {"get": [{"work": "1ms"}]}}}, "traffic": traffic}
    assert LOAD not in [knob.path for knob in knobs_of(ms.load(spec))]


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("bookinfo", 20.0),
        ("social-network", 5.0),
        ("cache-locality", 30.0),
        ("metastable", None),
        ("shop", None),
    ],
)
def test_looks_are_short_where_nothing_hangs_on_how_long_they_are(name: str, seconds: float | None) -> None:
    """About 600,000 messages; twice the warm-up of `cache-locality`; all of what has events, or caches to fill."""
    assert fitting_duration_s(ms.load(SHOP if name == "shop" else name)) == seconds


# -- what is shown -----------------------------------------------------------------------------------------------


def test_what_is_shown_is_what_compare_finds(shown: Explorer) -> None:
    shown.controls[LOAD].value = 1.5
    shown.controls[CART].value = 4
    shown.controls[CACHE].value = 256.0
    changes = ["run.load=1.5", "services.cart.replicas=4", "services.cart.caches.carts.capacity=256"]
    found = ms.compare(SHOP, ["none", "sidecar"], overrides=changes, **SHORT)
    assert numbers(shown.look.results) == numbers(found.results)
    assert numbers(shown.look.written) == numbers(ms.compare(SHOP, ["none", "sidecar"], **SHORT).results)
    assert shown.look.changes == ("load 1 → 1.5", "replicas of cart 2 → 4", "capacity of cart.carts 64 → 256")
    assert found.verdict[0] in shown.told.value and found.verdict[0] in repr(shown)
    assert picture(shown.look).startswith(b"\x89PNG")


def test_the_command_repeats_what_is_shown() -> None:
    shown = ms.explore("bookinfo", ["none", "ambient"], overrides=["run.seed=3"], duration_s=2, replications=2)
    shown.controls["services.ratings.replicas"].value = 2
    words = shlex.split(shown.command.value)
    assert words[0] == "meshsim"
    answer = CliRunner().invoke(app, [*words[1:], "-o", "json"])
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)["architectures"]
    for name, result in shown.look.results.items():
        ours = json.loads(json.dumps(result.to_dict()))
        assert ours["latency_s"] == told[name]["latency_s"] and ours["by_service"] == told[name]["by_service"]


def test_a_topology_that_was_loaded_is_repeated_by_a_call() -> None:
    shown = ms.explore(ms.load("bookinfo"), ["none"], duration_s=2, replications=2)
    shown.controls[LOAD].value = 0.5
    call = "meshsim.run(topology, 'none', engine='compiled', seed=1, replications=2, duration_s=2, "
    assert shown.command.value.startswith(f"{call}overrides=['run.load=0.5']")


def test_one_architecture_is_shown_without_a_comparison(shown: Explorer) -> None:
    shown.architectures["none"].value = False
    assert list(shown.look.results) == ["sidecar"] and shown.look.comparison is None
    assert "sidecar: p99 is " in shown.told.value


def test_another_architecture_is_looked_at_as_it_is_written_too(shown: Explorer) -> None:
    shown.controls[LOAD].value = 0.5
    shown.architectures["gateway"].value = True
    assert list(shown.look.results) == list(shown.look.written) == ["none", "gateway", "sidecar"]
    assert numbers(shown.look.written)["gateway"] != numbers(shown.look.results)["gateway"]


def test_what_was_changed_is_marked_until_it_is_as_written_again(shown: Explorer) -> None:
    shown.controls[CART].value = 1
    assert shown.controls[CART].description == "• cart"
    assert (shown.controls[LOAD].description, shown.look.changes) == ("load", ("replicas of cart 2 → 1",))
    shown.reset()
    assert shown.controls[CART].description == "cart"
    assert (shown.look.changes, numbers(shown.look.results)) == ((), numbers(shown.look.written))


def test_what_is_moved_is_said_where_the_intervals_are_apart() -> None:
    shown = ms.explore("bookinfo", ["none"], duration_s=10)
    shown.controls[LOAD].value = 2.0
    p99 = {name: (look["none"].latency_s["p99"]) for name, look in _sides(shown.look)}
    assert p99["now"].low > p99["written"].high and ", slower (" in repr(shown)
    shown.controls[LOAD].value = 1.25
    p99 = {name: (look["none"].latency_s["p99"]) for name, look in _sides(shown.look)}
    assert p99["now"].low <= p99["written"].high and ", cannot be told (" in repr(shown)


def test_what_answers_fewer_requests_is_not_called_faster() -> None:
    """Timeouts cut the latencies of the others short."""
    shown = ms.explore(SHOP, ["none"], duration_s=20, replications=4)
    shown.controls[LOAD].value = 4.0
    now, written = (look["none"].availability for _, look in _sides(shown.look))
    assert now.high < written.low and ", answers fewer (" in repr(shown)


def _sides(look: Look) -> Iterator[tuple[str, Any]]:
    yield "now", look.results
    yield "written", look.written


def test_what_grows_with_the_run_is_called_unstable() -> None:
    shown = ms.explore("bookinfo", ["none", "gateway"], duration_s=10, replications=2)
    shown.controls[LOAD].value = 4.0  # productpage needs a third of its core as it is written
    assert shown.look.results["none"].verdict.word == "unstable"
    assert "none is unstable" in shown.told.value and picture(shown.look).startswith(b"\x89PNG")


def test_where_nobody_is_answered_the_picture_says_so() -> None:
    failing = {"a": {"endpoints": {"get": [{"fail": {"p": "100%", "as": 500}}]}}}
    traffic = [{"name": "u", "entry": "a.get", "arrivals": {"poisson": "50/s"}}]
    shown = ms.explore({"meshsim": 1, "services": failing, "traffic": traffic}, ["none", "gateway"], **SHORT)
    assert shown.look.results["none"].availability.value == 0.0
    assert picture(shown.look).startswith(b"\x89PNG")


# -- mistakes ----------------------------------------------------------------------------------------------------


def test_what_goes_wrong_is_told_and_nothing_is_lost(shown: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, told = shown.image.value, shown.told.value

    def wrong(chosen: Chosen) -> Look:
        raise ms.EngineLimit("calls nest <deeper> than call_depth")

    monkeypatch.setattr(shown.looker, "look", wrong)
    shown.controls[LOAD].value = 2.0
    assert "calls nest &lt;deeper&gt; than call_depth" in shown.status.value and "Traceback" not in shown.status.value
    assert (shown.image.value, shown.told.value, shown.controls[LOAD].value) == (drawn, told, 2.0)
    assert "calls nest <deeper>" in repr(shown)
    monkeypatch.undo()
    shown.controls[LOAD].value = 0.5
    assert shown.error == "" and shown.look.changes == ("load 1 → 0.5",)


def test_a_bug_is_told_instead_of_simulating_for_ever(shown: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown.looker, "look", lambda chosen: 1 / 0)
    shown.controls[LOAD].value = 2.0
    assert shown.error.startswith("ZeroDivisionError") and "bug of meshsim" in shown.status.value


def test_without_an_architecture_it_says_what_to_do(shown: Explorer) -> None:
    for name in ("none", "sidecar"):
        shown.architectures[name].value = False
    assert "choose an architecture" in shown.status.value and list(shown.look.results) == ["sidecar"]


def test_without_ipywidgets_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    with pytest.raises(ms.UsageError, match=r"pip install 'meshsim\[notebook\]'"):
        ms.explore("bookinfo")


def test_a_topology_that_was_changed_in_python_is_refused_before_anything_is_shown() -> None:
    changed = ms.load("bookinfo").model_copy(update={"call_depth": 9})
    with pytest.raises(ms.UsageError, match="changed in Python"):
        ms.explore(changed)


# -- in the loop of a kernel -------------------------------------------------------------------------------------


def test_a_slider_that_moves_on_is_simulated_where_it_stops(shown: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Chosen] = []
    look = shown.looker.look
    monkeypatch.setattr(shown.looker, "look", lambda chosen: looked.append(chosen) or look(chosen))
    before = shown.image.value

    async def move() -> None:
        for load in (1.25, 1.5, 2.0):
            shown.controls[LOAD].value = load
            await asyncio.sleep(0)
        assert "simulating…" in shown.status.value and shown.image.value == before
        await shown.done()

    asyncio.run(move())
    assert [chosen.changes for chosen in looked] == [((LOAD, 2.0),)]
    assert shown.look.changes == ("load 1 → 2",) and shown.image.value != before
    assert "simulating…" not in shown.status.value


def test_what_is_asked_for_meanwhile_is_shown_and_not_what_came_before(
    shown: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shows: list[tuple[str, ...]] = []
    show = shown._latest._show
    monkeypatch.setattr(shown._latest, "_show", lambda found: shows.append(found.changes) or show(found))
    look = shown.looker.look

    async def move() -> None:
        loop = asyncio.get_running_loop()

        def slow(chosen: Chosen) -> Look:
            if chosen.changes == ((LOAD, 1.5),):  # while this is simulated, the slider goes on
                asyncio.run_coroutine_threadsafe(go_on(), loop).result()
            return look(chosen)

        async def go_on() -> None:
            shown.controls[LOAD].value = 2.0

        monkeypatch.setattr(shown.looker, "look", slow)
        shown.controls[LOAD].value = 1.5
        await shown.done()

    asyncio.run(move())
    assert shows == [("load 1 → 2",)]
