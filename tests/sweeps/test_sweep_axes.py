"""Axes as users write them, expressions, and the points that come of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meshsim.errors import UsageError
from meshsim.sweeps.axes import Axis, Range, axis_of, parse_axis
from meshsim.sweeps.design import Design, design_of
from meshsim.sweeps.design_file import read_design
from meshsim.sweeps.expressions import evaluate


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=0.2:1.4:0.1", ["0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1", "1.1", "1.2", "1.3", "1.4"]),
        ("a=1:10:4", ["1", "5", "9"]),
        ("a=10ms:50ms:20ms", ["10ms", "30ms", "50ms"]),
        ("a=1:100:*10", ["1", "10", "100"]),
        ("a=100/s:400/s:*2", ["100/s", "200/s", "400/s"]),
        ("a= 2, 4 ,8", ["2", "4", "8"]),
        ("a={exp: 5ms},{lognormal: {mean: 2ms, cv: 1}}", ["{exp: 5ms}", "{lognormal: {mean: 2ms, cv: 1}}"]),
        ("a=random", ["random"]),
        ("a=1e2:3e2:1e2", ["100", "200", "300"]),
    ],
)
def test_values_of_an_axis(text: str, values: list[str]) -> None:
    found = parse_axis(text)
    assert isinstance(found, Axis)
    assert list(found.values) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run.load", "--axis 'run.load': write 'run.load=0.2:1.4:0.1'"),
        ("=1,2", "write 'run.load"),
        ("a=", "write 'run.load"),
        ("a=1,,2", "axis a: a value is empty"),
        ("a=1,2,1", "axis a: 1 is given twice"),
        ("a=1,2,1.0", "axis a: 1.0 is given twice"),
        ("a=1:2", "axis a: '1:2': write from:to:step"),
        ("a=1:x:1", "axis a: 'x' is no number"),
        ("a=2:1:1", "has no values: go upwards"),
        ("a=1:2:0", "has no values: go upwards"),
        ("a=1:8:*1", "has no values: go upwards"),
        ("a=10ms:1s:10ms", "give all numbers the same unit"),
        ("a=0:1:0.00001", "has more than 10,000 values"),
        ("a=1..1e999", "axis a: '1e999' is no number"),
        ("a=1..", "axis a: '' is no number"),
        ("a=1..1.00000000000000000001", "the second end has to be above the first"),
        ("a=5..5", "the second end has to be above the first"),
        ("a=1ms..2s", "give both ends the same unit"),
    ],
)
def test_mistakes_in_an_axis_are_told(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_axis(text)
    assert message in str(caught.value)


def test_python_gives_lists() -> None:
    assert axis_of("a", [1, 2.5, "x", True]) == Axis("a", ("1", "2.5", "x", "true"))
    with pytest.raises(UsageError, match="a list of values cannot be empty"):
        axis_of("a", [])


def test_the_grid_has_every_combination_once_the_last_axis_fastest() -> None:
    points = design_of({"a": [1, 2], "b": "x,y,z"}).points(1)
    assert [(point["a"], point["b"]) for point in points] == [(a, b) for a in "12" for b in "xyz"]


def test_a_latin_hypercube_has_one_point_in_every_stratum() -> None:
    design = design_of({"a": "0.0..1.0", "b": "10..19"}, sample=10)
    points = design.points(3)
    shares = np.array([float(point["a"]) for point in points])
    assert sorted(np.floor(shares * 10).tolist()) == list(range(10))
    assert sorted(int(point["b"]) for point in points) == list(range(10, 20))  # ten whole numbers, ten strata
    assert points == design.points(3) != design.points(4)


def test_a_latin_hypercube_is_one_in_every_dimension() -> None:
    """Its columns are permutations that have nothing to do with each other, and places within strata are chance."""
    points = design_of({"a": "0.0..1.0", "b": "0.0..1.0", "c": "0.0..1.0"}, sample=200).points(3)
    shares = np.array([[float(point[path]) for path in "abc"] for point in points])
    strata = np.floor(shares * 200)
    assert np.sort(strata, axis=0).tolist() == np.repeat(np.arange(200.0)[:, None], 3, axis=1).tolist()
    apart = np.corrcoef(shares, rowvar=False)[np.triu_indices(3, 1)]
    assert np.abs(apart).max() < 4 / np.sqrt(199)  # four standard deviations of permutations by chance
    within = shares * 200 - strata
    assert within.mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * 600))
    assert within.var() == pytest.approx(1 / 12, abs=4 / np.sqrt(180 * 600))


def test_points_of_whole_numbers_are_there_once() -> None:
    points = design_of({"a": "1..2", "b": "1..2"}, sample=8).points(1)
    assert sorted((point["a"], point["b"]) for point in points) == [(a, b) for a in "12" for b in "12"]
    crossed = design_of({"c": ["x", "y"], "a": "1..4"}, sample=8).points(1)
    assert sorted((point["c"], point["a"]) for point in crossed) == [(c, a) for c in "xy" for a in "1234"]


@pytest.mark.parametrize("text", ["0.999999..1.000001", "-0.000001..0.000001", "1e6ms..1000000.5ms", "0.0001..1000.0"])
def test_points_of_narrow_ranges_are_apart_and_within(text: str) -> None:
    found = axis_of("a", text)
    assert isinstance(found, Range)
    values = [found.at(u) for u in np.linspace(0.0, 1.0, 1000, endpoint=False)]
    numbers = [float(value.removesuffix("ms")) for value in values]
    assert len(set(values)) == 1000 and "e" not in "".join(values)
    assert numbers == sorted(numbers)
    assert numbers == pytest.approx(
        np.linspace(found.low, found.high, 1000, endpoint=False), abs=1e-5 * (found.high - found.low)
    )
    assert found.low <= min(numbers) and max(numbers) <= found.high


def test_rounding_leaves_no_range() -> None:
    found = axis_of("a", "0.1000000001..0.9999999999")
    assert isinstance(found, Range)
    assert [found.at(0.0), found.at(1.0 - 1e-15)] == ["0.1000000001", "0.9999999999"]


def test_lists_are_crossed_with_the_hypercube() -> None:
    points = design_of({"a": [1, 2], "b": "0.0..1.0"}, sample=3).points(1)
    assert [point["a"] for point in points] == ["1"] * 3 + ["2"] * 3
    assert [point["b"] for point in points[:3]] == [point["b"] for point in points[3:]]


def test_ranges_have_units() -> None:
    found = parse_axis("a=10ms..50ms")
    assert found == Range("a", 10.0, 50.0, "ms", False)
    assert found.at(0.5) == "30ms"
    assert parse_axis("a=10..50ms").at(0.5) == "30ms"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("axes", "let", "sample", "message"),
    [
        ({}, {}, None, "a sweep needs an axis"),
        ({"a": "1..2"}, {}, None, r"axis a is a range: add --sample N"),
        ({"a": "1,2"}, {}, 5, "--sample draws from ranges"),
        ({"a": "0.0..1.0"}, {}, 0, "--sample has to be 1 or more"),
        ({"a": "1,2"}, {"a": "3"}, None, "axis a is given twice"),
        ({"a": "1:1000:1", "b": "1:1000:1"}, {}, None, "1,000,000 points are more than 100,000"),
    ],
)
def test_mistakes_in_a_design_are_told(axes: dict, let: dict, sample: int | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        design_of(axes, let, sample)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{load} * 4", "2.4"),
        ("ceil({load} * 4)", "3"),
        ("2 * {n} + 1", "9"),
        ("{n} // 3", "1"),
        ("min({n}, 3) - -1", "4"),
        ("({n} * 10)ms", "40ms"),
        ("max(1, round({load}))", "1"),
        ("{n} / 3", "1.33333333333"),
        ("({n} * 2)GiB", "8GiB"),
        ("({n}) / (2)", "2"),
        ("({n} * 10)/s", "40/s"),
        ("({n} + 1) %", "5%"),
    ],
)
def test_expressions(text: str, value: str) -> None:
    assert evaluate(text, {"load": "0.6", "n": "4"}) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{m}", "'m' is no axis; there is load"),
        ("{load", "cannot compute it"),
        ("1 / 0", "cannot compute it: division by zero"),
        ("__import__('os')", "there is no function '__import__'"),
        ("(1).real", "write numbers"),
        ("9 ** 9", "write numbers"),
        ("eval(1)", "there is no function 'eval'"),
        ("1e308 * 10", "comes to inf"),
        ("1" + "+1" * 400, "at most 500 characters"),
        ("{word}", "word is 'random', which is no plain number"),
    ],
)
def test_expressions_are_arithmetic_and_nothing_else(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        evaluate(text, {"load": "0.6", "word": "random"})
    assert message in str(caught.value)


def test_expressions_follow_the_axes() -> None:
    design = design_of({"run.load": [0.5, 1]}, {"services.a.replicas": "ceil({run.load} * 3)"})
    assert [point["services.a.replicas"] for point in design.points(1)] == ["2", "3"]
    assert design.paths == ("run.load", "services.a.replicas")


def test_a_file_says_the_same_as_options(tmp_path: Path) -> None:
    file = tmp_path / "axes.yaml"
    file.write_text(
        "axes:\n  run.load: 0.5:1:0.5\n  mesh.gateway.replicas: [2, 4]\n"
        "let: {a: '{run.load}*2'}\narch: [none, sidecar]\n"
    )
    design, architectures = read_design(file)
    assert design == Design(
        (Axis("run.load", ("0.5", "1")), Axis("mesh.gateway.replicas", ("2", "4"))), (("a", "{run.load}*2"),)
    )
    assert architectures == ["none", "sidecar"]


def test_a_file_has_no_numbers_of_base_60(tmp_path: Path) -> None:
    """YAML 1.1 reads 1:8:1 as 4081."""
    file = tmp_path / "axes.yaml"
    file.write_text(
        "axes:\n  services.a.replicas: 1:3:1\n  run.load: 1:2:0.5\n  n: [010ms, 1:30, {exp: 5ms}, yes, 1.10]\n"
    )
    design, _ = read_design(file)
    assert design.axes == (
        Axis("services.a.replicas", ("1", "2", "3")),
        Axis("run.load", ("1", "1.5", "2")),
        Axis("n", ("010ms", "1:30", '{"exp": "5ms"}', "yes", "1.10")),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("axes: [", "2:1: not YAML"),
        ("axes: {a: 1, a: 2}", "1:14: 'a' is here twice"),
        ("- 1", "write e.g. axes:"),
        ("axes: {a: 1}\nlett: {}", "unknown key 'lett'; there is axes, let, sample, arch"),
        ("axes: {a: {b: 1}}", "axis a: write a list"),
        ("axes: {a: 1}\nsample: x", "sample is a whole number, not 'x'"),
        ("axes: {a: 1}\nlet: 3", "let has expressions by path"),
        ("axes: {a: 1}\narch: none", "arch is a list"),
    ],
)
def test_mistakes_in_a_file_are_told(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "axes.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_design(file)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)
    with pytest.raises(UsageError, match="cannot read it: No such file"):
        read_design(tmp_path / "none.yaml")
