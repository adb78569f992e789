"""YAML by version 1.2's core schema, and files that mean harm: an error, never code, never a long wait."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from good_shop import SHOP
from hypothesis import given
from hypothesis import strategies as st

from meshsim.model.diagnostics import Report
from meshsim.model.load import check, validate
from meshsim.model.read import yaml_text
from meshsim.model.read.tree import ListNode, MapNode, Node, Scalar, from_python


def _plain(node: Node | None) -> object:
    if isinstance(node, MapNode):
        return {key: _plain(value) for key, (_, value) in node.entries.items()}
    if isinstance(node, ListNode):
        return [_plain(item) for item in node.items]
    return node.value if isinstance(node, Scalar) else None


def _parse(text: str) -> tuple[object, list[str]]:
    report = Report()
    node = yaml_text.parse(text, "a.yaml", report)
    return _plain(node), [d.code for d in report.diagnostics]


@pytest.mark.parametrize(
    ("text", "value"),
    # examples 10.3 and 10.8 of the YAML 1.2.2 specification, and what 1.1 readers make of something else
    [("null", None), ("~", None), ("true", True), ("False", False), ("no", "no"), ("on", "on"), ("Yes", "Yes"),
     ("0", 0), ("0o7", 7), ("0x3A", 58), ("-19", -19), ("0.", 0.0), ("-0.0", -0.0), (".5", 0.5), ("+12e03", 12000.0),
     ("-2E+05", -200000.0), ("1e3", 1000.0), ("1:30", "1:30"), ("1_000", "1_000"), (".inf", float("inf")),
     ("2026-11-22", "2026-11-22"), ("'12'", "12"), ('"true"', "true"), ("=", "=")],
)  # fmt: skip
def test_core_schema(text: str, value: object) -> None:
    found, codes = _parse(f"[{text}]")
    assert codes == [] and isinstance(found, list)
    assert found[0] == value and type(found[0]) is type(value)


def test_aliases_and_merge_keys() -> None:
    found, codes = _parse("a: &x {p: 1, q: 2}\nb: *x\nc: {<<: *x, q: 3}\nd: {<<: [{p: 5}, *x]}")
    assert codes == []
    assert found == {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 2}, "c": {"q": 3, "p": 1}, "d": {"p": 5, "q": 2}}


def test_names_that_look_like_numbers_stay_names() -> None:
    assert _parse("{no: 1, 010: 2, 1.50: 3}") == ({"no": 1, "010": 2, "1.50": 3}, [])


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "M008"), ("# only a comment\n", "M008"), ("a: &a [*a]", "M002"), ("a: *b", "M002"), ("a: b: c", "M002"),
     ("a:\n\t- b", "M002"), ("a: \x00", "M002"), ("%YAML 9.9\n---\na: 1", "M002"), ("{<<: 3}", "M009"),
     ("? {a: b}\n: 1", "M009"), ("!foo {a: 1}", "M005"), ("a: !!python/name:os.system ''", "M005"),
     ("[" * 200 + "]" * 200, "M004"), ("[" * 100_000, "M004"), ("{a: " * 300, "M004"),
     ("[" + "1," * 600_000 + "]", "M004")],
)  # fmt: skip
def test_hostile_text_is_refused(text: str, code: str) -> None:
    assert code in _parse(text)[1]


def test_a_billion_laughs_are_not_laughed() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert _parse("\n".join(lines))[1] == ["M004"]


def test_depth_by_aliases_is_counted() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 150)]
    assert _parse("\n".join(lines))[1] == ["M004"]


def test_large_and_binary_files(tmp_path: Path) -> None:
    file = tmp_path / "big.yaml"
    file.write_bytes(b"#" * 10_000_001)
    assert [d.code for d in validate(file)[1]] == ["M004"]
    file.write_bytes(b"meshsim: 1\nname: \xff\xfe\n")
    (error,) = validate(file)[1]
    assert (error.code, error.line) == ("M002", 2)
    file.write_bytes(bytes(range(256)) * 10)
    assert validate(file)[1][0].code == "M002"


def test_a_key_as_long_as_the_file_gives_a_short_message(tmp_path: Path) -> None:
    file = tmp_path / "long.yaml"
    file.write_text(SHOP + "? " + "k" * 1_000_000 + "\n: 1\n")
    result = check(file)
    assert [d.code for d in result.diagnostics] == ["M101"]
    assert len(result.render()) < 2000


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + SHOP.replace("\n", "\r\n").encode())
    assert validate(file)[1] == []


def test_the_slow_reader_gives_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP.replace("cart.get", "crt.get"))
    fast = validate(file)
    monkeypatch.setattr(yaml_text, "_LOADER", yaml.SafeLoader)
    assert validate(file) == fast


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("abcxyz:#-{}[]'\"\\ é", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON.filter(lambda value: value is not None))
def test_what_pyyaml_writes_is_read_back(value: object) -> None:
    assert _parse(yaml.safe_dump(value, allow_unicode=True))[0] == value
    assert _plain(from_python(value, "<dict>")) == value


@given(st.text(max_size=60))
def test_no_text_breaks_the_loader(text: str) -> None:
    report = Report()
    node = yaml_text.parse(text, "a.yaml", report)
    assert node is not None or report.errors


@given(st.integers(0, len(SHOP) - 1), st.sampled_from(["", "{", "]", ":", "&a ", "*a", "!", "5", "\n", "x"]))
def test_no_slip_of_the_pen_breaks_the_loader(position: int, char: str) -> None:
    text = SHOP[:position] + char + SHOP[position + 1 :]
    report = Report()
    node = yaml_text.parse(text, "a.yaml", report)
    if isinstance(node, MapNode) and not report.errors:
        plain = _plain(node)
        assert isinstance(plain, dict)
        topology, found = validate(plain)
        assert (topology is None) == any(d.severity == "error" for d in found)
