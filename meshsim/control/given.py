"""Controllers that users hand over from Python, checked before anything is simulated."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from meshsim.control.control import Controller
from meshsim.errors import UsageError


def controllers_given(controllers: Any) -> tuple[Controller, ...]:
    """Functions that take a `Control`, as a tuple.

    Raises
    ------
    UsageError
        It is no list of functions, or one of them cannot be called with a `Control` alone.
    """
    if callable(controllers):
        raise UsageError(f"controllers are a list: write controllers=[{name_of(controllers)}]")
    if not isinstance(controllers, Sequence) or isinstance(controllers, str):
        raise UsageError(f"controllers are a list of functions, not {controllers!r}")
    for one in controllers:
        _check_controller(one)
    return tuple(controllers)


def _check_controller(one: Any) -> None:
    if inspect.isgenerator(one):
        raise UsageError(f"give the function itself, not what it returns: controllers=[{one.__name__}]")
    if not callable(one):
        raise UsageError(f"a controller is a function that takes a meshsim.Control, not {one!r}")
    try:
        inspect.signature(one).bind(None)
    except TypeError:
        raise UsageError(
            f"{name_of(one)} has to take one argument, the meshsim.Control: def {name_of(one)}(control): …"
        ) from None


def name_of(function: Any) -> str:
    """What a controller is called in texts."""
    return str(getattr(function, "__name__", repr(function)))
