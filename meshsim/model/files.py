"""Where topologies are found: files, and those that come with meshsim; and what is there instead of one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from meshsim.model.diagnostics import suggestion

_ENDINGS = (".yaml", ".yml", ".json")  # of files; JSON is YAML, and most of it is something else
_INCIDENTS = "incidents"  # a folder of shipped topologies, whose names begin with it


def shipped() -> list[tuple[str, str]]:
    """Name and first comment line of every topology that comes with meshsim, sorted by name, incidents last."""
    found: dict[str, str] = {}
    for directory in _shipped_directories():
        for file in (*directory.glob("*.yaml"), *directory.glob(f"{_INCIDENTS}/*.yaml")):
            first = file.read_text(encoding="utf-8").partition("\n")[0]
            name = file.relative_to(directory).with_suffix("").as_posix()
            found.setdefault(name, first.lstrip("# ").strip() if first.startswith("#") else "")
    return sorted(found.items(), key=lambda item: ("/" in item[0], item))


def _shipped_directories() -> list[Path]:
    """Inside of an installation, or beside the package in a checkout."""
    package = Path(__file__).resolve().parent.parent
    return [path for path in (package / "topologies", package.parent / "topologies") if path.is_dir()]


def find(name: str, directory: Path) -> Path | None:
    """Give a file of that name, else the shipped topology of that name."""
    path = directory / name
    if path.is_file():
        return path
    if name in (Path(name).name, f"{_INCIDENTS}/{Path(name).name}"):
        for shelf in _shipped_directories():
            for file in (shelf / f"{name}.yaml", shelf / name):
                if file.is_file():
                    return file
    return None


def why_not_found(source: str) -> tuple[str, str]:
    """What is there instead of a topology, and a hint."""
    path = Path(source)
    if path.is_dir():
        inside = _topologies_in(path)
        return f"'{source}' is a folder, not a topology", (
            f"give a file of it: {_some(inside)}"
            if inside
            else "give a file, or a shipped name: see meshsim topologies"
        )
    if path.exists():
        return f"'{source}' is no plain file", "give - and write the topology to stdin"
    known = [name for name, _ in shipped()]
    beside = _ending_otherwise(path)
    is_path = path.suffix in _ENDINGS or (len(path.parts) > 1 and path.parts[0] != _INCIDENTS) or source[-1:] == "/"
    if beside is not None:
        return f"there is no {'file' if is_path else 'topology'} '{source}'", f"did you mean '{beside}'?"
    if not is_path:
        return f"there is no topology '{source}'", f"give a file, or a shipped name: {suggestion(source, known)}"
    near = difflib.get_close_matches(path.name, [Path(file).name for file in _topologies_in(path.parent)], n=1)
    shelf = difflib.get_close_matches(path.stem, known, n=1)
    if near or shelf:
        return f"there is no file '{source}'", f"did you mean '{path.parent / near[0] if near else shelf[0]}'?"
    return f"there is no file '{source}'", "check its name and folder; meshsim topologies lists those that are shipped"


def _topologies_in(folder: Path) -> list[str]:
    """Files of a folder that may be topologies, by their names alone; none if it cannot be read."""
    try:
        return sorted(str(file) for file in folder.iterdir() if file.suffix in _ENDINGS[:2] and file.is_file())
    except OSError:
        return []


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _ending_otherwise(path: Path) -> Path | None:
    """The file whose name is the same but for its ending, as ``shop.yaml`` for ``shop.yml``."""
    others = (path.parent / f"{path.stem}{ending}" for ending in _ENDINGS)
    return next((other for other in others if other != path and other.is_file()), None)


def label_of(path: Path) -> str:
    """Name of a file in messages: as it is shipped when it came with meshsim, relative when it is below this one."""
    for shelf in _shipped_directories():
        if path.is_absolute() and path.parent in (shelf, shelf / _INCIDENTS):
            return path.relative_to(shelf).as_posix()
    try:
        return str(path.resolve().relative_to(Path.cwd())) if path.is_absolute() else str(path)
    except (ValueError, OSError):
        return str(path)
