"""The heat map of tenants: every pair has its numbers, and nothing is told by colour alone."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.colors import to_hex
from reading import defects
from test_chart_colours import contrast

from meshsim import charts
from meshsim.charts.style import root
from meshsim.errors import UsageError

WORDS = {("a", "b"): "harmed", ("b", "a"): "not told", ("a", "c"): "untouched", ("c", "a"): "better"}
RATIO = {"harmed": (2.5, 2.2, 2.9), "not told": (1.02, 0.97, 1.08), "untouched": (1.0,) * 3, "better": (0.8, 0.7, 0.9)}


def cells(unstable: str = "", isolation: str = "as written") -> pd.DataFrame:
    rows = []
    for architecture in ("gateway", "sidecar"):
        for (aggressor, victim), word in WORDS.items():
            ratio, low, high = RATIO[word]
            shed = 0.061 if word == "harmed" else 0.0
            rows.append(
                {
                    "architecture": architecture,
                    "isolation": isolation,
                    "aggressor": aggressor,
                    "victim": victim,
                    "word": word,
                    **{"p99_ratio": ratio, "p99_ratio_low": low, "p99_ratio_high": high},
                    **{"shed_share": shed, "shed_share_low": shed - 0.01, "shed_share_high": shed + 0.01},
                    "unstable": unstable if word == "harmed" else "",
                }
            )
    return pd.DataFrame(rows)


def test_every_pair_has_its_numbers() -> None:
    panels = [ax for ax in root(charts.interference_heatmap(cells())).axes if ax.get_title(loc="left")]
    assert [ax.get_title(loc="left") for ax in panels] == ["gateway", "sidecar"]
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["a", "b", "c"]
    for panel in panels:
        told = {text.get_text() for text in panel.texts if text.get_gid() == "number"}
        assert told == {"2.50\n2.20–2.90\n+6.1 pp shed", "1.02\n0.970–1.08", "1\nuntouched", "0.800\n0.700–0.900"}
        places = {patch.get_gid(): (patch.get_x(), patch.get_y()) for patch in panel.patches}
        assert places["harmed"] == (1, 0) and places["untouched"] == (2, 0) and places["better"] == (0, 2)


def test_marks_say_what_colours_do_not() -> None:
    panel = charts.interference_heatmap(cells())
    marks = [patch.get_gid() for patch in panel.patches]
    assert marks.count("frame") == 1 and marks.count("includes 1") == 1
    hatched = next(patch for patch in panel.patches if patch.get_gid() == "includes 1")
    assert (int(hatched.get_x()), int(hatched.get_y())) == (0, 1)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_numbers_can_be_read(theme: str) -> None:
    panel = charts.interference_heatmap(cells(), theme=theme)  # type: ignore[arg-type]
    for text in panel.texts:
        box = text.get_bbox_patch()
        if text.get_gid() == "number" and box is not None:
            assert contrast(box.get_facecolor(), text.get_color()) > 4.5  # WCAG AA


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_hatches_have_the_colour_of_the_number(theme: str) -> None:
    """The style sheet's would win over that of the edge, and be lost on middle tones."""
    panel = charts.interference_heatmap(cells(), theme=theme)  # type: ignore[arg-type]
    hatched = next(patch for patch in panel.patches if patch.get_gid() == "includes 1")
    numbers = [text for text in panel.texts if text.get_gid() == "number" and text.get_text().startswith("1.02")]
    assert to_hex(hatched.get_hatchcolor()) == to_hex(numbers[0].get_color())
    left, bottom = hatched.get_xy()
    assert left > 0.0 and bottom > 1.0 and left + hatched.get_width() < 1.0


def test_a_small_panel_has_room_for_its_legend() -> None:
    few = cells()
    few = few[(few["architecture"] == "gateway") & few["aggressor"].isin(["a", "b"]) & few["victim"].isin(["a", "b"])]
    assert defects(charts.interference_heatmap(few)) == []


def test_many_long_names_can_be_read_and_stand_in_their_natural_order() -> None:
    names = [f"analytics-reporting-{number}" for number in range(1, 12)]
    row = cells().iloc[0]
    pairs = [{**row, "aggressor": one, "victim": other} for one in names[::-1] for other in names if one != other]
    panel = charts.interference_heatmap(pd.DataFrame(pairs))
    assert [text.get_text() for text in panel.get_xticklabels()] == names
    assert [text.get_text() for text in panel.get_yticklabels()] == names
    assert panel.get_xticklabels()[0].get_rotation() > 0
    assert defects(panel) == []


def test_unstable_cells_are_outside_of_the_scale_and_say_so() -> None:
    panel = charts.interference_heatmap(cells(unstable="with"))
    assert any(text.get_text().endswith("unstable") for text in panel.texts)


def test_isolations_have_panels_of_their_own() -> None:
    both = pd.concat([cells(), cells(isolation="quota")])
    panels = [ax.get_title(loc="left") for ax in root(charts.interference_heatmap(both)).axes]
    assert [title for title in panels if title] == [
        "gateway, as written", "sidecar, as written", "gateway, quota", "sidecar, quota",
    ]  # fmt: skip


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(UsageError, match="word"):
        charts.interference_heatmap(cells().drop(columns="word"))
    with pytest.raises(UsageError):
        charts.interference_heatmap(cells().iloc[:0])


def test_colours_of_small_differences_can_be_asked_for() -> None:
    small = cells()
    small["p99_ratio"] = small["p99_ratio"].clip(upper=1.02)
    fills = []
    for options in ({}, {"top": 1.05}):
        panel = charts.interference_heatmap(small, **options)
        fills.append(next(to_hex(patch.get_facecolor()) for patch in panel.patches if patch.get_gid() == "not told"))
        bar = root(panel).axes[-1]
    assert fills[0] != fills[1]
    told = [text.get_text() for text in bar.get_yticklabels()]
    assert told == ["1", "1.01", "1.02", "1.03", "1.04", "1.05"]
    assert [float(text) for text in told] == pytest.approx(list(bar.get_yticks()), abs=1e-12), (
        "a label is where it says"
    )
    with pytest.raises(UsageError, match="above 1, not of 1"):
        charts.interference_heatmap(small, top=1.0)
