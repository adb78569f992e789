"""What is drawn is what happened: bars, the critical path, crosses, names."""

from __future__ import annotations

from itertools import pairwise

import matplotlib
import pytest
from builders import call, network, service, wait_ms, work_ms
from matplotlib import pyplot
from matplotlib.colors import to_hex
from reading import defects
from traced import trace_of

from meshsim.charts import waterfall
from meshsim.charts.style import PART_COLOURS, THEMES
from meshsim.charts.waterfall import MOST_ROWS

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


COLOURS = {
    "CPU": PART_COLOURS["service"],
    "network": PART_COLOURS["network"],
    "waiting for others": THEMES["light"].grid,
}
BELOW = 0.42  # rows, from a bar to the critical path


def looks(part: str) -> str:
    return to_hex(COLOURS[part])


def bars(ax) -> list[tuple[int, float, float, str]]:
    """(row, from, to, colour) of every bar."""
    return [
        (round(bar.get_y()), bar.get_x(), bar.get_x() + bar.get_width(), to_hex(bar.get_facecolor()))
        for bar in ax.patches
    ]


def critical(ax) -> list[tuple[float, float, int]]:
    """(from, to, row) of the thick lines."""
    thick = [line for line in ax.lines if line.get_linewidth() > 2]
    return [(*line.get_xdata(), round(line.get_ydata()[0] - BELOW)) for line in thick]


def test_bars_and_critical_path_of_a_call() -> None:
    """1 ms a message, a works 2, b 3 ms."""
    ax = waterfall(trace_of(service("a", work_ms(2), call("b")), service("b", work_ms(3)), delays=network(same_node=1)))
    assert [label.get_text().strip() for label in ax.get_yticklabels()] == ["a.e #0", "b.e #0"]
    found = [(row, round(start, 6), round(end, 6), colour) for row, start, end, colour in bars(ax)]
    assert found == [
        (0, 0, 2, looks("CPU")),
        (0, 2, 7, looks("waiting for others")),
        (1, 2, 3, looks("network")),
        (1, 3, 6, looks("CPU")),
        (1, 6, 7, looks("network")),
    ]
    assert critical(ax) == [(0, 2, 0), (2, 3, 1), (3, 6, 1), (6, 7, 1)]
    assert ax.get_xlim() == (0, 7)
    assert "ok after 7 ms" in ax.get_title(loc="left")


def test_tries_that_were_given_up_have_a_cross_and_a_number() -> None:
    steps = call("b", timeout_s=0.004, retries=1, optional=True), work_ms(1)
    ax = waterfall(trace_of(service("a", *steps), service("b", wait_ms(10))))
    crosses = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if line.get_marker() == "x"]
    assert crosses == [(4, 1), (8, 2)]
    assert [label.get_text().strip() for label in ax.get_yticklabels()] == ["a.e #0", "b.e #0", "b.e #0, retry 1"]
    legend = {text.get_text() for text in ax.get_legend().get_texts()}
    assert legend == {"CPU", "waiting for others", "goes on, unobserved", "critical path", "caller gave up"}


def test_it_draws_where_it_is_told_and_leaves_out_what_cannot_be_read() -> None:
    _, mine = pyplot.subplots()
    many = [call("b") for _ in range(MOST_ROWS + 9)]
    drawn = waterfall(trace_of(service("a", *many), service("b", wait_ms(1))), mine)
    assert drawn is mine
    assert len(mine.get_yticks()) == MOST_ROWS
    assert "10 short calls left out" in mine.get_xlabel()


def test_long_names_leave_room_for_the_title() -> None:
    """Labels take a third of the width; the title is broken before the edge."""
    names = [f"a-service-with-a-rather-long-name-for-a-service-{i}" for i in range(14)]
    chain = [service(name, work_ms(1), call(below)) for name, below in pairwise(names)]
    ax = waterfall(trace_of(*chain, service(names[-1], work_ms(1))))
    assert defects(ax) == []


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8])
def test_few_rows_have_room_for_the_legend(rows: int) -> None:
    names = [f"s{i}" for i in range(rows)]
    chain = [service(name, work_ms(1), call(below)) for name, below in pairwise(names)]
    ax = waterfall(trace_of(*chain, service(names[-1], work_ms(1)), delays=network(same_node=1)))
    assert defects(ax) == []
    label, legend = ax.xaxis.label.get_window_extent(), ax.get_legend().get_window_extent()
    assert 0 < legend.y0 < legend.y1 < label.y0
