"""Bad input, closed pipes, full disks, Ctrl-C: one clear message and the documented exit code."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from interrupting import interruptible
from small_shop import SHOP

import meshsim


@pytest.mark.parametrize(
    ("words", "needle"),
    [
        (("bookinf",), "did you mean 'bookinfo'?"),
        (("missing.yaml",), "there is no file 'missing.yaml'"),
        (("bookinfo", "--arch", "sidcar"), "did you mean 'sidecar'?"),
        (("bookinfo", "--arch", "none,sidecar"), "meshsim compare"),
        (("bookinfo", "--arch", "{mesh: sidecar, include: [revews]}"), "did you mean 'reviews'?"),
        (("bookinfo", "--set", "services.revews.replicas=2"), "did you mean 'reviews'?"),
        (("bookinfo", "--set", "nonsense"), "nonsense"),
        (("bookinfo", "--duration", "20"), "write 20ms or 20s"),
        (("bookinfo", "--duration", "20"), "--duration 20: "),
        (("bookinfo", "--duration", "0s"), "1ms or longer"),
        (("bookinfo", "--duration", "1ns"), "1ms or longer"),
        (("bookinfo", "--set", "run.duration=1ns", "--set", "run.warmup=0s"), "1ms or longer"),
        (("bookinfo", "--duration", "20s", "--set", "run.duration=10s"), "the same twice"),
        (("bookinfo", "--until", "p99"), "p99±2%"),
        (("bookinfo", "--seed", "one"), "error: --seed is a whole number of 0 or more, not 'one'"),
        (("bookinfo", "--seed", "-1"), "error: --seed is a whole number of 0 or more, not '-1'"),
        (("bookinfo", "--seed", "1" * 5000), "--seed is a whole number"),
        (("bookinfo", "--seed", str(2**63)), "between 0 and 9223372036854775807"),
        (("bookinfo", "--replications", "0"), "error: --replications is a whole number of 1 or more, not '0'"),
        (("bookinfo", "--jobs", "1.5"), "error: --jobs is a whole number of 1 or more, not '1.5'"),
        (("bookinfo", "--engine", "fast"), "simpy"),
        (("bookinfo", "--nonsense"), "--nonsense"),
        (("bookinfo", "--jobs", "0"), "--jobs"),
    ],
)
def test_wrong_usage(shell, words, needle) -> None:
    answer = shell("run", *words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert needle in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("run", "bookinfo", "--seed", "one"),
        ("run", "bookinfo", "--engine", "fast"),
        ("run", "bookinfo", "-o", "yaml"),
        ("run", "bookinfo", "--nonsense"),
        ("run", "bookinfo", "--duration", "20"),
        ("run",),
        ("comprae", "bookinfo"),
        ("topologies", "bookinfo", "-o", "json"),
        ("explain", "X9"),
    ],
)
def test_wrong_usage_is_one_line(shell, words) -> None:
    answer = shell(*words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("error: ") and answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("validate", "a.yaml", "b.yaml"), "meshsim validate takes one TOPOLOGY at a time, not b.yaml too"),
        (("run", "a.yaml", "b.yaml", "c.yaml"), "meshsim run takes one TOPOLOGY at a time, not b.yaml c.yaml too"),
        (("doctor", "heart"), "meshsim doctor takes options alone, not heart"),
        (("lower", "bookinfo", "--arch", "none,sidecar"), "--arch none,sidecar: lower takes one architecture"),
        (("estimate", "bookinfo", "--arch", "none,sidecar"), "--arch none,sidecar: estimate takes one architecture"),
        (
            ("plan", "bookinfo", "-q", "--lose", "everything"),
            "(--lose) is a number of replicas or zone, not 'everything'",
        ),
        (("plan", "bookinfo", "--load", "2x"), "--load is a number above 0, e.g. 2, not '2x'"),
        (("plan", "bookinfo", "--load", "nan"), "--load is a number above 0, e.g. 2, not 'nan'"),
        (("plan", "bookinfo", "--max-replicas", "0"), "--max-replicas is a whole number of 1 or more, not '0'"),
        (("forecast", "bookinfo", "--months", "none"), "--months is a whole number of 1 or more, not 'none'"),
        (("sweep", "bookinfo", "--sample", "0"), "--sample is a whole number of 1 or more, not '0'"),
        (
            ("metastability", "bookinfo", "--replications", "x"),
            "--replications is a whole number of 1 or more, not 'x'",
        ),
        (("cost", "bookinfo", "--people-hours", "few"), "--people-hours is a number of 0 or more, e.g. 20, not 'few'"),
    ],
)
def test_what_is_too_much_or_no_number_is_told_in_plain_words(shell, words, told) -> None:
    answer = shell(*words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("error: ") and told in answer.stderr


@pytest.mark.parametrize("frozen", [True, False])
def test_a_file_that_may_not_be_written_says_why(
    shell, shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frozen: bool
) -> None:
    class Facts:
        f_flag = os.ST_RDONLY if frozen else 0

    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(os, "statvfs", lambda _: Facts)
    why = "Read-only file system" if frozen else "Permission denied"
    for words in (("report", shop, "-o", tmp_path / "r.html"), ("chart", "latency", shop, "-o", tmp_path / "r.png")):
        answer = shell(*words)
        assert (answer.exit_code, answer.stdout) == (4, "")
        assert answer.stderr.startswith(f"error: cannot write {words[-1]}: {why}; give -o ")


def test_a_folder_is_no_file_to_write(shell, shop, tmp_path: Path) -> None:
    target = tmp_path / "folder.png"
    target.mkdir()
    answer = shell("chart", "latency", shop, "-o", target)
    assert answer.exit_code == 4 and f"cannot write {target}: it is a folder; give -o" in answer.stderr


@pytest.mark.parametrize("text", ["", "\0\1\2", "services: [", "just words", "- a\n- b\n", "meshsim: 2\n"])
def test_files_that_are_no_topology(shell, tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    answer = shell("run", path)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "bad.yaml" in answer.stderr and "error[M" in answer.stderr


def test_a_folder_is_no_topology(shell, tmp_path: Path) -> None:
    answer = shell("run", tmp_path)
    assert answer.exit_code == 2 and "is a folder, not a topology" in answer.stderr


def test_an_unknown_command_gets_a_suggestion(shell) -> None:
    answer = shell("comprae", "bookinfo")
    assert answer.exit_code == 2
    assert "compare" in answer.stderr


def test_stdin(shell) -> None:
    answer = shell("run", "-", "--duration", "2s", stdin=SHOP)
    assert answer.exit_code == 0
    assert answer.stdout.startswith("shop · none")


def test_a_bug_is_exit_3_and_debug_shows_where(shell, shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of something")

    monkeypatch.setitem(meshsim.__dict__, "run", broken)
    answer = shell("run", shop)
    assert answer.exit_code == 3
    assert "ZeroDivisionError: of something" in answer.stderr and "Traceback" not in answer.stderr
    assert "in broken" in shell("run", shop, "--debug").stderr


def test_an_engine_limit_is_exit_3(shell, shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def limited(*_: object, **__: object) -> None:
        raise meshsim.EngineLimit("calls nest deeper than call_depth 32", limit="call_depth 32")

    monkeypatch.setitem(meshsim.__dict__, "run", limited)
    answer = shell("run", shop)
    assert (answer.exit_code, answer.stderr) == (3, "error: calls nest deeper than call_depth 32\n")


def test_a_reader_that_has_seen_enough_is_no_failure(process, shop) -> None:
    answer = process(f"set -o pipefail; meshsim run {shop} -q -o csv | head -1")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("architecture,")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["topologies", "--help", "run --help", "--version"])
def test_a_full_disk_is_exit_4(process, words: str) -> None:
    answer = process(f"meshsim {words} > /dev/full")
    assert answer.returncode == 4
    assert answer.stderr == "error: cannot write the output: No space left on device\n"


def test_colour_follows_the_environment(process, tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    assert "\033[" not in process("meshsim validate empty.yaml").stdout
    assert "\033[" in process("meshsim validate empty.yaml", FORCE_COLOR="1").stdout
    assert "\033[" not in process("meshsim validate empty.yaml", FORCE_COLOR="1", NO_COLOR="1").stdout


def test_an_ascii_terminal_gets_question_marks(process, shop) -> None:
    answer = process(f"meshsim run {shop}", PYTHONIOENCODING="ascii")
    assert answer.returncode == 0, answer.stderr
    assert "± 95" not in answer.stdout and "? 95" in answer.stdout


def test_the_version(process) -> None:
    assert process("meshsim --version").stdout == f"meshsim {meshsim.__version__}\n"


def _is_at_work(pid: int, jobs: int) -> bool:
    """It has workers; alone, it has had the processor for longer than it takes to load."""
    if jobs > 1:
        return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text())
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]  # in user mode and in the kernel
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK") > 5.0


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to see when it is at work")
@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c(shop, jobs: int) -> None:
    words = [sys.executable, "-m", "meshsim", "compare", shop, "--duration", "10h", "--jobs", str(jobs), "--set"]
    words += ["run.drain=1s", "--arch", "none,sidecar", "--engine", "simpy"]  # which runs in processes
    with interruptible(words) as running:
        started = time.monotonic()
        while running.poll() is None and not _is_at_work(running.pid, jobs) and time.monotonic() < started + 60:
            time.sleep(0.05)
        time.sleep(2)
        os.killpg(running.pid, signal.SIGINT)  # what a terminal does
        stdout, stderr = running.communicate(timeout=60)
    assert (running.returncode, stdout, stderr.splitlines()[-1]) == (130, "", "interrupted: nothing was written")
