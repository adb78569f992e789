"""``meshsim report``: the file, what is said, and exit codes."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from small_shop import SHOP

from meshsim.errors import EngineLimit, ExitCode
from meshsim.reports import study

SHORT = "--arch none,sidecar --part compare,cost --duration 2s --replications 2"


def test_the_page_is_written_and_its_command_writes_it_again(command, shop: str, tmp_path: Path) -> None:
    code, out, said = command(f"meshsim report shop.yaml {SHORT} -o report.html")
    assert code == 0
    assert "wrote report.html" in said
    assert "compare …" in said
    first = (tmp_path / "report.html").read_bytes()
    repeat = out.splitlines()[-1].removeprefix("repeat: ")
    assert shlex.split(repeat)[:3] == ["meshsim", "report", "shop.yaml"]
    (tmp_path / "report.html").unlink()
    assert command(repeat)[0] == 0
    assert (tmp_path / "report.html").read_bytes() == first


def test_the_line_that_repeats_it_names_the_file_and_the_page_does_not(command, shop: str, tmp_path: Path) -> None:
    short = "--arch none --part compare --duration 1s --replications 2 -q"
    for name in ("report.html", "my own.html"):
        _, out, _ = command(f"meshsim report shop.yaml {short} -o '{name}'")
        assert shlex.split(out.splitlines()[-1])[-2:] == ["-o", name]
    assert (tmp_path / "my own.html").read_bytes() == (tmp_path / "report.html").read_bytes()


def test_options_reach_every_part_and_its_command(command, shop: str, tmp_path: Path) -> None:
    words = "--arch sidecar --part compare,cost,plan --duration 2s --replications 2 --seed 7 --engine compiled"
    changed = "--set services.shop.replicas=3 --slo 'p90<1s' --set run.load=0.5"
    code, out, _ = command(f"meshsim report shop.yaml {words} {changed} -q -o r.html")
    assert code == 0
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    for verb in ("cost", "plan", "report"):
        (line,) = {one for one in text.split("<") if f"meshsim {verb} shop.yaml" in one}
        assert "--set services.shop.replicas=3 --set run.load=0.5" in line
        assert "--seed 7" in line
    assert "p90&lt;1s" in text
    assert "web: p90 ≤ 1.00 s" in text
    for line in out.splitlines():
        assert "none" not in line


def test_commands_on_the_page_can_be_run(command, shop: str, tmp_path: Path) -> None:
    import html
    import re

    command(f"meshsim report shop.yaml {SHORT} --slo 'p99<9s' -q -o report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    lines = {html.unescape(line) for line in re.findall(r"<code>(meshsim [^<]*)</code>", text)}
    assert {shlex.split(line)[1] for line in lines} == {"compare", "cost"}
    for line in lines:
        assert command(line)[0] == 0, line


def test_stdin_is_read_once(shell, tmp_path: Path) -> None:
    target = tmp_path / "r.html"
    answer = shell("report", "-", *shlex.split(SHORT), "-q", "-o", target, stdin=SHOP)
    assert answer.exit_code == 0
    assert "with the same topology on stdin" in target.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("-o report.pdf", "must end in .html"),
        ("-o nowhere/report.html", "there is no folder nowhere"),
        ("--part compares -o r.html", "did you mean 'compare'?"),
        ("--part cost --without plan -o r.html", "not both"),
        ("--without compare,blast,cost,plan,tenants,map -o r.html", "nothing is left"),
        ("--arch sidecars -o r.html", "sidecar"),
        ("--slo p99 -o r.html", "write 'p99<250ms'"),
        ("--duration 0s -o r.html", "1ms or longer"),
        ("--prices none.yaml -o r.html", "cannot read the prices"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_simulated(command, shop: str, words: str, told: str) -> None:
    code, out, said = command(f"meshsim report shop.yaml {words}")
    assert code in (ExitCode.INVALID, ExitCode.STORE)
    assert told in said
    assert "…" not in said
    assert out == ""


def test_exit_codes(command, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missed = f"meshsim report shop.yaml {SHORT} --set tenants.web.slo.p99=1ms -q -o r.html"
    assert command(missed)[0] == ExitCode.OK
    code, _, said = command(f"{missed} --strict")
    assert code == ExitCode.VERDICT
    assert "failed:" in said

    def broken(*_: object, **__: object) -> None:
        raise EngineLimit("the engine met a limit")

    monkeypatch.setattr(study, "compare", broken)
    code, _, said = command(f"meshsim report shop.yaml {SHORT} -q -o failed.html")
    assert code == ExitCode.ENGINE
    assert "failed: compare: the engine met a limit" in said
    assert "the engine met a limit" in (tmp_path / "failed.html").read_text(encoding="utf-8")
