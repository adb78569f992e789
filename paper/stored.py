"""Runs that are kept: a file a study, made by running its command, read again as long as the command is the same."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import meshsim as ms
from meshsim.errors import MeshsimError
from paper.studies import Study

HERE = Path(__file__).parent
#: Of manifests: differ between two makings of the same numbers.
_OF_ONE_MAKING = ("timing", "versions", "command")
#: What meshsim says of numbers in words: it may find better ones for the same numbers.
_SENTENCES = ("sentence", "note")


class PaperError(MeshsimError):
    """The paper cannot be built."""


def pruned(value: Any, patterns: Sequence[str]) -> Any:
    """Give what the patterns name: paths in a document, with ``*`` for any key or for each of a list.

    Examples
    --------
    >>> pruned({"a": {"x": 1, "y": 2}, "b": 3}, ["a/x"])
    {'a': {'x': 1}}
    >>> pruned([{"x": 1, "y": 2}, {"x": 3}], ["*/x"])
    [{'x': 1}, {'x': 3}]
    """
    heads = [pattern.partition("/") for pattern in patterns]
    if isinstance(value, list):
        below = [rest for head, _, rest in heads if head == "*"]
        return [one if "" in below else pruned(one, below) for one in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, one in value.items():
        below = [rest for head, _, rest in heads if head in ("*", key)]
        if below:
            found[key] = one if "" in below else pruned(one, below)
    return found


def plain(value: Any) -> Any:
    """Leave out of manifests what another making of the same numbers would have differently."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    known = {key: plain(one) for key, one in value.items() if key not in _SENTENCES}
    if "seed" in known and "engine" in known:
        return {key: one for key, one in known.items() if key not in _OF_ONE_MAKING}
    return known


def make(study: Study) -> dict[str, Any]:
    """Run a study and give what is kept of it."""
    kept = plain(pruned(_answer(study), study.keeps))
    return {"command": written(study), "version": ms.__version__, "keeps": list(study.keeps), "result": kept}


def _answer(study: Study) -> Any:
    if study.command[0] == "engines":
        from paper.engines import differences

        return differences(float(study.command[1]))
    from typer.testing import CliRunner

    from meshsim.cli import app

    before = Path.cwd()
    os.chdir(HERE)  # topologies of the paper are named from here
    try:
        done = CliRunner().invoke(app, [*study.command, "-o", "json"])
    finally:
        os.chdir(before)
    if done.exit_code not in (0, 1) or not done.stdout:  # 1: a plan that is not there is an answer, too
        raise PaperError(f"{study.name}: 'meshsim {written(study)}' failed: {done.stderr or done.exception}")
    return json.loads(done.stdout)


def written(study: Study) -> str:
    """The command as one types it, without ``meshsim``."""
    return shlex.join(study.command)


def as_text(document: Mapping[str, Any]) -> str:
    """The file of a run."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


class Runs:
    """A folder of runs.

    Parameters
    ----------
    folder
        One file a study.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, study: Study) -> Path:
        """File of a study."""
        return self.folder / f"{study.name}.json"

    def find(self, study: Study) -> dict[str, Any] | None:
        """Give a stored run; None if there is none, or one of another command."""
        try:
            found = json.loads(self.path(study).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            raise PaperError(f"{self.path(study)} is damaged: delete it, and it is made again") from None
        same = found.get("command") == written(study) and found.get("keeps") == list(study.keeps)
        return found if same else None

    def add(self, study: Study, document: Mapping[str, Any]) -> None:
        """Write a run as a whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.path(study).with_suffix(".part")
        part.write_text(as_text(document), encoding="utf-8")
        part.replace(self.path(study))

    def missing(self, studies: Sequence[Study]) -> list[Study]:
        """Those that have to be run."""
        return [study for study in studies if self.find(study) is None]

    def versions(self, studies: Sequence[Study]) -> list[str]:
        """Versions of meshsim that made the stored runs of these."""
        return sorted({found["version"] for study in studies if (found := self.find(study)) is not None})

    def results(self, studies: Sequence[Study]) -> dict[str, Any]:
        """Give what all studies found, by name.

        Raises
        ------
        PaperError
            One was not run, or its command has changed since.
        """
        lacking = [study.name for study in self.missing(studies)]
        if lacking:
            raise PaperError(f"not simulated yet: {', '.join(lacking[:5])}{' …' if len(lacking) > 5 else ''}")
        return {study.name: self.find(study)["result"] for study in studies}  # type: ignore[index]
