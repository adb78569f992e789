"""Simulate what the paper needs and is not stored, make figures and numbers, compile the PDF.

``python paper/build.py`` is the paper of the small stored runs; ``--full`` that of the long ones.
"""

from __future__ import annotations

import argparse
import fnmatch
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # `paper` is a package of the checkout, not of the installation

from meshsim.errors import MeshsimError  # noqa: E402
from paper.stored import PaperError, Runs, as_text, make, written  # noqa: E402
from paper.studies import Size, Study, studies  # noqa: E402

RUNS = HERE / "runs"


def main(words: Sequence[str] | None = None) -> int:
    """Read the command line, build, and give the exit code."""
    asked = _parser().parse_args(words)
    size: Size = "full" if asked.full else "small"
    runs = Runs(RUNS / size)
    try:
        if asked.list:
            return _list(runs, studies(size))
        if asked.remake:
            return _remake(runs, _matching(studies(size), asked.remake))
        _simulate(runs, studies(size), asked.fresh)
        if asked.only_runs:
            return 0
        from paper.typeset import build

        build(runs, size, asked.output or _default(), update=asked.update_numbers)
    except MeshsimError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what is finished is stored, and the same command goes on from there", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python paper/build.py", allow_abbrev=False, description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long runs instead of the small ones")
    parser.add_argument("--fresh", action="store_true", help="simulate again what is stored, too")
    parser.add_argument("--only-runs", action="store_true", help="simulate, and build nothing")
    parser.add_argument(
        "--update-numbers", action="store_true", help="write paper/numbers/ anew, after runs or what is told changed"
    )
    parser.add_argument("--list", action="store_true", help="list all simulations and whether they are stored")
    parser.add_argument(
        "--remake", metavar="NAME", help="simulate the stored runs of this name (* for any) again: are they the same?"
    )
    parser.add_argument("-o", "--output", metavar="FILE", type=_pdf, help="the PDF (paper/build/paper.pdf)")
    return parser


def _default() -> Path:
    (HERE / "build").mkdir(exist_ok=True)
    return HERE / "build" / "paper.pdf"


def _pdf(text: str) -> Path:
    path = Path(text)
    if path.suffix != ".pdf":
        raise argparse.ArgumentTypeError(f"'{text}' does not end in .pdf; write e.g. -o paper.pdf")
    if not path.resolve().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.resolve().parent}; make it, or write another path")
    return path


def _list(runs: Runs, wanted: Sequence[Study]) -> int:
    for study in wanted:
        print(f"{'stored' if runs.find(study) else 'to run'}  {study.name:32} {written(study)}")
    return 0


def _matching(known: Sequence[Study], pattern: str) -> list[Study]:
    found = [study for study in known if fnmatch.fnmatch(study.name, pattern)]
    if not found:
        raise PaperError(f"there is no simulation '{pattern}'; --list tells their names")
    return found


def _simulate(runs: Runs, wanted: Sequence[Study], fresh: bool) -> None:
    """Run what is not stored; each is kept as soon as it is finished."""
    lacking = list(wanted) if fresh else runs.missing(wanted)
    for at, study in enumerate(lacking, 1):
        began = time.monotonic()
        print(f"[{at}/{len(lacking)}] {study.name} …", file=sys.stderr, flush=True)
        runs.add(study, make(study))
        print(f"    {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)


def _remake(runs: Runs, wanted: Sequence[Study]) -> int:
    """Simulate again and compare bytes; 1 if any differ."""
    differing = 0
    for study in wanted:
        stored = runs.find(study)
        if stored is None:
            raise PaperError(f"{study.name} is not stored")
        same = as_text(make(study)["result"]) == as_text(stored["result"])
        differing += not same
        print(f"{study.name}: {'the same' if same else 'DIFFERENT'}")
    return 1 if differing else 0


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # --list | head
    sys.exit(main())
