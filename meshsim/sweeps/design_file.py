"""Axes from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from meshsim.errors import UsageError
from meshsim.sweeps.design import Design, design_of

_KEYS: Final = ("axes", "let", "sample", "arch")
_EXAMPLE: Final = "axes: {run.load: 0.2:1.4:0.1, mesh.gateway.replicas: [2, 4, 8]}"


def read_design(file: Path) -> tuple[Design, list[str]]:
    """Read a design, and the architectures if the file names some.

    Parameters
    ----------
    file
        YAML: ``axes`` (values by path, a text or a list), ``let`` (expressions by path), ``sample``, ``arch`` (a list).

    Raises
    ------
    UsageError
        The file cannot be read or says something else.
    """
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--axes {file}: cannot read it: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"--axes {file}: no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict) or not isinstance(found.get("axes"), dict):
        raise UsageError(f"--axes {file}: write e.g. {_EXAMPLE}")
    unknown = sorted(set(map(str, found)) - set(_KEYS))
    if unknown:
        raise UsageError(f"--axes {file}: unknown key '{unknown[0]}'; there is {', '.join(_KEYS)}")
    sample, let, arch = found.get("sample"), found.get("let", {}), found.get("arch", [])
    if sample is not None and type(sample) is not int:
        raise UsageError(f"--axes {file}: sample is a whole number, not {sample!r}")
    if not isinstance(let, dict):
        raise UsageError(f"--axes {file}: let has expressions by path, e.g. let: {{services.web.replicas: '{{a}}*2'}}")
    if not isinstance(arch, list):
        raise UsageError(f"--axes {file}: arch is a list, e.g. arch: [none, sidecar]")
    axes = {str(path): _values(path, values, file) for path, values in found["axes"].items()}
    expressions = {str(path): str(text) for path, text in let.items()}
    return design_of(axes, expressions, sample), [str(one) for one in arch]


def _values(path: Any, values: Any, file: Path) -> str | list[object]:
    if isinstance(values, list):
        return values
    if isinstance(values, str | int | float):
        return str(values)
    raise UsageError(f"--axes {file}: axis {path}: write a list, or a text such as 0.2:1.4:0.1")
