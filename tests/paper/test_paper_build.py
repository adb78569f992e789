"""The paper is what the stored runs say: numbers, claims, references, and the runs themselves."""

from __future__ import annotations

import copy
import doctest
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from paper import build, prose, stored, tell_turns, told, typeset  # noqa: E402
from paper.stored import PaperError, Runs, as_text, make, pruned  # noqa: E402
from paper.studies import studies  # noqa: E402

SMALL = Runs(build.RUNS / "small")
#: Made again here: one of a simulation with caches, one of a fault.
REMADE = ("locality-tasks-1", "blast-hotel-reservation-1")


@pytest.fixture(scope="module")
def results():
    return SMALL.results(studies("small"))


def test_the_pdf_is_built_from_what_is_stored(tmp_path, capsys):
    output = tmp_path / "paper.pdf"
    assert build.main(["-o", str(output)]) == 0, capsys.readouterr().err
    assert output.read_bytes().startswith(b"%PDF")
    assert "small runs" in capsys.readouterr().out


@pytest.mark.parametrize("size", ["small", "full"])
def test_committed_numbers_are_those_of_the_stored_runs(size):
    runs = Runs(build.RUNS / size)
    if size == "full" and not typeset.numbers_file(size).exists():
        pytest.skip("no full runs are stored")
    wanted = studies(size)
    typeset.check(typeset.tell(size, runs.results(wanted), runs.versions(wanted)), size)


@pytest.mark.parametrize("name", REMADE)
def test_a_stored_run_is_made_again_to_the_byte(name):
    study = next(one for one in studies("small") if one.name == name)
    again = as_text(make(study)["result"])
    assert again == as_text(SMALL.find(study)["result"]), (
        "meshsim gives other numbers than it did: python paper/build.py --fresh --update-numbers, and read the paper"
    )


def test_a_run_that_says_something_else_fails_the_build(results):
    changed = copy.deepcopy(results)
    hits = next(one for one in changed["locality-tasks-8"]["differences"] if one["architecture"] == "sidecar-only")
    hits.update(value=0.05, low=0.04, high=0.06)  # sidecars would win with many tasks
    with pytest.raises(PaperError) as failure:
        typeset.check(typeset.tell("small", changed, ["0"]), "small")
    for expected in (
        "contradict the claim 'many-tasks-lose'",
        "contradict the claim 'tasks-turn'",
        "numbers/small.json",
    ):
        assert expected in str(failure.value)


def test_a_number_typed_by_hand_is_found(results):
    found = typeset.tell("small", results, ["0"])
    texts = {"x.typ": 'The p99 is #n("made.seed") or 12.5 ms, "M/M/1" @dean2013, `v2`, by 30 % and #n("nothing").'}
    wrong = prose.mistakes(found, texts, {"one": {"text": "1", "origin": ""}})
    assert "x.typ: '12.5' is typed by hand" in wrong
    assert "x.typ: '30' is typed by hand" in wrong
    assert "x.typ: there is no number 'nothing'" in wrong
    assert "the fact 'one' has no origin" in wrong
    assert prose.mistakes(found, {"y.typ": '#n("made.seed"); so'}, {})[0].startswith("y.typ: typst eats the ';'")
    assert sum("typed by hand" in one for one in wrong) == 2
    assert "the claim 'engines-equal' is used nowhere" in wrong


def test_every_reference_is_cited_and_every_citation_is_there():
    known = set(re.findall(r"^@\w+\{([\w-]+),", (ROOT / "paper/refs.bib").read_text(encoding="utf-8"), re.MULTILINE))
    cited = prose.cited(prose.sources(ROOT / "paper"))
    assert known <= cited
    assert {key for key in cited if not key.startswith(("fig-", "tab-", "making", "turns"))} <= known


def test_text_outside_of_sections_has_no_prose():
    text = (ROOT / "paper/paper.typ").read_text(encoding="utf-8")
    shown = re.findall(r"\[([^\[\]]*)\]", text)
    assert not [word for one in shown for word in prose.typed_numbers(one)]


def test_figures_have_the_same_bytes_twice(tmp_path):
    from paper import pictures

    for folder in ("one", "two"):
        pictures.save(pictures.theory(), tmp_path / f"{folder}.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--remake", "nothing"], "there is no simulation 'nothing'; --list tells their names"),
        (["-o", "paper.txt"], "'paper.txt' does not end in .pdf; write e.g. -o paper.pdf"),
        (["-o", "nowhere/paper.pdf"], "there is no folder"),
        (["--smal"], "unrecognized arguments: --smal"),
    ],
)
def test_bad_use_says_what_to_write(words, expected, capsys):
    try:
        code = build.main(words)
    except SystemExit as left:
        code = left.code
    assert code in (1, 2)
    assert expected in capsys.readouterr().err


def test_a_study_resumes_and_notices_a_changed_command(tmp_path):
    study = next(one for one in studies("small") if one.name == "locality-tasks-1")
    runs = Runs(tmp_path)
    assert runs.missing([study]) == [study]
    runs.add(study, {"command": stored.written(study), "version": "0", "keeps": list(study.keeps), "result": {}})
    assert runs.missing([study]) == []
    longer = type(study)(study.name, (*study.command, "--check"), study.keeps)
    assert runs.missing([longer]) == [longer]
    with pytest.raises(PaperError, match="not simulated yet: locality-tasks-1"):
        runs.results([longer])
    runs.path(study).write_text("{", encoding="utf-8")
    with pytest.raises(PaperError, match="damaged: delete it"):
        runs.find(study)


def test_stored_runs_are_small_and_hold_no_times_or_places():
    folders = [path for path in (ROOT / "paper/runs").iterdir() if path.is_dir()]
    for folder in folders:
        assert sum(path.stat().st_size for path in folder.rglob("*.json")) < 2_000_000
    for path in (path for folder in folders for path in folder.rglob("*.json")):
        text = path.read_text(encoding="utf-8")
        assert "elapsed_s" not in text, path
        assert str(ROOT) not in text, path
        assert json.loads(text)["result"], path


def test_what_is_kept_of_an_answer():
    answer = {"a": [{"x": 1, "y": {"z": 2}}], "p99.9": 3}
    assert pruned(answer, ["a/*/y", "p99.9"]) == {"a": [{"y": {"z": 2}}], "p99.9": 3}
    assert pruned(answer, ["*"]) == answer


@pytest.mark.parametrize("module", [prose, stored, told, tell_turns])
def test_examples_in_docstrings(module):
    tried = doctest.testmod(module)
    assert tried.attempted
    assert not tried.failed
