"""Every fenced block of README, CONTRIBUTING and docs is run from top to bottom, as its readers would do it.

Files are written and read, commands and Python run in one folder, and outputs that are shown are what came out.
``pytest tests/docs/test_pages_run.py --update-golden`` writes them anew, but for those with ``…`` (lines left out).
What shows no output runs short. A new page is found by itself; a block that cannot run says so, and is counted here.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pytest
from fenced import NOT_RUN, PAGES, ROOT, Block, blocks, expected
from typer.testing import CliRunner

from meshsim.cli import app
from meshsim.model.load import validate

#: Commands that say that they are not run here, by page.
LEFT_OUT = {"docs/forecast.md": 1, "docs/lab.md": 1, "docs/sweeps.md": 4}
#: Commands that simulate for their output alone are cut short when that is not shown.
SHORT = {
    "run": "--duration 2s --replications 2",
    "compare": "--duration 2s --set run.warmup=500ms --replications 2",
    "cost": "--duration 2s --replications 2",
    "cache": "--duration 4s --replications 2 --set run.warmup=2s",
    "chart": "--duration 2s --replications 2",
    "trace": "--duration 2s",
    "report": "--duration 1s --replications 2",
    "sweep": "--set run.replications=2",
    "plan": "--engine analytic",
    "forecast": "--engine analytic",
    "blast": "--dry-run",
    "tenants": "--dry-run",
    "metastability": "--load 0.2 --for 1s --recovery 4s",
}
TERMINAL = {"COLUMNS": "200", "NO_COLOR": "1"}
NO_TOPOLOGY = re.compile("axes:|name: our contract")  # files that the commands of their pages read
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


WITH_BLOCKS = [page for page in PAGES if blocks(page.read_text(encoding="utf-8"))]


class Reader:
    """Somebody who does what a page says, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, object] = {}
        self.left_out = 0
        self.printed = ""

    def write(self, block: Block) -> None:
        """Keep a file; a topology has no mistakes, nor has a part of one within a whole."""
        if block.kind not in ("yaml", "csv"):
            return
        text = block.text
        if block.kind == "yaml" and not NO_TOPOLOGY.match(text) and "meshsim: 1\n" not in text:
            text = f"meshsim: 1\nextends: {'autoscaled-day' if 'autoscale:' in text else 'bookinfo'}\n{text}"
        file = self.folder / (block.file or f"{_own_name(text)}.yaml")
        file.write_text(text, encoding="utf-8")
        if "meshsim: 1\n" in text:
            topology, told = validate(file)
            assert topology is not None, (block.line, told)

    def follow(self, block: Block, after: Block | None) -> str:
        """Do what a block says; gives what came out, and of an output what is to be compared with it."""
        shown = after is not None and after.kind == "output"
        if block.kind == "python":
            self.printed = self.python(block, shown)
        elif block.kind == "commands":
            self.printed = "".join(self.command(line, shown) for line in block.commands())
        else:
            assert block.kind in ("yaml", "csv", "output"), f"line {block.line}: nothing runs blocks of {block.kind!r}"
        return self.printed

    def python(self, block: Block, shown: bool) -> str:
        code = block.text if shown else re.sub(r"duration_s=\d+", "duration_s=2", block.text)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, f"line {block.line}", "exec"), self.names)
        return printed.getvalue()

    def command(self, line: str, shown: bool) -> str:
        if NOT_RUN.search(line):
            self.left_out += 1
            return ""
        line = line.partition(" #")[0].strip()
        line, _, target = line.rpartition(">") if ">" in _bare(line) else (line, "", "")
        words = shlex.split(line)
        if words[0] != "meshsim" or words[1] == "lab":
            assert _runs_in_ci(line), f"{line}: neither run here nor by .ci/run"
            return ""
        short = [] if shown else _shorter(words)
        answer = CliRunner(env=TERMINAL).invoke(app, [*words[1:], *short], prog_name="meshsim")
        asked = {"--slo", "--strict", "--check", "--baseline"} & {*words}  # a verdict may go against us
        assert answer.exit_code == 0 or (answer.exit_code == 1 and asked), (line, short, answer.output)
        for picture in (word for word in words if word.endswith((".png", ".svg", ".pdf", ".html"))):
            assert "--dry-run" in short or self.folder.joinpath(picture).stat().st_size > 5_000, line
        if target:
            self.folder.joinpath(target.strip()).write_text(answer.stdout, encoding="utf-8")
            return ""
        return answer.stdout


def _bare(line: str) -> str:
    """A line without what is quoted or a comment."""
    return re.sub(r"'[^']*'|\"[^\"]*\"", "", line).partition(" #")[0]


def _own_name(text: str) -> str:
    found = re.search(r"^name: ([\w-]+)$", text, re.MULTILINE)
    return found[1] if found else "example"


def _shorter(words: list[str]) -> list[str]:
    """Options that make a command short; where it has them itself, the last one holds."""
    if any(word.endswith((".json", ".csv", ".parquet")) for word in words[1:4]) or "--trace" in words:
        return []  # reads what is there
    files = [Path(word) for word in words if word.endswith(".yaml") and Path(word).is_file()]
    eventful = any("\nevents:" in file.read_text(encoding="utf-8") for file in files)
    if (eventful or any(word.startswith("incidents/") for word in words)) and words[1] != "blast":
        return ["--replications", "1"]  # faults come when they come
    if words[1] == "report" and not {"--part", "--without"} & {*words}:
        return shlex.split("--part compare " + SHORT["report"])
    return shlex.split(SHORT.get(words[1], ""))


def _runs_in_ci(line: str) -> bool:
    """Whether every part of a line is a step of .ci/run, which has folders of its own, or .ci/run itself."""
    steps = CI.replace('"${PYTHON:-python3}"', "python3").replace('"$place/venv"', ".venv").replace('"$root"', ".")
    steps = steps.replace('. "$place/venv/bin/activate"', ". .venv/bin/activate").replace("--quiet ", "")
    steps = steps.replace('"$place/user/bin/pip"', "pip") + "\nbash .ci/run\n"
    return all(re.search(f"^ *{re.escape(part.strip())}$", steps, re.MULTILINE) for part in line.split("&&"))


def _files_for_charts(folder: Path) -> None:
    """What the commands of docs/charts.md read: small tables of sweeps, of points of caches, and an incident."""
    import chart_inputs

    chart_inputs.write(folder)


def _shop_of_the_readme(folder: Path) -> None:
    (block,) = (block for block in blocks((ROOT / "README.md").read_text(encoding="utf-8")) if block.kind == "yaml")
    (folder / "shop.yaml").write_text(block.text, encoding="utf-8")


GIVEN: dict[str, Callable[[Path], None]] = {
    "docs/charts.md": _files_for_charts,
    "docs/forecast.md": _shop_of_the_readme,
    "docs/report.md": _shop_of_the_readme,
}


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=_name)
def test_blocks_run_and_print_what_is_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    mpl.use("agg")
    monkeypatch.chdir(tmp_path)
    GIVEN.get(_name(page), lambda folder: None)(tmp_path)
    text = page.read_text(encoding="utf-8")
    found = blocks(text)
    reader = Reader(tmp_path)
    for block in found:
        reader.write(block)  # a page may show a file after the commands that read it
    outputs = [(block, reader.follow(block, after)) for block, after in zip(found, [*found[1:], None], strict=True)]
    update = request.config.getoption("--update-golden")
    if update:
        page.write_text(_with_outputs(text, outputs), encoding="utf-8")
        for picture in re.findall(r"!\[[^\]]*\]\((images/[^)]+)\)", text):
            shutil.copy(tmp_path / Path(picture).name, page.parent / picture)
    for block, printed in outputs:
        if block.kind == "output" and (block.is_excerpt or not update):
            assert expected(block.text).fullmatch(printed), f"line {block.line} shows\n{block.text}but it is\n{printed}"
    assert reader.left_out == LEFT_OUT.get(_name(page), 0)


def _with_outputs(text: str, outputs: list[tuple[Block, str]]) -> str:
    """The page with what came out, but for outputs of which lines are left out: these are chosen by hand."""
    for block, printed in reversed(outputs):
        if block.kind == "output" and not block.is_excerpt:
            text = text[: block.start] + printed + text[block.end :]
    return text


def test_blocks_are_fenced() -> None:
    """Indented code would escape."""
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        assert "```" not in text, page
        assert not re.search(r"\n\n {4}(?:meshsim|python|pip|import) ", text), page


PAGE = """Write `a.yaml`:

```yaml
meshsim: 1
```

```
meshsim topologies   # a list
```

```
first
…
last
```
"""


def test_blocks_are_told_apart() -> None:
    found = blocks(PAGE)
    assert [(one.kind, one.file, one.line) for one in found] == [
        ("yaml", "a.yaml", 3),
        ("commands", None, 7),
        ("output", None, 11),
    ]
    shown = expected(found[-1].text)
    assert shown.fullmatch("first\nsecond\nthird\nlast\n")
    assert not shown.fullmatch("first\nsecond\n")
    assert not expected("first\n").fullmatch("first\nmore\n")


def test_what_neither_the_tests_nor_ci_run_is_found(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    assert reader.command("pip install -e '.[dev]' && pytest -q -n auto", shown=False) == ""
    for line in ("pip install something", "kubectl get pods", "meshsim nothing"):
        with pytest.raises(AssertionError):
            reader.command(line, shown=False)
    assert reader.command("kubectl get pods   # not run by the tests: needs a cluster", shown=False) == ""
    assert reader.left_out == 1
    with pytest.raises(AssertionError, match="nothing runs blocks of 'bash'"):
        reader.follow(blocks("```bash\nls\n```\n")[0], None)
